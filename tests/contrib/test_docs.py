"""The code of docs/operations.md runs as it is printed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings as site_settings

from mozillians_basket.contrib.metrics import CALLS, BasketCollector

ROOT = Path(site_settings.BASE_DIR)
PAGE = (ROOT / "docs" / "operations.md").read_text()

#: Run each block by itself, then use what it made as Django would.
SCRIPT = """
import django, json, logging.config, sys
django.setup()
from django.test import RequestFactory
from django.core.management import call_command
call_command("migrate", verbosity=0)
used = []
for block in json.load(sys.stdin):
    names = {"__name__": "block"}
    exec(block, names)
    for pattern in names.get("urlpatterns", []):
        answer = pattern.callback(RequestFactory().get("/"))
        used.append(str(pattern.pattern))
        if hasattr(answer, "__await__"):
            import asyncio
            answer = asyncio.run(answer)
        assert answer.status_code in {200, 500, 503}, answer.status_code
    if "MembersConfig" in names:
        names["MembersConfig"].ready(None)
        used.append("MembersConfig")
    if "LOGGING" in names:
        logging.config.dictConfig(names["LOGGING"])
        used.append("LOGGING")
    if "BASKET_SUPPRESSION_KEY" in names:
        from django.test import override_settings
        from mozillians_basket.conf import conf
        with override_settings(**{k: v for k, v in names.items() if k.isupper()}):
            assert conf.SUPPRESSION_KEY_FALLBACKS == ("of 2025", "of now")
        used.append("keys")
import sentry_sdk
assert sentry_sdk.get_client().options["before_send"] is not None
print(*used)
"""


@pytest.mark.programs
def test_each_block_of_python_works(tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "project.settings.dev",
            "DATABASE_URL": "",
            "PROJECT_VAR": str(tmp_path),
            "SECRET_KEY": "of now",
            "SECRET_KEY_OF_2025": "of 2025",
            "BASKET_SUPPRESSION_KEY": "its own",
        },
        input=json.dumps(blocks),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    said = ended.stdout.split()
    assert said == [
        "health/basket/", "health/", "metrics/basket/", "MembersConfig", "LOGGING", "keys"
    ]  # fmt: skip


def test_metrics_in_the_docs_are_those_of_the_collector(db):
    rows = re.findall(r"^\| (`basket_.+?) \|", PAGE, re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`(basket_\w+)`", row)}

    families = [*BasketCollector().collect(), *CALLS.collect()]

    assert documented == {family.name for family in families}


def test_json_in_the_docs_is_json():
    for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL):
        assert json.loads(block)
