"""The world of the stories."""

from collections.abc import Callable
from functools import partial

import pytest

from tests.rules.stories import crowd_of
from tests.rules.world import World


@pytest.fixture
def world() -> World:
    """A site without members, and a Basket without people."""
    return World()


@pytest.fixture
def crowd(world: World) -> Callable[[int], list[str]]:
    """Give this number of vouched members their newsletter, seen by a lookup two hours ago."""

    return partial(crowd_of, world)
