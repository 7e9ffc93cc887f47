"""Settings of the same site without newsletters: what its requests cost anyway."""

from benchmarks.plain.settings import *  # noqa: F403
from benchmarks.plain.settings import INSTALLED_APPS

INSTALLED_APPS = [name for name in INSTALLED_APPS if name != "benchmarks.plain"]
