"""Runs the sandbox Basket: ``python -m mozillians_basket.sandbox``."""

from mozillians_basket.sandbox.server import main

if __name__ == "__main__":
    main()
