"""A worker's calls as Prometheus reads them, from all processes of its pool."""

from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mozillians_basket.sandbox.testing import SandboxServer
from project.processes import Worker, free_port, wait_until
from tests.services.site import members, newsletters_of, settle, vouch

pytestmark = [
    pytest.mark.services,
    pytest.mark.django_db(transaction=True),
    pytest.mark.parametrize("broker", ["redis"], indirect=True),
]


@pytest.mark.usefixtures("patient")
def test_calls_of_a_pool_s_processes_are_counted_together(
    site: dict[str, str], basket: SandboxServer, tmp_path: Path
) -> None:
    port = free_port()
    monitored = {
        **site,
        "DJANGO_SETTINGS_MODULE": "tests.services.monitored",
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path),
        "METRICS_PORT": str(port),
    }

    def text() -> str:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    with Worker(monitored):
        for profile in members(4):
            vouch(profile)
        settle()
        wait_until(lambda: 'call="subscribe"' in text(), timeout=60, what="the metrics")
        page = text()

    numbers = {
        (sample.labels["call"], sample.labels["status"]): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == "basket_call_seconds_count"
    }
    assert newsletters_of(basket, profile) == {"mozilla-phone"}
    assert numbers["subscribe", "200"] == 4
    assert sum(number for (call, _status), number in numbers.items() if call == "lookup") >= 4
    assert "@" not in page
