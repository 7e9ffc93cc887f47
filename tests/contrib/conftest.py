"""Fixtures for the tests of the optional modules."""

import pytest
from django.core.cache import caches


@pytest.fixture(autouse=True)
def _empty_caches():
    for cached in caches.all(initialized_only=True):
        cached.clear()
