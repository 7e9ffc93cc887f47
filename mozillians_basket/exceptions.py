"""What can go wrong between the app and Basket, and what to do next."""


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
    Basket refuses this site (key, TLS, URL or a newsletter's name): every call will fail.

    ``status`` and ``code`` as in :class:`BasketUnavailable`.
    """

    def __init__(self, status: int = 0, code: int | None = None) -> None:
        super().__init__(status, code)
        self.status = status
        self.code = code


class BasketRefused(BasketError):
    """Basket said no to this person: the same call will fail again. ``code`` says why."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class LeaseLost(BasketError):
    """Another worker has taken the contact over: write nothing, say nothing to Basket."""


class BreakerOpen(BasketError):
    """
    Basket fails everybody: the contact stays due for a better time.

    ``because`` is the failure of its own call, ``None`` when the call was not made.
    """

    def __init__(self, because: BasketError | None = None) -> None:
        super().__init__()
        self.because = because


class UnknownNewsletter(BasketError, ValueError):
    """A newsletter was named that this site may not change; nothing was written."""


class StepFailed(BasketError):
    """
    Something unexpected broke a step; the contact stays due.

    The text names only the class of the error and the place in the code.
    """


def label_of(error: BasketError) -> str:
    """What an admin is shown of an error, beside Basket's code."""
    if isinstance(error, BasketUnavailable) and error.status == 429:
        return "rate limit"
    if isinstance(error, BasketMisconfigured):
        return "misconfigured"
    if isinstance(error, BasketRefused):
        return "refused by Basket"
    return "unexpected" if isinstance(error, StepFailed) else "unavailable"
