"""Tests on the servers that a site runs in production. ``make test-services`` starts them."""
