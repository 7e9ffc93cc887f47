"""How often equal calls are answered before they are refused."""

import hashlib
import time

from django.db import transaction

from mozillians_basket.sandbox.conf import sandbox_settings
from mozillians_basket.sandbox.models import RateCount


def is_exceeded(*call: str) -> bool:
    """Count one more call that has these parts; tell whether it is one too many."""
    key = hashlib.sha256("\0".join(call).encode()).hexdigest()
    now = time.time()
    with transaction.atomic():
        rate, _ = RateCount.objects.select_for_update().get_or_create(
            key=key, defaults={"started": now}
        )
        if now - rate.started >= sandbox_settings.RATE_PERIOD:
            rate.started, rate.count = now, 0
        rate.count += 1
        rate.save()
    return rate.count > sandbox_settings.RATE_LIMIT
