"""The history of the sandbox Basket's tables."""
