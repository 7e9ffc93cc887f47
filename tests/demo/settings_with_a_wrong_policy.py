"""The site's development settings with a wrong policy, which includes pending members."""

from project.settings.dev import *  # noqa: F403

BASKET_SITE = "tests.demo.wrong_policy.PendingToo"
