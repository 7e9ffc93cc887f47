"""The admin's pages in a real browser, on the running site. ``make test-browser`` runs it."""
