"""The demo as a program: its verdict, and no leftovers."""

import os
import signal
from pathlib import Path

import pytest

from tests.demo.programs import program
from tests.running import needs_proc

pytestmark = [needs_proc, pytest.mark.services]


def test_the_demo_passes_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with program("project.demo", tmp_path) as demo:
        status = demo.end()
        left = demo.running

    assert status == 0, demo.said
    assert "12 A vouch is rolled back" in demo.said
    assert "65 people at Basket, 65 expected, 0 different" in demo.said
    assert "\033" not in demo.said
    assert left == []
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_policy_makes_the_demo_fail(tmp_path: Path) -> None:
    settings = "tests.demo.settings_with_a_wrong_policy"

    with program("project.demo", tmp_path, DJANGO_SETTINGS_MODULE=settings) as demo:
        status = demo.end()
        left = demo.running

    assert status == 1, demo.said
    assert (
        "member-05@example.com: Basket holds mozilla-phone, mozillians-nda, "
        "it should be mozilla-phone\n"
    ) in demo.said
    assert left == []


@pytest.mark.parametrize(
    ("number", "moment", "at_least"),
    [
        pytest.param(signal.SIGTERM, "Starting", 1, id="terminated at the start"),
        pytest.param(signal.SIGINT, " 2 Members are vouched", 6, id="Ctrl-C in an act"),
    ],
)
def test_an_interrupted_demo_leaves_nothing_behind(
    tmp_path: Path, number: int, moment: str, at_least: int
) -> None:
    with program("project.demo", tmp_path) as demo:
        demo.read_until(moment)
        ran = demo.running
        demo.interrupt(number)
        status = demo.end()
        left = demo.running

    assert len(ran) >= at_least
    assert status == 128 + number, demo.said
    assert left == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "module", "moment"),
    [
        pytest.param("worker", "celery", " 2 Members are vouched", id="worker"),
        pytest.param("sandbox", "mozillians_basket.sandbox", " 1 Members are", id="sandbox"),
    ],
)
def test_a_process_that_dies_fails_the_demo_by_name(
    tmp_path: Path, name: str, module: str, moment: str
) -> None:
    with program("project.demo", tmp_path) as demo:
        demo.read_until(moment)
        (pid,) = (
            found.pid
            for found in demo.running
            if f"-m {module} " in found.command and found.parent == demo.process.pid
        )
        os.kill(pid, signal.SIGKILL)
        status = demo.end()
        left = demo.running

    assert status == 1
    assert f"The process '{name}' ended with status -9. It said last:" in demo.said
    assert left == []
