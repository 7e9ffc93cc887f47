"""The client of Basket: calls, transport with the switch, and breaker."""
