"""The world of the stories."""

from collections.abc import Callable

import pytest

from tests.rules.world import PHONE, World


@pytest.fixture
def world() -> World:
    """A site without members, and a Basket without people."""
    return World()


@pytest.fixture
def crowd(world: World) -> Callable[[int], list[str]]:
    """Give this number of vouched members their newsletter, seen by a lookup two hours ago."""

    def make(size: int) -> list[str]:
        emails = [f"crowd{number}@example.com" for number in range(size)]
        for number, email in enumerate(emails):
            world.join(f"crowd{number}", email, PHONE)
        world.run(60)
        world.verify()
        world.run(60)
        world.wait(hours=2)
        return emails

    return make
