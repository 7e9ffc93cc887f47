"""The errors between the app and Basket."""


class BasketError(Exception):
    """
    Base of everything this app raises about Basket.

    No message quotes an address, a token, a key or Basket's reply: Celery
    stores messages and tracebacks, and logs keep them.
    """

    label = "unavailable"
    """The word that admins see beside Basket's code; a value of ``Problem`` where there is one."""


class BasketSwitchedOff(BasketError):
    """The switch is off: the call was not made. It stays due until the switch is on again."""


class BasketFailed(BasketError):
    """
    Basket's answer is of no use, whatever the call was about.

    ``status`` is the HTTP status, 0 when there was no answer; ``code`` is one of
    ``basket.errors``, ``None`` when there was no usable body.
    """

    def __init__(self, status: int = 0, code: int | None = None) -> None:
        super().__init__(status, code)
        self.status = status
        self.code = code


class BasketUnavailable(BasketFailed):
    """Basket is out of reach or broken: the same call may work later."""

    @property
    def label(self) -> str:  # type: ignore[override]
        """The label for admins: the rate limit has one of its own."""
        return "rate limit" if self.status == 429 else "unavailable"


class BasketMisconfigured(BasketFailed):
    """Basket refuses this site (key, TLS or URL): every call will fail."""

    label = "misconfigured"


class BasketRefused(BasketError):
    """Basket said no to this call: it will fail again for this person. ``code`` says why."""

    label = "refused"

    def __init__(self, code: int | str) -> None:
        super().__init__(code)
        self.code = code


class NewsletterNotFound(BasketError):
    """
    Basket does not know one of the newsletters of a call, and has stored nothing.

    It does not say which one: its catalogue does. All others go on.
    """


class BreakerOpen(BasketError):
    """The breaker is open: the call was not made. The contact stays due."""


class UnknownNewsletter(BasketError, ValueError):
    """A newsletter was named that this site may not change; nothing was written."""


class StepFailed(BasketError):
    """
    An unexpected error ended a step; the contact stays due.

    The text names only the class of the error and the place in the code.
    """

    label = "unexpected"
