"""Tests of the site's settings and processes."""
