"""The answers of every Basket, the sandbox or a real one, over plain HTTP."""
