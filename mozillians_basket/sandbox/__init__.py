"""A local Basket with the whole Newsletter API, for development, tests and staging."""
