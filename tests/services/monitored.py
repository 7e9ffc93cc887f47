"""The settings of production, on a site whose workers answer Prometheus."""

from project.settings import prod
from project.settings.prod import *  # noqa: F403

INSTALLED_APPS = [*prod.INSTALLED_APPS, "tests.services.monitoring.Monitoring"]
