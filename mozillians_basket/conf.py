"""The app's settings, read from Django's at every access."""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

#: The waffle switch that everything is behind.
SWITCH = "BASKET_SWITCH_ENABLED"


Value = TypeVar("Value")


class Setting(Generic[Value]):
    """One setting: its type, and its default."""

    def __init__(self, cast: Callable[[Any], Value], *, default: Any) -> None:
        self.cast, self.default = cast, default

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = f"BASKET_{name}"

    def __get__(self, instance: object, owner: type) -> Value:
        return self.cast(getattr(settings, self.name, self.default))


class Settings:
    """
    Read from ``django.conf.settings`` on every access, never at import.

    So a test's ``settings`` fixture, or a late ``settings.configure()``, is seen.
    """

    SITE = Setting(str, default="")
    """Dotted path of the site's :class:`~mozillians_basket.site.BasketSite`."""

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
        return frozenset(names) | self.OPEN_NEWSLETTERS

    OPEN_NEWSLETTERS = Setting(frozenset[str], default=())
    """Newsletters of this site that any member may choose, whatever the policies say."""

    @property
    def NEWSLETTER_TITLES(self) -> Mapping[str, Any]:
        """The titles of newsletters, as members read them; the slug where there is none."""
        titles: Mapping[str, Any] = getattr(settings, "BASKET_NEWSLETTER_TITLES", {})
        return titles

    OPTIN = Setting(bool, default=True)
    """Whether subscribers skip Basket's confirmation message (``optin=Y``)."""

    TRIGGER_WELCOME = Setting(bool, default=False)
    """Whether Basket sends its welcome message to people that this site subscribes."""

    SOURCE_URL = Setting(str, default="")
    """The page that Basket records as the source of a subscription; none when empty."""

    QUEUE = Setting(str, default="")
    """The Celery queue of this app's tasks; when empty, Celery's own routes decide."""

    CONCURRENCY = Setting(int, default=20)
    """The number of calls that a process makes side by side; read at its first calls."""

    @property
    def LEASE_SECONDS(self) -> float:
        """
        How long one step of a share may take before another worker takes its contacts over.

        The default is the time that the calls take if each runs into the timeout, and
        at least 60 s. A lookup may make two calls for each contact.
        """
        rounds = -(-self.SHARE_SIZE // self.CONCURRENCY)
        longest = max(60.0, 2 * rounds * self.TIMEOUT)
        return float(getattr(settings, "BASKET_LEASE_SECONDS", longest))

    MAX_IN_FLIGHT = Setting(int, default=500)
    """The number of contacts that may be under way when the sweeper starts shares."""

    @property
    def MAX_PER_SECOND(self) -> float | None:
        """The contacts a second that workers claim, on average; ``None`` for no limit."""
        value = getattr(settings, "BASKET_MAX_PER_SECOND", None)
        return None if value is None else float(value)

    DRAIN_SIZE = Setting(int, default=200)
    """The number of touches, or members of a bulk request, in one transaction."""

    REMOVAL_GRACE_SECONDS = Setting(float, default=3600)
    """
    How long after an unsubscribe a missing newsletter counts as removed by this site.

    Basket queues unsubscribes and may carry one out late, after a newer
    subscribe. The person has not chosen that.
    """

    RECHECK_SECONDS = Setting(float, default=60)
    """
    How long to wait before the next lookup of a contact whose call Basket may have queued.

    Later waits grow with the time since the call.
    """

    BREAKER_FAILURES = Setting(int, default=5)
    """The failures in a row, of any contacts, that stop all calls but single probes."""

    WAIT_FACTOR = Setting(float, default=1)
    """The factor of all waits after failures; less than 1 is for tests."""

    MAX_ATTEMPTS = Setting(int, default=10)
    """After how many failures of its own a contact is parked for an admin to look at."""

    BRAKE_FLOOR = Setting(int, default=50)
    """The removals an hour that need no approval, however few subscriptions there are."""

    BRAKE_RATIO = Setting(float, default=0.1)
    """The part of a newsletter that policies may remove within an hour without approval."""

    SHARE_SIZE = Setting(int, default=60)
    """The most contacts that a worker syncs together; a multiple of the concurrency."""

    @property
    def SUPPRESSION_KEY(self) -> str:
        """
        The key of the hashes by which erased mailboxes are recognised; ``SECRET_KEY`` by default.

        Opt-outs of erased mailboxes are forgotten when it changes, unless the key before
        it is in ``SUPPRESSION_KEY_FALLBACKS``.
        """
        return str(getattr(settings, "BASKET_SUPPRESSION_KEY", "") or settings.SECRET_KEY)

    @property
    def SUPPRESSION_KEY_FALLBACKS(self) -> tuple[str, ...]:
        """
        Earlier keys, by which older hashes are recognised too.

        Django's own keys are always among them: a site that gives this app a key of its
        own, or rotates ``SECRET_KEY`` by ``SECRET_KEY_FALLBACKS``, forgets no opt-out.
        """
        own: Iterable[str] = getattr(settings, "BASKET_SUPPRESSION_KEY_FALLBACKS", ())
        keys = [*own, settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
        return tuple(str(key) for key in keys if key and str(key) != self.SUPPRESSION_KEY)

    VERIFY_PER_MINUTE = Setting(int, default=60)
    """The number of contacts that each verification looks up; beat starts one a minute."""

    @property
    def HISTORY_DAYS(self) -> int | None:
        """The number of days that the history reaches back; ``None`` keeps all of it."""
        value = getattr(settings, "BASKET_HISTORY_DAYS", 730)
        return None if value is None else int(value)

    MANAGERS = Setting(tuple[str, ...], default=())
    """The addresses that are told when Basket refuses the site; ``ADMINS`` when empty."""

    @staticmethod
    def _known_to_client(name: str, default: Any) -> Any:
        """A setting that basket-client reads too; like it, look at the environment as well."""
        value = getattr(settings, name, None)
        return os.environ.get(name, default) if value is None else value


conf = Settings()
