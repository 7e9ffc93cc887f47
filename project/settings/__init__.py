"""The site's settings: base, and on it dev, stage, prod and test."""
