"""The sites that are compared: with this app, the plain way, and without newsletters at all."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Side:
    """One site: its settings and its Celery app."""

    name: str
    title: str
    settings: str
    celery: str
    has_beat: bool = False
    calls_at_once: int = 1
    """The number of calls to Basket that one process or thread makes side by side."""


APP = Side(
    "app", "this app", "project.settings.prod", "project", has_beat=True, calls_at_once=20
)  # fmt: skip
PLAIN = Side("plain", "the plain way", "benchmarks.plain.settings", "benchmarks.plain")
BARE = Side("bare", "without newsletters", "benchmarks.bare", "benchmarks.plain")
