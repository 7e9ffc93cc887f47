"""The state machine, with enough examples to find each planted fault (``make planted-faults``)."""

import pytest
from hypothesis import HealthCheck, settings

from tests.rules.machine import Story

#: The examples do not change from run to run; ``make soak-rules`` looks for new ones.
SUITE = settings(
    max_examples=250,
    stateful_step_count=50,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

TestStory = pytest.mark.slow(Story.TestCase)
TestStory.settings = SUITE
