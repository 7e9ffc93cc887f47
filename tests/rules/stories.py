"""Helpers for the stories, and rows for tests without a story."""

from datetime import datetime, timedelta
from typing import Any

from mozillians_basket.rules.rows import Rows, State
from tests.rules.world import (
    PHONE,
    SETTINGS,
    START,
    Contact,
    Decision,
    Member,
    Move,
    Subscription,
    World,
)

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


# Rows without a story. The contacts' keys are 1 and more.


def at(minutes: float) -> datetime:
    """Return a time in minutes from now, which is ``START``."""
    return START + timedelta(minutes=minutes)


def rows_of(*found: Any, **others: Any) -> Rows:
    """Return rows as a transaction read them at ``START``."""
    rows = Rows(SETTINGS, START, Decision, Subscription, Move, **others)
    for row in found:
        match row:
            case Member():
                rows.members[row.id] = row
            case Contact():
                rows.contacts[row.id] = row
            case Decision():
                rows.decisions[row.member_id, row.newsletter] = row
            case Subscription():
                rows.subscriptions[row.contact_id, row.newsletter] = row
            case Move():
                rows.moves.append(row)
    return rows.copy()


def contact(pk: int = 1, **columns: Any) -> Contact:
    """Return a contact that was looked up just now."""
    return Contact(pk, **{"looked_up_at": START, **columns})


def shown(pk: int = 1, newsletter: str = PHONE, **columns: Any) -> Subscription:
    """Return a subscription that the lookup has just shown."""
    found = {
        "state": State.SUBSCRIBED, "confirmed_at": at(-600), "seen_at": START, "decided": True,
        **columns,
    }  # fmt: skip
    return Subscription(pk, newsletter, **found)
