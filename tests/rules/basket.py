"""A Basket in memory, with the habits of the real one and its faults."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto

from mozillians_basket.rules.answers import BLOCKED_DOMAIN, Answer, Kind, Person
from mozillians_basket.rules.evaluate import contact_key

NO_ANSWER = Answer(Kind.UNCLEAR, code="timeout", wait=timedelta(seconds=10))
RATE_LIMITED = Answer(Kind.NOT_DONE, code="429", wait=timedelta(minutes=5))


class Fault(Enum):
    """The effect on the next write call."""

    NONE = auto()
    LOST_BEFORE = auto()
    """No answer, and the call was not carried out."""
    LOST_AFTER = auto()
    """No answer, although the call was carried out."""
    LATE = auto()
    """No answer, and the call is carried out later, perhaps after its repetition."""


@dataclass
class Record:
    """A person at Basket."""

    email: str
    token: str
    newsletters: set[str] = field(default_factory=set)
    optout: bool = False


class FakeBasket:
    """People by address, a queue of unsubscribes, and faults to set."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.people: list[Record] = []
        self.lost: list[Record] = []
        self.queue: list[tuple[datetime, Callable[[], object]]] = []
        self.unsubscribe_delays = [timedelta(seconds=1)]
        """The delay of each copy of the next unsubscribe; two delays carry it out twice."""
        self.fault = Fault.NONE
        self.late_by = timedelta(minutes=1)
        """The delay of a write call that meets the fault ``LATE``."""
        self.fault_lasts = False
        """Whether the fault strikes all write calls from now on, and not the next one alone."""
        self.read_only = False
        self.out_of_reach = False
        self.refused: set[str] = set()
        self.blocked: set[str] = set()
        self.refused_subscribes: set[str] = set()
        self.refused_unsubscribes: set[str] = set()
        self.turned_away = False
        """Whether write calls are answered with 429 and not carried out."""
        self.calls: list[tuple[str, str, frozenset[str]]] = []
        self.subscribes: list[tuple[datetime, str, frozenset[str]]] = []
        self.rate_limited = 0
        self.on_unsubscribe: Callable[[str, frozenset[str]], None] = lambda email, names: None
        self.during: dict[str, Callable[[], None]] = {}
        """A change on the site while the next call of a kind is under way."""
        self.tokens = (f"token-{number}" for number in itertools.count(1))

    def work(self) -> None:
        """Carry out the due calls in the queue; none during read-only maintenance."""
        if self.read_only:
            return
        due = [job for job in self.queue if job[0] <= self.clock()]
        self.queue = [job for job in self.queue if job[0] > self.clock()]
        for _, job in sorted(due, key=lambda job: job[0]):
            job()

    def find(self, email: str) -> Record | None:
        key = contact_key(email)
        return next((p for p in self.people if contact_key(p.email) == key), None)

    def find_token(self, token: str) -> Record | None:
        return next((person for person in self.people if person.token == token), None)

    def has(self, email: str) -> set[str]:
        """Return the newsletters of an address."""
        person = self.find(email)
        return set() if person is None or person.optout else set(person.newsletters)

    # Calls of the app.

    def look_up(self, email: str) -> Person | Answer | None:
        self.work()
        self.calls.append(("lookup", email, frozenset()))
        self.during.pop("lookup", lambda: None)()
        if self.out_of_reach:
            return NO_ANSWER
        if contact_key(email) in self.refused:
            return Answer(Kind.REFUSED, code="2")
        return self._shown(self.find(email))

    def look_up_token(self, token: str) -> Person | None:
        return self._shown(self.find_token(token))

    def subscribe(self, email: str, newsletters: frozenset[str]) -> Answer:
        self.work()
        self.calls.append(("subscribe", email, newsletters))
        self.during.pop("subscribe", lambda: None)()
        if self.out_of_reach:
            return NO_ANSWER
        window = self.clock() - timedelta(minutes=5)
        equal = [c for c in self.subscribes if c[0] > window and c[1:] == (email, newsletters)]
        self.subscribes.append((self.clock(), email, newsletters))
        if len(equal) >= 4:
            self.rate_limited += 1
            return RATE_LIMITED
        if contact_key(email) in self.refused:
            return Answer(Kind.REFUSED, code="2")
        if self.turned_away:
            return RATE_LIMITED
        if contact_key(email) in self.refused_subscribes:
            return Answer(Kind.REFUSED, code="11")
        if contact_key(email).partition("@")[2] in self.blocked:
            return Answer(Kind.REFUSED, code=BLOCKED_DOMAIN)
        fault = self._meet_fault()
        if fault is Fault.LOST_BEFORE:
            return NO_ANSWER
        if fault is Fault.LATE:
            at = self.clock() + self.late_by
            self.queue.append((at, lambda: self._subscribe(email, newsletters)))
            return NO_ANSWER
        if self.read_only:
            self.queue.append((self.clock(), lambda: self._subscribe(email, newsletters)))
            answer = Answer(Kind.DONE, token=next(self.tokens))
        else:
            answer = Answer(Kind.DONE, token=self._subscribe(email, newsletters))
        return NO_ANSWER if fault is Fault.LOST_AFTER else answer

    def unsubscribe(self, token: str, newsletters: frozenset[str]) -> Answer:
        self.work()
        self.calls.append(("unsubscribe", token, newsletters))
        if (person := self.find_token(token)) is not None:
            self.on_unsubscribe(person.email, newsletters)
            if contact_key(person.email) in self.refused_unsubscribes:
                return Answer(Kind.REFUSED, code="11")
        self.during.pop("unsubscribe", lambda: None)()
        if self.out_of_reach:
            return NO_ANSWER
        if self.turned_away:
            return RATE_LIMITED
        fault = self._meet_fault()
        if fault is Fault.LOST_BEFORE:
            return NO_ANSWER
        delays = [self.late_by] if fault is Fault.LATE else self.unsubscribe_delays
        for delay in delays:
            self.queue.append((self.clock() + delay, lambda: self._unsubscribe(token, newsletters)))
        self.unsubscribe_delays = [timedelta(seconds=1)]
        return Answer(Kind.DONE) if fault is Fault.NONE else NO_ANSWER

    def _meet_fault(self) -> Fault:
        fault = self.fault
        self.fault = fault if self.fault_lasts else Fault.NONE
        return fault

    def _shown(self, person: Record | None) -> Person | None:
        if person is None:
            return None
        names = frozenset() if person.optout else frozenset(person.newsletters)
        return Person(person.email, person.token, names, optout=person.optout)

    def _subscribe(self, email: str, newsletters: frozenset[str]) -> str:
        person = self.find(email)
        if person is None:
            person = Record(email, next(self.tokens))
            self.people.append(person)
        if person.optout:
            person.newsletters.clear()
        person.optout = False
        person.newsletters |= newsletters
        return person.token

    def _unsubscribe(self, token: str, newsletters: frozenset[str]) -> None:
        person = self.find_token(token)
        if person is not None:
            person.newsletters -= newsletters

    # Actions of people and operators there.

    def own_subscribe(self, email: str, *newsletters: str) -> None:
        self._subscribe(email, frozenset(newsletters))

    def own_unsubscribe(self, email: str, *newsletters: str) -> None:
        person = self.find(email)
        assert person is not None
        person.newsletters -= set(newsletters)

    def opt_out_of_all(self, email: str) -> None:
        person = self.find(email)
        assert person is not None
        person.newsletters.clear()
        person.optout = True

    def rename(self, old: str, new: str) -> None:
        person = self.find(old)
        assert person is not None
        self.people = [p for p in self.people if p is person or p is not self.find(new)]
        person.email = new

    def lose_people(self, *emails: str) -> None:
        lost = [self.find(email) for email in emails] if emails else list(self.people)
        self.lost += [person for person in self.people if person in lost]
        self.people = [person for person in self.people if person not in lost]

    def restore_people(self) -> None:
        """Bring lost people back as they were, except those that Basket has created again."""
        self.people += [person for person in self.lost if self.find(person.email) is None]
        self.lost.clear()

    def lose_newsletter(self, newsletter: str, *emails: str) -> None:
        for person in [p for e in emails if (p := self.find(e))] if emails else self.people:
            person.newsletters.discard(newsletter)
