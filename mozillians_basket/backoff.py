"""When to try again: how long a contact waits after a failure."""

import random
from datetime import timedelta

from mozillians_basket.conf import conf
from mozillians_basket.exceptions import BasketError, BasketMisconfigured, BasketUnavailable

#: Seconds to wait after the first, second, ... failure in a row; the last one stays.
SCHEDULE = (5, 15, 60, 300, 900, 3600, 3 * 3600, 6 * 3600)

#: Seconds to wait at the least after "rate limit reached": Basket's window (measured).
RATE_LIMIT_FLOOR = 300

#: Seconds to wait at the least when Basket refuses the whole site.
MISCONFIGURED_FLOOR = 300


def waiting_time(attempts: int, error: BasketError) -> timedelta:
    """
    How long to wait after the failure number ``attempts``, counted from 1.

    A fifth at random is added, so that what failed together does not come back together.
    """
    seconds: float = SCHEDULE[min(max(attempts, 1), len(SCHEDULE)) - 1]
    if isinstance(error, BasketUnavailable) and error.status == 429:
        seconds = max(seconds, RATE_LIMIT_FLOOR)
    if isinstance(error, BasketMisconfigured):
        seconds = max(seconds, MISCONFIGURED_FLOOR)
    seconds *= conf.WAIT_FACTOR
    return timedelta(seconds=seconds * (1 + random.random() / 5))  # noqa: S311 - no secret
