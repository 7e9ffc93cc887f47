"""The site's development settings, but for a policy that forgets who is only pending."""

from project.settings.dev import *  # noqa: F403

BASKET_SITE = "tests.demo.wrong_policy.PendingToo"
