"""The waffle switch that every request to Basket is behind."""

import waffle

from mozillians_basket.conf import SWITCH


def switch_is_on() -> bool:
    """Whether Basket may be called now. Ask again before every call, keep no answer."""
    return bool(waffle.switch_is_active(SWITCH))
