"""The state machine of the rules, told on the tables."""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as profile
from hypothesis.stateful import run_state_machine_as_test

from tests.ledger.tables import TablesWorld, install
from tests.rules.machine import Story

EXAMPLES, STEPS = 4, 50


class StoryOnTables(Story):
    """The same story; the results of the rules are written to tables and read back."""

    world_class = TablesWorld


@pytest.mark.slow
@pytest.mark.django_db
def test_stories_end_well_on_tables_too(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    install(monkeypatch, settings)

    run_state_machine_as_test(
        StoryOnTables,
        settings=profile(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize=True,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
