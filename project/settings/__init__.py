"""The site's settings: base, and dev, stage, prod and test on top of it."""
