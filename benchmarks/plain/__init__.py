"""
The plain way: what one writes in an afternoon with the same libraries, to compare with.

A handler that calls ``.delay()``, a task that asks the switch and starts a chain of two, one
call of basket-client's in each, results in the database, and everything at its default.
"""

from benchmarks.plain.celery import app as celery_app

__all__ = ["celery_app"]
