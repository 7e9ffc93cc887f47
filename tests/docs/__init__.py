"""Tests of the documentation and of the repository's language."""
