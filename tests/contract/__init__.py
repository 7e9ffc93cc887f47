"""What every Basket answers, the sandbox or a real one, over plain HTTP."""
