"""System checks: a wrong setting is a numbered message with a hint, not a traceback later."""

from mozillians_basket.checks.settings import (
    check_connection,
    check_flags,
    check_numbers,
    check_sqlite,
    check_switch_cache,
)
from mozillians_basket.checks.site import check_newsletters, check_site

__all__ = [
    "CHECKS",
    "check_connection",
    "check_flags",
    "check_newsletters",
    "check_numbers",
    "check_site",
    "check_sqlite",
    "check_switch_cache",
]

CHECKS = (
    check_site,
    check_newsletters,
    check_connection,
    check_numbers,
    check_flags,
    check_switch_cache,
    check_sqlite,
)
