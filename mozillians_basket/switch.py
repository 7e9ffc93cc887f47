"""The waffle switch that every request to Basket is behind."""

import time
from contextvars import ContextVar
from typing import Any

import waffle
from django.db.models import Exists
from waffle import get_waffle_switch_model
from waffle.utils import get_setting

from mozillians_basket.conf import SWITCH

#: Seconds for which what a statement has just seen of the switch's row need not be asked again.
FRESH = 0.5

_row_seen_on: ContextVar[float] = ContextVar("basket_switch_row_seen_on", default=float("-inf"))


def switch_is_on() -> bool:
    """Whether Basket may be called, as waffle knows it: from its cache, where it has one."""
    return bool(waffle.switch_is_active(SWITCH))


def row_is_on() -> Any:
    """
    The switch's own row as a condition, for a statement that is made anyway.

    Waffle's cache can be behind it, by a race, in another process or after a
    ``QuerySet.update()``.
    """
    rows = get_waffle_switch_model().objects.filter(name=SWITCH)
    if get_setting("SWITCH_DEFAULT"):  # what waffle answers where there is no row
        return ~Exists(rows.filter(active=False))
    return Exists(rows.filter(active=True))


def note_row_is_on() -> None:
    """A statement of this thread's has just seen the row on."""
    _row_seen_on.set(time.monotonic())


def call_is_allowed() -> bool:
    """
    Whether the call that is about to be made may leave; asked right before each.

    Both waffle and the row must say so; the row is asked unless this thread
    has just seen it.
    """
    if not switch_is_on():
        return False
    if time.monotonic() - _row_seen_on.get() < FRESH:
        return True
    rows = get_waffle_switch_model().objects.filter(name=SWITCH)
    active = rows.values_list("active", flat=True).first()
    return bool(get_setting("SWITCH_DEFAULT") if active is None else active)
