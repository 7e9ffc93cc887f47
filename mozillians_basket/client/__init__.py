"""The client of Basket: calls, transport, switch and breaker."""
