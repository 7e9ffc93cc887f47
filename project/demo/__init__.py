"""The app's story played on real processes, with a check of what Basket holds after each act."""
