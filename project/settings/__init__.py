"""The site's settings: base, and on it dev, prod and test."""
