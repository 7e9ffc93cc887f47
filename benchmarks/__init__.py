"""What the app costs, measured beside a naive baseline: ``make bench``, docs/performance.md."""
