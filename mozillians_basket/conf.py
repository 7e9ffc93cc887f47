"""The app's settings, read from Django's at every access."""

import os
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

#: The waffle switch that everything is behind.
SWITCH = "BASKET_SWITCH_ENABLED"

Value = TypeVar("Value")


class Setting(Generic[Value]):
    """
    One setting: its type, and its default.

    :param default: the value, or a function that returns it.
    :param unit: the unit of a number, which must be above zero.
    :param environment: look at the environment too, as basket-client does.
    """

    def __init__(
        self,
        cast: Callable[[Any], Value],
        default: Any,
        unit: str = "",
        *,
        environment: bool = False,
    ) -> None:
        self.cast, self.default, self.unit, self.environment = cast, default, unit, environment

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = f"BASKET_{name}"

    def __get__(self, instance: object, owner: type) -> Value:
        value = self.given(self.default() if callable(self.default) else self.default)
        return None if value is None else self.cast(value)  # type: ignore[return-value]

    def given(self, default: Any = None) -> Any:
        """Return the value as it is set."""
        if self.environment and getattr(settings, self.name, None) is None:
            return os.environ.get(self.name, default)
        return getattr(settings, self.name, default)


class Settings:
    """The settings. A test's ``settings`` fixture, or a late ``configure()``, is seen."""

    SITE = Setting(str, "")
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

    URL = Setting(lambda url: str(url).rstrip("/"), "", environment=True)
    """Basket's base URL without a path and without a slash at the end."""

    API_KEY = Setting(str, "", environment=True)
    """This site's key for Basket; it needs the right to look people up."""

    TIMEOUT = Setting(float, 20, "seconds", environment=True)
    """
    Seconds to wait for Basket to accept a connection, and between bytes of an answer.

    A Basket whose back end is away answers after about 15 s, so the default is 20.
    """

    @property
    def NEWSLETTERS(self) -> frozenset[str]:
        """Newsletters that this site may change besides those that its policies name."""
        names: Iterable[str] = getattr(settings, "BASKET_NEWSLETTERS", ())
        return frozenset(names) | self.OPEN_NEWSLETTERS

    OPEN_NEWSLETTERS = Setting(frozenset[str], ())
    """Newsletters of this site that any member may choose, whatever the policies say."""

    NEWSLETTER_TITLES = Setting(dict[str, Any], {})
    """The titles of newsletters, as members read them; the slug where there is none."""

    OPTIN = Setting(bool, default=True)
    """Whether subscribers skip Basket's confirmation message (``optin=Y``)."""

    TRIGGER_WELCOME = Setting(bool, default=False)
    """Whether Basket sends its welcome message to people that this site subscribes."""

    SOURCE_URL = Setting(str, "")
    """The page that Basket records as the source of a subscription; none when empty."""

    QUEUE = Setting(str, "")
    """The Celery queue of this app's tasks; when empty, Celery's own routes decide."""

    CONCURRENCY = Setting(int, 20, "calls")
    """The number of calls that a process makes side by side; read at its first calls."""

    SHARE_SIZE = Setting(int, 60, "contacts")
    """The most contacts that a worker syncs together; a multiple of the concurrency."""

    LEASE_SECONDS = Setting(float, lambda: max(60.0, conf.longest_step), "seconds")
    """How long one step of a share may take before another worker takes its contacts over."""

    @property
    def longest_step(self) -> float:
        """The seconds that a share's lookups take, two a contact, if all run into the timeout."""
        return 2 * -(-self.SHARE_SIZE // self.CONCURRENCY) * self.TIMEOUT

    MAX_IN_FLIGHT = Setting(int, 500, "contacts")
    """The number of contacts that may be under way when the sweeper starts shares."""

    MAX_PER_SECOND: Setting[float | None] = Setting(float, None, "contacts a second")
    """The contacts a second that workers claim, on average; ``None`` for no limit."""

    DRAIN_SIZE = Setting(int, 200, "rows")
    """The number of touches, or members of a bulk request, in one transaction."""

    REMOVAL_GRACE_SECONDS = Setting(float, 3600, "seconds")
    """
    How long after an unsubscribe a missing newsletter counts as removed by this site.

    Basket queues unsubscribes and may carry one out late, after a newer
    subscribe. The person has not chosen that.
    """

    RECHECK_SECONDS = Setting(float, 60, "seconds")
    """The wait before a contact whose call Basket may have queued is looked up; it grows."""

    BREAKER_FAILURES = Setting(int, 5, "failures")
    """The failures in a row, of any contacts, that stop all calls but single probes."""

    WAIT_FACTOR = Setting(float, 1, "times the usual wait")
    """The factor of all waits after failures; less than 1 is for tests."""

    MAX_ATTEMPTS = Setting(int, 10, "attempts")
    """After how many failures of its own a contact is parked for an admin to look at."""

    BRAKE_FLOOR = Setting(int, 50, "subscriptions")
    """The removals an hour that need no approval, however few subscriptions there are."""

    BRAKE_RATIO = Setting(float, 0.1, "parts of one: 0.1 is ten in a hundred")
    """The part of a newsletter that policies may remove within an hour without approval."""

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

    VERIFY_PER_MINUTE = Setting(int, 60, "contacts a minute")
    """The number of contacts that each verification looks up; beat starts one a minute."""

    HISTORY_DAYS: Setting[int | None] = Setting(int, 730, "days")
    """The number of days that the history reaches back; ``None`` keeps all of it."""

    MANAGERS = Setting(tuple[str, ...], ())
    """The addresses that get the mails to admins (docs/settings.md lists them); else ``ADMINS``."""


conf: Settings = Settings()
