"""The errors between the app and Basket."""


class BasketError(Exception):
    """
    Base of everything this app raises about Basket.

    No message quotes an address, a token, a key or Basket's reply: Celery
    stores messages and tracebacks, and logs keep them.
    """


class BasketSwitchedOff(BasketError):
    """The switch is off: the call was not made. It stays due until the switch is on again."""


class BasketUnavailable(BasketError):
    """
    Basket is out of reach or broken: the same call may work later.

    ``status`` is the HTTP status, 0 when there was no answer; ``code`` is one of
    ``basket.errors``, ``None`` when there was no usable body.
    """

    def __init__(self, status: int = 0, code: int | None = None) -> None:
        super().__init__(status, code)
        self.status = status
        self.code = code


class BasketMisconfigured(BasketError):
    """
    Basket refuses this site (key, TLS or URL): every call will fail.

    ``status`` and ``code`` as in :class:`BasketUnavailable`.
    """

    def __init__(self, status: int = 0, code: int | None = None) -> None:
        super().__init__(status, code)
        self.status = status
        self.code = code


class BasketRefused(BasketError):
    """Basket said no to this person: the same call will fail again. ``code`` says why."""

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


def label_of(error: BasketError) -> str:
    """Return the label of an error for admins, who see it beside Basket's code."""
    if isinstance(error, BasketUnavailable) and error.status == 429:
        return "rate limit"
    if isinstance(error, BasketMisconfigured):
        return "misconfigured"
    if isinstance(error, BasketRefused):
        return "refused by Basket"
    return "unexpected" if isinstance(error, StepFailed) else "unavailable"
