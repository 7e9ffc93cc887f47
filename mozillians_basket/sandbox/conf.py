"""The sandbox Basket's own settings, each with its default."""

from django.conf import settings


class SandboxSettings:
    """Reads ``django.conf.settings`` on every access, so a change is seen at once."""

    @property
    def REQUIRE_SSL(self) -> bool:  # noqa: N802
        """Refuse calls that need SSL over plain HTTP. ``BASKET_SANDBOX_REQUIRE_SSL``."""
        return bool(getattr(settings, "BASKET_SANDBOX_REQUIRE_SSL", not settings.DEBUG))

    @property
    def RATE_LIMIT(self) -> int:  # noqa: N802
        """The number of equal calls per period before a 429. ``BASKET_SANDBOX_RATE_LIMIT``."""
        return int(getattr(settings, "BASKET_SANDBOX_RATE_LIMIT", 4))

    @property
    def RATE_PERIOD(self) -> float:  # noqa: N802
        """The length of the rate limit's period in seconds. ``BASKET_SANDBOX_RATE_PERIOD``."""
        return float(getattr(settings, "BASKET_SANDBOX_RATE_PERIOD", 300))

    @property
    def MAINTENANCE(self) -> bool:  # noqa: N802
        """Answer as in maintenance until told otherwise. ``BASKET_SANDBOX_MAINTENANCE``."""
        return bool(getattr(settings, "BASKET_SANDBOX_MAINTENANCE", False))

    @property
    def JOURNAL(self) -> int:  # noqa: N802
        """The number of received requests to keep; 0 keeps none. ``BASKET_SANDBOX_JOURNAL``."""
        return int(getattr(settings, "BASKET_SANDBOX_JOURNAL", 1000))

    @property
    def SITE_URL(self) -> str:  # noqa: N802
        """
        The base URL of the links in messages; if empty, the host that the call was sent to.

        ``BASKET_SANDBOX_SITE_URL``.
        """
        return str(getattr(settings, "BASKET_SANDBOX_SITE_URL", ""))

    @property
    def MAIL_FROM(self) -> str:  # noqa: N802
        """The sender of messages. ``BASKET_SANDBOX_MAIL_FROM``."""
        return str(getattr(settings, "BASKET_SANDBOX_MAIL_FROM", "basket@example.com"))

    @property
    def SUGGESTIONS(self) -> bool:  # noqa: N802
        """Refuse domains that look misspelled, as specified. ``BASKET_SANDBOX_SUGGESTIONS``."""
        return bool(getattr(settings, "BASKET_SANDBOX_SUGGESTIONS", True))

    @property
    def SPECIFIED_FIELDS(self) -> bool:  # noqa: N802
        """
        Add the fields that only the specification names to the answers of ``/news/``.

        ``BASKET_SANDBOX_SPECIFIED_FIELDS``.
        """
        return bool(getattr(settings, "BASKET_SANDBOX_SPECIFIED_FIELDS", True))


sandbox_settings = SandboxSettings()
