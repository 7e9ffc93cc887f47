"""Helpers for the stories."""

from mozillians_basket.rules.rows import State
from tests.rules.world import PHONE, World

ANA, NEW, THIRD = "ana@example.com", "ana@new.example.com", "ana@third.example.com"
BEN = "ben@example.com"


def joined(world: World, *members: tuple[str, ...]) -> None:
    """Create members with their newsletters at Basket, seen there by a lookup."""
    for key, email, *newsletters in members:
        world.join(key, email, *newsletters)
    look(world)
    look(world)


def crowd_of(world: World, size: int) -> list[str]:
    """Give so many vouched members their newsletter, seen by a lookup two hours ago."""
    emails = [f"crowd{number}@example.com" for number in range(size)]
    for number, email in enumerate(emails):
        world.join(f"crowd{number}", email, PHONE)
    look(world)
    look(world)
    world.wait(hours=2)
    return emails


def look(world: World, *emails: str) -> None:
    """Look contacts up although nothing changed, and let the worker work for a minute."""
    world.verify(*emails)
    world.run(60)


def opt_outs(world: World) -> int:
    """Count the opt-outs of mailboxes in the ledger."""
    return sum(row.state == State.OPTED_OUT for row in world.rows.subscriptions.values())


def calls(world: World, *kinds: str) -> list[tuple[str, str]]:
    """List the write calls at Basket so far, or those of some kinds."""
    wanted = kinds or ("subscribe", "unsubscribe")
    return [(kind, who) for kind, who, _ in world.basket.calls if kind in wanted]


def opts_out(world: World, email: str) -> None:
    """Let a person unsubscribe at Basket, and let a control sample conclude that."""
    world.basket.own_unsubscribe(email, PHONE)
    world.verify(email)
    world.run(200)
