"""The rate limit: the number of equal calls that are answered before a refusal."""

import hashlib
import time

from mozillians_basket.sandbox.conf import sandbox_settings
from mozillians_basket.sandbox.models import RateCount
from mozillians_basket.sandbox.writing import writing


def is_exceeded(*call: str) -> bool:
    """Count one more call with these parts; tell whether it exceeds the limit."""
    key = hashlib.sha256("\0".join(call).encode()).hexdigest()
    now = time.time()
    with writing():
        rate = RateCount.objects.select_for_update().filter(key=key).first()
        if rate is None:
            rate, is_new = RateCount.objects.get_or_create(
                key=key, defaults={"started": now, "count": 1}
            )
            if is_new:
                return sandbox_settings.RATE_LIMIT < 1
        if now - rate.started >= sandbox_settings.RATE_PERIOD:
            rate.started, rate.count = now, 0
        rate.count += 1
        rate.save()
    return rate.count > sandbox_settings.RATE_LIMIT
