"""Keep the members of a community site in step with Basket, Mozilla's newsletter service."""
