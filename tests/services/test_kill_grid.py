"""
Workers are killed at every call of every kind of change, and a second change follows at once.

All cases of one call are in one share: when the kill comes, all of their calls
are under way, each at its moment.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any

import pytest
from django.db import transaction

from mozillians_basket.models import Contact, Suppression
from mozillians_basket.sandbox.testing import SandboxServer
from mozillians_basket.upkeep import reconcile, verification
from project.processes import Worker, wait_until
from tests.services.conftest import StartBeat, StartWorker
from tests.services.holding import HoldingProxy, Moment
from tests.services.people import PHONE, Somebody, wanted
from tests.services.site import let_a_day_pass, opt_outs, settle, stuck

pytestmark = [
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.parametrize("broker", ["redis"], indirect=True),
]

FOREIGN = "app-dev"

Act = Callable[["Case"], None]


@dataclass
class Case:
    """One cell of the grid, with people and mailboxes of its own."""

    name: str
    moment: Moment
    change: Act
    second: Act
    people: list[Somebody] = field(default_factory=list)
    mailboxes: set[str] = field(default_factory=set)

    @property
    def who(self) -> Somebody:
        """The person whose change is interrupted."""
        return self.people[0]

    def mailbox(self, letter: str) -> str:
        """Return one of the case's addresses."""
        email = f"{self.name.replace(' ', '-')}.{letter}@example.com"
        self.mailboxes.add(email)
        return email

    def add(self, letter: str, *, vouched: bool = False, joined: bool = False) -> Somebody:
        """Add a person who has no account yet."""
        person = Somebody(self.mailbox(letter), vouched, joined)
        self.people.append(person)
        return person


def moves(letter: str) -> Act:
    return lambda case: case.who.move(case.mailbox(letter))


def comes_back(*, joined: bool = False, goes_again: bool = False) -> Act:
    def act(case: Case) -> None:
        person = case.add("a", joined=joined)
        person.arrive()
        if goes_again:
            person.delete()

    return act


def mailbox_is_taken(case: Case) -> None:
    heir = case.people[1]
    heir.move(case.mailbox("a"))


def hands_over(case: Case) -> None:
    giver, taker = case.people
    giver.move(case.mailbox("b"))
    taker.move(case.mailbox("a"))


def takes_over(case: Case) -> None:
    taker, giver = case.people
    giver.move(case.mailbox("b"))
    taker.move(case.mailbox("a"))


def act(name: str, *arguments: Any, **options: Any) -> Act:
    return lambda case: getattr(case.who, name)(*arguments, **options)


SECOND: dict[str, Act] = {
    "leave": act("leave"),
    "unvouch": act("unvouch"),
    "another move": moves("c"),
    "deletion": act("delete"),
}
VOUCHED, JOINED, BOTH = (
    {"vouched": True},
    {"joined": True},
    {"vouched": True, "joined": True},
)


@dataclass(frozen=True)
class Kind:
    """A kind of change: the people before it, the calls for it, and the changes after it."""

    calls: set[str]
    before: list[tuple[str, dict[str, bool]]]
    change: Act
    second: dict[str, Act] = field(default_factory=dict)


KINDS = {
    "vouch": Kind({"lookup", "subscribe"}, [("a", JOINED)], act("vouch")),
    "unvouch": Kind(
        {"lookup", "unsubscribe"}, [("a", BOTH)], act("unvouch"), {"unvouch": act("vouch")}
    ),
    "join": Kind({"lookup", "subscribe"}, [("a", VOUCHED)], act("join")),
    "leave": Kind({"lookup", "unsubscribe"}, [("a", BOTH)], act("leave"), {"leave": act("join")}),
    "move": Kind(
        {"lookup", "subscribe", "unsubscribe"}, [("a", BOTH)], moves("b"), {"back": moves("a")}
    ),
    "hand over": Kind(
        {"lookup", "subscribe", "unsubscribe"}, [("a", BOTH), ("z", VOUCHED)], hands_over
    ),
    "take over": Kind(
        {"lookup", "subscribe", "unsubscribe"}, [("z", VOUCHED), ("a", BOTH)], takes_over
    ),
    "deletion": Kind(
        {"lookup", "unsubscribe"},
        [("a", BOTH), ("z", VOUCHED)],
        act("delete"),
        {
            "leave": comes_back(joined=True),
            "unvouch": comes_back(),
            "another move": mailbox_is_taken,
            "deletion": comes_back(joined=True, goes_again=True),
        },
    ),
    "order": Kind(
        {"lookup", "subscribe"},
        [("a", JOINED)],
        act("order", PHONE, subscribe=True),
        {"unvouch": act("order", PHONE, subscribe=False)},
    ),
    "order away": Kind(
        {"lookup", "unsubscribe"}, [("a", BOTH)], act("order", PHONE, subscribe=False)
    ),
}


def cases(call: str) -> list[Case]:
    """Return all cells in which a worker dies at this call."""
    found = []
    for name, kind in KINDS.items():
        seconds = (SECOND | kind.second).items() if call in kind.calls else ()
        for (then, second), moment in product(seconds, Moment):
            case = Case(f"{name} {moment.name.lower()} {then}", moment, kind.change, second)
            for letter, standing in kind.before:
                case.add(letter, **standing)
            found.append(case)
    return found


@pytest.fixture
def proxy(basket: SandboxServer) -> Iterator[HoldingProxy]:
    with HoldingProxy(basket.url) as started:
        yield started


@pytest.fixture
def site(site: dict[str, str], proxy: HoldingProxy, settings: Any) -> dict[str, str]:
    settings.BASKET_BRAKE_FLOOR = 10_000
    return {
        **site,
        "BASKET_URL": proxy.url,
        "BASKET_TIMEOUT": "60",
        "BASKET_LEASE_SECONDS": "4",
        "BASKET_REMOVAL_GRACE_SECONDS": "2",
        "BASKET_SHARE_SIZE": "500",
        "BASKET_CONCURRENCY": "300",
        "BASKET_BRAKE_FLOOR": "10000",
    }


def populate(found: list[Case], basket: SandboxServer) -> None:
    """Create the accounts; all mailboxes have a newsletter that is not this site's."""
    for case in found:
        for letter in "abcz":
            basket.put_person(case.mailbox(letter), newsletters=[FOREIGN])
    with transaction.atomic():
        for person in [person for case in found for person in case.people]:
            person.arrive()
    settle()


def differences(found: list[Case], basket: SandboxServer) -> list[str]:
    """List addresses whose newsletters at Basket are missing or wrong, one line each."""
    lines = []
    held = {email: set(person.newsletters) for email, person in basket.people.items()}
    for case in found:
        expected = wanted(case.people)
        for email in sorted(case.mailboxes):
            due = expected.get(email, set()) | {FOREIGN}
            has = held.pop(email, set())
            if has != due:
                lines.append(f"{email}: has {sorted(has)}, not {sorted(due)}")
    return lines + [f"a stranger: {email}" for email in held]


@pytest.mark.parametrize("victim", ["pool", "worker"])
@pytest.mark.parametrize("call", ["lookup", "subscribe", "unsubscribe"])
def test_a_kill_at_any_call_and_a_second_change_end_as_the_site_says(
    call: str,
    victim: str,
    proxy: HoldingProxy,
    start_worker: StartWorker,
    start_beat: StartBeat,
    basket: SandboxServer,
) -> None:
    found = cases(call)
    worker: Worker = start_worker()
    populate(found, basket)
    by_mailbox = {email: case for case in found for email in case.mailboxes}

    proxy.hold(lambda name, email: by_mailbox[email].moment if name == call else None)
    with transaction.atomic():
        for case in found:
            case.change(case)
    wait_until(partial(all_struck, found, proxy), timeout=60, what="all cases at their moment")
    worker.kill_pool() if victim == "pool" else worker.kill()
    under_way = Contact.objects.exclude(lease="").count()
    proxy.release()
    for case in found:
        case.second(case)
    start_beat()
    if victim == "worker":
        start_worker()

    settle(120, but_for_calls_in_a_queue=True)
    let_a_day_pass()
    settle(60)
    verification.verify(None)
    settle(60)

    assert under_way >= len(found)
    assert not differences(found, basket)
    assert not opt_outs()
    assert not Suppression.objects.exists()
    assert not stuck()
    there = set(wanted([person for case in found for person in case.people]))
    assert set(Contact.objects.values_list("email", flat=True)) == there
    assert reconcile.find().differences == 0


def all_struck(found: list[Case], proxy: HoldingProxy) -> bool:
    """Whether each case has reached its call."""
    struck = {email for _call, email in proxy.struck}
    return all(case.mailboxes & struck for case in found)
