"""All apps of the repository at once, so that the type checker knows their models."""

from project.settings.test import *  # noqa: F403
from project.settings.test import INSTALLED_APPS as SITE_APPS

INSTALLED_APPS = [*SITE_APPS, "mozillians_basket.sandbox"]
