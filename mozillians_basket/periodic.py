"""What all of beat's tasks have in common."""

from celery import Task


class PeriodicTask(Task):  # type: ignore[type-arg]
    """
    A task of beat's, which may expire; that is not written down.

    A worker would write it in its main thread, through a database connection that nobody
    renews, and die of it after the database was restarted.
    """

    store_errors_even_if_ignored = False
