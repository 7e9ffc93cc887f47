"""The waffle switch that every request to Basket is behind."""

import waffle
from django.db import router
from waffle import get_waffle_switch_model
from waffle.utils import get_setting

from mozillians_basket.conf import SWITCH


def switch_is_on() -> bool:
    """Whether Basket may be called, as waffle knows it: from its cache, where it has one."""
    return bool(waffle.switch_is_active(SWITCH))


def call_is_allowed() -> bool:
    """
    Whether a request may start now: waffle and the switch's own row must both say so.

    Waffle's cache can be behind the row: by a race, in another process, or
    after a ``QuerySet.update()``. The row is read where it is written.
    """
    return switch_is_on() and row_is_on()


def row_is_on() -> bool:
    """Whether the switch's own row says on, or waffle's default where there is no row."""
    model = get_waffle_switch_model()
    rows = model._default_manager.using(router.db_for_write(model)).filter(name=SWITCH)
    active = rows.values_list("active", flat=True).first()
    return bool(get_setting("SWITCH_DEFAULT") if active is None else active)
