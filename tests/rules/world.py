"""A site, a ledger in memory and a Basket, driven by the rules as a worker drives them."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from mozillians_basket.rules import answers, evaluate, plan
from mozillians_basket.rules.answers import Answer, Kind, Lookup
from mozillians_basket.rules.brake import Brake
from mozillians_basket.rules.evaluate import Standing, contact_key, suppression_hash
from mozillians_basket.rules.rows import Rows, Settings, State, held, make_due
from tests.rules import losses
from tests.rules.basket import FakeBasket

PHONE, NDA, EXTRA = "mozilla-phone", "mozillians-nda", "extra"
FOREIGN = "firefox-news"
POLICIES = (PHONE, NDA)
SETTINGS = Settings(newsletters=frozenset({PHONE, NDA, EXTRA}))
START = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
SECRET = b"for tests"


class Row:
    """A row of a table. The rules copy rows most of the time, so the copy is a short one."""

    def __copy__(self) -> Self:
        copied = object.__new__(type(self))
        copied.__dict__ = self.__dict__.copy()
        return copied


@dataclass
class Member(Row):
    id: int
    key: str = ""
    contact_id: int | None = None
    opted_out_at: datetime | None = None
    held_back_at: datetime | None = None


@dataclass
class Decision(Row):
    member_id: int
    newsletter: str
    entitled: bool = False
    wanted: bool = False
    decided_by: str = ""
    decided_at: datetime | None = None
    opted_out_at: datetime | None = None
    inferred: bool = False
    despite_opt_out: bool = False
    held_back_at: datetime | None = None


@dataclass
class Contact(Row):
    id: int
    email: str = ""
    key: str = ""
    token: str = ""
    renamed_at: datetime | None = None
    renamed_people: dict[str, list[str] | None] = field(default_factory=dict)
    renamed_removal_at: datetime | None = None
    optin: bool = True
    touched_at: datetime | None = None
    settled_at: datetime | None = None
    not_before: datetime | None = None
    attempts: int = 0
    parked: bool = False
    problem: str = ""
    looked_up_at: datetime | None = None
    clear: bool = False
    subscribe_calls: Sequence[datetime] = ()


@dataclass
class Subscription(Row):
    contact_id: int
    newsletter: str
    state: str = State.UNKNOWN
    confirmed_at: datetime | None = None
    seen_at: datetime | None = None
    missing_at: datetime | None = None
    requested_at: datetime | None = None
    unanswered_at: datetime | None = None
    removed_at: datetime | None = None
    removal_pending: bool = False
    decided: bool = False
    opted_out_at: datetime | None = None
    error_code: str = ""


@dataclass
class Move(Row):
    member_id: int
    source_id: int
    target_id: int | None
    moved_at: datetime


class Crash(Exception):
    """The worker is killed."""


@dataclass
class SiteMember:
    email: str
    entitled: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(POLICIES, False))


class World:
    """The site's members, the app's rows and Basket, at one moment."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self._now = START
        self.basket = FakeBasket(lambda: self.now)
        self.rows = Rows(settings, START, Decision, Subscription, Move)
        self.site: dict[str, SiteMember] = {}
        self.touches: list[tuple[str, str]] = []
        self.suppressions: dict[str, tuple[list[Subscription], datetime]] = {}
        self.switch = True
        self.brakes: dict[str, Brake] = {}
        self.crash_before = self.crash_after = ""
        self.share_size = 60
        self.ids = itertools.count(1)
        self.evaluated: evaluate.Evaluated | None = None

    @property
    def now(self) -> datetime:
        return self._now

    @now.setter
    def now(self, moment: datetime) -> None:
        self._now = self.rows.now = moment

    # The site.

    def join(self, key: str, email: str, *newsletters: str) -> None:
        self.site[key] = SiteMember(email)
        self.touches.append((key, ""))
        for name in newsletters:
            self.site[key].entitled[name] = True

    def entitle(self, key: str, newsletter: str, *, entitled: bool = True) -> None:
        self.site[key].entitled[newsletter] = entitled
        self.touches.append((key, ""))

    def change_email(self, key: str, email: str) -> None:
        self.touches.append((key, self.site[key].email))
        self.site[key].email = email

    def delete(self, key: str) -> None:
        self.touches.append((key, self.site.pop(key).email))

    # The ledger, as the worker writes it.

    def member(self, key: str) -> Any:
        return next((row for row in self.rows.members.values() if row.key == key), None)

    def contact(self, email: str) -> Any:
        key = contact_key(email)
        return next((row for row in self.rows.contacts.values() if row.key == key), None)

    def subscription(self, email: str, newsletter: str) -> Any:
        return self.rows.subscriptions[self.contact(email).id, newsletter]

    def decision(self, key: str, newsletter: str) -> Any:
        return self.rows.decisions.get((self.member(key).id, newsletter))

    def make_contact(self, email: str) -> int | None:
        key = contact_key(email)
        if not key:
            return None
        if (known := self.contact(email)) is not None:
            return int(known.id)
        row = Contact(next(self.ids), email.strip(), key)
        self.rows.contacts[row.id] = row
        found = self.suppressions.pop(suppression_hash(key, SECRET), None)
        if found:
            self.rows = evaluate.suppress_again(self.rows, row.id, *found)
        return row.id

    def make_member(self, key: str) -> Any:
        if (known := self.member(key)) is not None:
            return known
        row = Member(next(self.ids), key)
        self.rows.members[row.id] = row
        self.rows = self.rows.copy()
        return self.member(key)

    def drain(self, *, approved: frozenset[tuple[int, str]] = frozenset()) -> None:
        """Work the touches into the ledger."""
        touches, self.touches = self.touches, []
        passed: dict[str, list[int]] = {}
        for key, before in touches:
            self.make_member(key)
            contact_id = self.make_contact(before)
            passed.setdefault(key, []).extend([contact_id] if contact_id else [])
        standings = [self.standing(key, tuple(before)) for key, before in passed.items()]
        self.evaluate(standings, approved=approved)

    def standing(self, key: str, passed: tuple[int, ...] = ()) -> Standing:
        member = self.make_member(key)
        known = self.site.get(key)
        if known is None:
            return Standing(member.id, passed=passed, deleted=True)
        contact_id = self.make_contact(known.email)
        return Standing(member.id, contact_id, known.email, dict(known.entitled), passed)

    def evaluate(
        self, standings: list[Standing], *, approved: frozenset[tuple[int, str]] = frozenset()
    ) -> None:
        self.evaluated = evaluate.evaluate(self.rows, standings, self.brakes, approved)
        self.rows = self.evaluated.rows
        unknown = [m for m in self.rows.members.values() if m.key and m.key not in self.site]
        held_back = {i for ids in self.evaluated.held_back.values() for i in ids}
        assert {m.id for m in unknown} <= held_back | {
            s.member_id for s in standings if s.deleted
        } | {m.id for m in unknown if m.held_back_at}

    def reconcile(self, *, approved: frozenset[tuple[int, str]] = frozenset()) -> None:
        """Compare every member with the ledger, also members without a touch."""
        self.drain(approved=approved)
        keys = {*self.site, *(m.key for m in self.rows.members.values() if m.key)}
        self.evaluate([self.standing(key) for key in sorted(keys)], approved=approved)

    def order(
        self, key: str, *newsletters: str, subscribe: bool = True, despite_opt_out: bool = False
    ) -> list[str]:
        self.drain()
        self.rows, results = evaluate.order(
            self.rows,
            [self.make_member(key).id],
            newsletters,
            subscribe=subscribe,
            despite_opt_out=despite_opt_out,
        )
        return list(results.values())

    def order_address(self, email: str, *newsletters: str, subscribe: bool) -> None:
        """Order for an address without a member, as the public tasks do."""
        member = Member(next(self.ids), contact_id=self.make_contact(email))
        self.rows.members[member.id] = member
        self.rows, _ = evaluate.order(
            self.rows.copy(), [member.id], newsletters, subscribe=subscribe
        )

    def update_address(self, old: str, new: str) -> None:
        """Move an address without a member, as ``update_email_in_basket`` does."""
        source, target = self.make_contact(old), self.make_contact(new)
        there = [m.id for m in self.rows.members.values() if m.contact_id == source and not m.key]
        if not there:
            member = Member(next(self.ids), contact_id=source)
            self.rows.members[member.id] = member
            self.rows, there = self.rows.copy(), [member.id]
        self.evaluate([Standing(member_id, target, new) for member_id in there])

    def opt_in(self, key: str, *newsletters: str) -> None:
        self.drain()
        self.rows = evaluate.opt_in(self.rows, self.make_member(key).id, newsletters)

    def opt_out(self, key: str, *newsletters: str) -> None:
        self.drain()
        self.rows = evaluate.opt_out(self.rows, self.make_member(key).id, newsletters)
        self.wait(milliseconds=1)

    def answer(self, newsletter: str, *, lost: bool) -> None:
        question = self.rows.question(newsletter)
        assert question is not None
        self.rows = losses.answer_question(self.rows, question, lost=lost)

    def retry(self) -> None:
        """Retry all contacts, as an admin may."""
        self.rows = evaluate.retry(self.rows, [*self.rows.contacts])

    # The worker.

    def due(self) -> list[int]:
        return [
            row.id
            for row in self.rows.contacts.values()
            if row.touched_at and not row.parked and (row.not_before or self.now) <= self.now
        ]

    def verify(self, *emails: str) -> None:
        """Have contacts looked up again, only to verify that Basket still agrees."""
        for row in self.rows.subscriptions.values():
            contact = self.rows.contacts[row.contact_id]
            if emails and contact.key not in map(contact_key, emails):
                continue
            if losses.verify_rank(self.rows, row) is not None:
                make_due(contact, self.now)

    def sync(self, contact_ids: list[int]) -> None:
        """Carry a share to Basket: look up, subscribe, unsubscribe, settle."""
        if not self.switch:
            return
        try:
            self._steps(contact_ids)
        except Crash:
            for contact_id in contact_ids:  # the lease runs out
                self.rows.contacts[contact_id].attempts += 1

    def _steps(self, ids: list[int]) -> None:
        rows, began = self.rows, self.now
        lookups: dict[int, Lookup] = {}
        failed: dict[int, Answer] = {}
        for contact_id in ids:
            contact = rows.contacts[contact_id]
            self._moment("lookup")
            person = self.basket.look_up(contact.email)
            if isinstance(person, Answer):
                failed[contact_id] = person
                continue
            by_token = None
            mine = [row for row in rows.subscriptions.values() if row.contact_id == contact.id]
            is_there = person is not None and person.token == contact.token
            if not is_there and answers.ask_by_token(contact, mine):
                by_token = self.basket.look_up_token(contact.token)
            renamed: dict[str, frozenset[str] | None] = {}
            for token in contact.renamed_people:
                found = self.basket.look_up_token(token)
                renamed[token] = found.newsletters if found else None
                if found and self._has_members(found.email):
                    renamed[token] = frozenset()
            elsewhere = by_token is not None and self._has_members(by_token.email)
            lookups[contact_id] = Lookup(began, person, by_token, elsewhere, renamed)
        self.rows = answers.apply_lookups(self.rows, lookups)
        self.rows = answers.fail_lookups(self.rows, failed, began)
        refused = [i for i in failed if failed[i].kind is Kind.REFUSED]
        ids = [contact_id for contact_id in ids if contact_id not in failed]

        ids = self._subscribe(ids)
        ids = self._unsubscribe(ids)
        keys = {contact_id: self.rows.contacts[contact_id].key for contact_id in ids + refused}
        self.rows, erased = plan.settle(self.rows, ids + refused)
        for contact_id, opted_out in erased.items():
            if opted_out:
                mark = suppression_hash(keys[contact_id], SECRET)
                self.suppressions[mark] = opted_out, self.now

    def _has_members(self, email: str) -> bool:
        contact = self.contact(email)
        return contact is not None and bool(self.rows.at(contact))

    def _subscribe(self, ids: list[int]) -> list[int]:
        self.between_steps()
        plans = {i: todo for i in ids if (todo := plan.plan(self.rows, i).subscribe)}
        before, self.rows = self.rows, answers.begin_subscribe(self.rows, plans)
        self._moment("subscribe")
        emails = {i: self.rows.contacts[i].email for i in plans}
        replies = {i: (n, self.basket.subscribe(emails[i], n)) for i, n in plans.items()}
        self._moment("subscribe", after=True)
        self.rows = answers.end_subscribe(self.rows, before, replies)
        return [i for i in ids if i not in replies or replies[i][1].wait is None]

    def _unsubscribe(self, ids: list[int]) -> list[int]:
        self.between_steps()
        plans = {i: todo for i in ids if (todo := plan.plan(self.rows, i).unsubscribe)}
        renamed = {i: token for i in plans if (token := plan.plan(self.rows, i).renamed)}
        before, self.rows = self.rows, answers.begin_unsubscribe(self.rows, plans, renamed)
        self._moment("unsubscribe")
        tokens = {i: self.rows.contacts[i].token for i in plans} | renamed
        replies = {i: (n, self.basket.unsubscribe(tokens[i], n)) for i, n in plans.items()}
        self._moment("unsubscribe", after=True)
        self.rows = answers.end_unsubscribe(self.rows, before, replies, renamed)
        return [i for i in ids if i not in replies or replies[i][1].wait is None]

    def between_steps(self) -> None:
        """Let a moment pass; a test replaces this method to change something between two steps."""
        self.wait(milliseconds=50)

    def _moment(self, step: str, *, after: bool = False) -> None:
        if step == (self.crash_after if after else self.crash_before):
            self.crash_before = self.crash_after = ""
            raise Crash

    def conclude(self) -> None:
        """Run the control sample of every newsletter, and make its contacts due for a lookup."""
        names = {row.newsletter for row in self.rows.subscriptions.values() if row.missing_at}
        names |= {question.newsletter for question in self.rows.questions if not question.closed_at}
        for name in sorted(names):
            self.rows, look_up = losses.conclude(self.rows, name)
            for contact_id in look_up:
                make_due(self.rows.contacts[contact_id], self.now)

    def run(self, seconds: float = 0) -> None:
        """Let the worker work for this time: on each contact when it is due."""
        end = self.now + timedelta(seconds=seconds)
        self.drain()
        while True:
            for _ in range(60):
                due = self.due()
                if not due or not self.switch:
                    break
                for start in range(0, len(due), self.share_size):
                    self.sync(due[start : start + self.share_size])
                    self.conclude()
            else:
                raise AssertionError("the worker goes round in circles")
            waits = [
                row.not_before
                for row in self.rows.contacts.values()
                if row.touched_at
                and row.not_before
                and not row.parked
                and row.not_before > self.now
            ]
            waits += [job[0] for job in self.basket.queue if job[0] > self.now]
            if not waits or min(waits) > end:
                break
            self.now = min(waits)
            self.basket.work()
        self.now = max(end, self.now)
        self.basket.work()

    def wait(self, **time: float) -> None:
        """Let time pass without a worker."""
        self.now += timedelta(**time)
        self.basket.work()

    def settle(self) -> None:
        """Let the worker work for days, with a verification of all contacts."""
        for _ in range(3):
            self.run(seconds=2 * 86400)
            self.verify()
        self.run(seconds=2 * 86400)

    def wanted_at(self, email: str) -> set[str]:
        contact = self.contact(email)
        return {
            n for n in self.rows.settings.newsletters if contact and self.rows.wanted(contact, n)
        }

    def held_at(self, email: str) -> set[str]:
        contact = self.contact(email)
        rows = self.rows.subscriptions
        return {
            n for n in self.rows.settings.newsletters if contact and held(rows.get((contact.id, n)))
        }
