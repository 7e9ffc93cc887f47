"""The app's story on real processes, with a check of Basket's contents after each act."""
