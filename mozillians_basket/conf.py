"""The app's settings, read from Django's at every access."""

import os
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

#: The waffle switch that everything is behind.
SWITCH = "BASKET_SWITCH_ENABLED"


class Settings:
    """
    Read from ``django.conf.settings`` on every access, never at import.

    So a test's ``settings`` fixture, or a late ``settings.configure()``, is seen.
    """

    @property
    def SITE(self) -> str:
        """Dotted path of the site's :class:`~mozillians_basket.site.BasketSite`."""
        return str(getattr(settings, "BASKET_SITE", ""))

    @property
    def MEMBER_MODEL(self) -> str:
        """
        The site's member model as ``"app_label.Model"``.

        :raises ImproperlyConfigured: when it is missing, as the ledger's tables
            point at it and no model can load without it.
        """
        label = getattr(settings, "BASKET_MEMBER_MODEL", "")
        if not label:
            raise ImproperlyConfigured(
                "BASKET_MEMBER_MODEL is missing: name the model whose rows are the members, "
                'for example BASKET_MEMBER_MODEL = "people.UserProfile".'
            )
        return str(label)

    @property
    def URL(self) -> str:
        """Basket's base URL without a path and without a slash at the end."""
        return str(self._known_to_client("BASKET_URL", "")).rstrip("/")

    @property
    def API_KEY(self) -> str:
        """This site's key for Basket; it needs the right to look people up."""
        return str(self._known_to_client("BASKET_API_KEY", ""))

    @property
    def TIMEOUT(self) -> float:
        """
        Seconds to wait for Basket to accept a connection, and between bytes of an answer.

        A Basket whose back end is away answers after about 15 s, so the default is 20.
        """
        return float(self._known_to_client("BASKET_TIMEOUT", 20))

    @property
    def NEWSLETTERS(self) -> frozenset[str]:
        """Newsletters that this site may change besides those that its policies name."""
        names: Iterable[str] = getattr(settings, "BASKET_NEWSLETTERS", ())
        return frozenset(names)

    @property
    def OPTIN(self) -> bool:
        """Whether subscribers skip Basket's confirmation message (``optin=Y``)."""
        return bool(getattr(settings, "BASKET_OPTIN", True))

    @property
    def TRIGGER_WELCOME(self) -> bool:
        """Whether Basket sends its welcome message to those whom this site subscribes."""
        return bool(getattr(settings, "BASKET_TRIGGER_WELCOME", False))

    @property
    def SOURCE_URL(self) -> str:
        """The page that Basket records as the source of a subscription; none when empty."""
        return str(getattr(settings, "BASKET_SOURCE_URL", ""))

    @property
    def POOL_SIZE(self) -> int:
        """How many connections to Basket one process keeps open: at least one per thread."""
        return int(getattr(settings, "BASKET_POOL_SIZE", 32))

    @property
    def LEASE_SECONDS(self) -> float:
        """How long one step of a sync may take before another worker takes the contact over."""
        return float(getattr(settings, "BASKET_LEASE_SECONDS", max(60.0, 3 * self.TIMEOUT)))

    @property
    def MAX_IN_FLIGHT(self) -> int:
        """How many contacts the sweeper lets be under way at once."""
        return int(getattr(settings, "BASKET_MAX_IN_FLIGHT", 500))

    @property
    def MAX_PER_SECOND(self) -> float | None:
        """How many contacts a second the sweeper starts, on average; ``None`` for no limit."""
        value = getattr(settings, "BASKET_MAX_PER_SECOND", None)
        return None if value is None else float(value)

    @property
    def DRAIN_SIZE(self) -> int:
        """How many touches, or items of a batch, are worked through in one transaction."""
        return int(getattr(settings, "BASKET_DRAIN_SIZE", 200))

    @property
    def HINT_SIZE(self) -> int:
        """How many touches one message names; a larger transaction only says "sweep"."""
        return int(getattr(settings, "BASKET_HINT_SIZE", 100))

    @property
    def REMOVAL_GRACE_SECONDS(self) -> float:
        """
        How long after an unsubscribe a missing newsletter counts as taken away by this site.

        Basket queues unsubscribes and may carry one out late, after a newer
        subscribe; that is no choice of the person's.
        """
        return float(getattr(settings, "BASKET_REMOVAL_GRACE_SECONDS", 24 * 3600))

    @property
    def RECHECK_SECONDS(self) -> float:
        """
        How long to wait before looking again whether a queued unsubscribe was carried out.

        For deleted members, whose address is erased only then, and for
        removals that a newer decision overtook.
        """
        return float(getattr(settings, "BASKET_RECHECK_SECONDS", 60))

    @property
    def BREAKER_FAILURES(self) -> int:
        """How many failures in a row, of whomever, stop all calls but single probes."""
        return int(getattr(settings, "BASKET_BREAKER_FAILURES", 5))

    @property
    def WAIT_FACTOR(self) -> float:
        """By what all waits after failures are multiplied: less than 1 to watch them in a test."""
        return float(getattr(settings, "BASKET_WAIT_FACTOR", 1))

    @property
    def MAX_ATTEMPTS(self) -> int:
        """After how many failures of its own a contact is parked for an admin to look at."""
        return int(getattr(settings, "BASKET_MAX_ATTEMPTS", 10))

    @property
    def BRAKE_SHARE(self) -> float:
        """Which share of a newsletter's subscriptions may go at once without an admin's word."""
        return float(getattr(settings, "BASKET_BRAKE_SHARE", 0.1))

    @property
    def BRAKE_FLOOR(self) -> int:
        """How many may go at once, however few there are in all."""
        return int(getattr(settings, "BASKET_BRAKE_FLOOR", 50))

    @property
    def VERIFY_PER_MINUTE(self) -> int:
        """How many contacts a minute are looked up only to see whether Basket still agrees."""
        return int(getattr(settings, "BASKET_VERIFY_PER_MINUTE", 60))

    @property
    def HISTORY_DAYS(self) -> int | None:
        """How many days the history reaches back; ``None`` keeps all of it."""
        value = getattr(settings, "BASKET_HISTORY_DAYS", 730)
        return None if value is None else int(value)

    @property
    def MANAGERS(self) -> tuple[str, ...]:
        """Who is told when Basket refuses the site; ``ADMINS`` when empty."""
        return tuple(getattr(settings, "BASKET_MANAGERS", ()))

    @staticmethod
    def _known_to_client(name: str, default: Any) -> Any:
        """A setting that basket-client reads too; like it, look at the environment as well."""
        value = getattr(settings, name, None)
        return os.environ.get(name, default) if value is None else value


conf = Settings()
