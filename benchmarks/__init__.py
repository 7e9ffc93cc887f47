"""The costs of the app, measured beside a naive baseline: ``make bench``, docs/performance.md."""
