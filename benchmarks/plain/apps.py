"""The plain app's start."""

from django.apps import AppConfig


class PlainConfig(AppConfig):
    """Newsletters for the vouched and for the members of the NDA group."""

    name = "benchmarks.plain"

    def ready(self) -> None:
        """Connect the handlers."""
        from benchmarks.plain import handlers  # noqa: F401
