"""docs/settings.md lists every setting that the app reads, with its default."""

import re
from pathlib import Path

import pytest

from mozillians_basket.conf import Settings, conf

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"
NAMES = sorted(name for name in vars(Settings) if name.isupper())


@pytest.mark.parametrize("name", NAMES)
def test_a_setting_has_a_row_with_type_default_and_example(name):
    full_name = f"BASKET_{name}"

    rows = re.findall(rf"^\| `{full_name}` \|(.*)\|$", DOCS.read_text(), re.MULTILINE)

    assert len(rows) == 1
    cells = [cell.strip() for cell in rows[0].split("|")]
    assert len(cells) == 4
    assert all(cells)


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("TIMEOUT", 20),
        ("CONCURRENCY", 20),
        ("SHARE_SIZE", 60),
        ("LEASE_SECONDS", 120),
        ("MAX_IN_FLIGHT", 500),
        ("DRAIN_SIZE", 200),
        ("RECHECK_SECONDS", 60),
        ("REMOVAL_GRACE_SECONDS", 3600),
        ("BREAKER_FAILURES", 5),
        ("MAX_ATTEMPTS", 10),
        ("BRAKE_RATIO", 0.1),
        ("BRAKE_FLOOR", 50),
        ("VERIFY_PER_MINUTE", 60),
        ("HISTORY_DAYS", 730),
        ("WAIT_FACTOR", 1),
        ("OPTIN", True),
        ("TRIGGER_WELCOME", False),
    ],
)
def test_the_documented_default_is_the_real_one(settings, name, default):
    setattr(settings, f"BASKET_{name}", None)
    delattr(settings, f"BASKET_{name}")

    row = re.search(rf"^\| `BASKET_{name}` \|.*$", DOCS.read_text(), re.MULTILINE)

    assert getattr(conf, name) == default
    assert row is not None
    assert f"`{default}`" in row[0]
