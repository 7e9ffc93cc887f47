"""Tests on the servers of a site in production. ``make test-services`` starts them."""
