"""What the app costs, measured beside the plain way: ``make bench``, docs/performance.md."""
