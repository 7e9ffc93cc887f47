"""The stories of the rules, told on the tables: only Basket and the clock are replaced."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from mozillians_basket import sync
from mozillians_basket.client import calls, transport
from mozillians_basket.exceptions import BasketError, BasketRefused, BasketUnavailable
from mozillians_basket.ledger import decisions, queue, touches
from mozillians_basket.ledger.share import question_of
from mozillians_basket.models import (
    Approval,
    Contact,
    Decision,
    Event,
    Member,
    Move,
    Status,
    Subscription,
    Suppression,
    Touch,
)
from mozillians_basket.rules.answers import Answer, Kind
from mozillians_basket.rules.evaluate import contact_key
from mozillians_basket.rules.rows import Rows, Settings
from mozillians_basket.site import BasketSite, Policy, Standing
from mozillians_basket.sync import Step
from mozillians_basket.upkeep import approvals, verification
from tests.rules.world import POLICIES, SETTINGS, Crash, World

ALL_TABLES = (
    Move, Decision, Member, Subscription, Event, Suppression, Touch, Approval, Status, Contact,
)  # fmt: skip


class Killed(BaseException):
    """The worker is killed: no code of the app can catch it."""


class Site(BasketSite):
    """A site with the members of the present story."""

    email = "user__email"
    policies = tuple(Policy(name, None) for name in POLICIES)  # type: ignore[arg-type]
    world: "TablesWorld"

    def standings(self, member_ids: Iterable[Any]) -> dict[Any, Standing]:
        found = {}
        for pk in member_ids:
            known = self.world.site.get(self.world.name(pk))
            if known is not None:
                entitled = frozenset(n for n, met in known.entitled.items() if met)
                found[pk] = Standing(known.email.strip(), entitled)
        return found

    def members_at(self, emails: Iterable[str]) -> list[Any]:
        keys = {contact_key(email) for email in emails}
        site = self.world.site.items()
        return [self.world.number(k) for k, m in site if contact_key(m.email) in keys]


class TablesWorld(World):
    """Drives the core's transactions, while ``World`` drives the rules on rows in memory."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.numbers: dict[str, int] = {}
        for model in ALL_TABLES:
            model._base_manager.all().delete()
        super().__init__(settings)
        Site.world = self
        self.answer_of_question: dict[str, bool] = {}

    def number(self, key: str) -> int:
        return self.numbers.setdefault(key, len(self.numbers) + 1)

    def name(self, number: int) -> str:
        return next((key for key, known in self.numbers.items() if known == number), "")

    # Read by the stories.

    @property
    def rows(self) -> Rows:
        """All tables as the rules read them, with the members' names as keys."""
        approvals = Approval.objects.filter(kind=Approval.Kind.LOSS)
        return Rows(
            self._settings, self._now, Decision, Subscription, Move,
            {row.pk: _Named(row, self.name(row.site_member_id or 0))
             for row in Member.objects.all()},
            {row.pk: row for row in Contact.objects.all()},
            {(row.member_id, row.newsletter): row for row in Decision.objects.all()},
            {(row.contact_id, row.newsletter): row for row in Subscription.objects.all()},
            list(Move.objects.all()),
            [question_of(row) for row in approvals],
        )  # fmt: skip

    @rows.setter
    def rows(self, rows: Rows) -> None:
        self._settings = rows.settings

    @property
    def now(self) -> datetime:
        return self._now

    @now.setter
    def now(self, moment: datetime) -> None:
        self._now = moment

    def due(self) -> list[int]:
        return list(queue.due().values_list("pk", flat=True))

    # The site and the ledger.

    def drain(self, *, approved: frozenset[tuple[int, str]] = frozenset()) -> None:
        waiting, self.touches = self.touches, []
        for key, before in waiting:
            Touch.objects.create(
                member_id=self.number(key), source="people.UserProfile", cause="changed",
                email=before, created_at=self.now,
            )  # fmt: skip
        while touches.drain():
            pass

    def order(
        self, key: str, *newsletters: str, subscribe: bool = True, despite_opt_out: bool = False
    ) -> list[str]:
        self.drain()
        results = decisions.order(
            [self.number(key)], newsletters, subscribe=subscribe, despite_opt_out=despite_opt_out
        )
        return [str(result) for found in results.values() for result in found.values()]

    def order_address(self, email: str, *newsletters: str, subscribe: bool) -> None:
        assert not subscribe
        decisions.unsubscribe_address(email, newsletters)

    def update_address(self, old: str, new: str) -> None:
        decisions.move_address(old, new)

    def opt_in(self, key: str, *newsletters: str) -> None:
        self.drain()
        decisions.choose(self.number(key), newsletters, subscribe=True)

    def opt_out(self, key: str, *newsletters: str) -> None:
        self.drain()
        decisions.choose(self.number(key), newsletters, subscribe=False)
        self.wait(milliseconds=1)

    def answer(self, newsletter: str, *, lost: bool) -> None:
        approval = Approval.objects.get(
            newsletter=newsletter, kind=Approval.Kind.LOSS, closed_at=None
        )
        answer = Approval.Answer.LOST if lost else Approval.Answer.OPTED_OUT
        approvals.answer(approval, answer, actor=None)
        approvals.carry_out(approval.pk)

    def retry(self) -> None:
        decisions.retry(Contact.objects.all())

    # The worker.

    def verify(self, *emails: str) -> None:
        if emails:
            rows = Contact.objects.filter(key__in=[contact_key(email) for email in emails])
            held = Subscription.objects.filter(contact__in=rows)
            rows.filter(pk__in=held.values("contact"), touched_at=None).update(touched_at=self.now)
        else:
            verification.verify(None)

    def conclude(self) -> None:
        verification.conclude()

    def sync(self, contact_ids: list[int]) -> None:
        if not self.switch:
            return
        try:
            outcome = sync.look_up()
            lease, steps = outcome.lease, outcome.steps
            if Step.SUBSCRIBE in steps:
                self.between_steps()
                lease = sync.make_calls(
                    Step.SUBSCRIBE, lease, last=Step.UNSUBSCRIBE not in steps
                ).lease
            if Step.UNSUBSCRIBE in steps:
                self.between_steps()
                sync.make_calls(Step.UNSUBSCRIBE, lease, last=True)
        except Killed:
            Contact.objects.exclude(lease="").update(leased_until=self.now - timedelta(seconds=1))

    def _moment(self, step: str, *, after: bool = False) -> None:
        try:
            super()._moment(step, after=after)
        except Crash:
            raise Killed from None


class _Named:
    """A member with their name in the story; it reads and writes the row."""

    def __init__(self, row: Member, key: str) -> None:
        self.__dict__.update(row.__dict__, row=row, key=key)


@pytest.fixture
def tables(db: None, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Callable[..., TablesWorld]:
    """Create worlds on the tables, with the story's Basket and clock."""
    install(monkeypatch, settings)
    return TablesWorld


def install(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Replace the real clock and Basket by the story's."""
    settings.BASKET_SITE = "tests.ledger.tables.Site"
    settings.BASKET_NEWSLETTERS = ["extra"]
    settings.BASKET_REMOVAL_GRACE_SECONDS = 3600
    settings.BASKET_BREAKER_FAILURES = 1_000_000
    settings.BASKET_LEASE_SECONDS = 60
    monkeypatch.setattr(timezone, "now", lambda: Site.world.now)
    monkeypatch.setattr(transport, "fan_out", _one_after_the_other)
    monkeypatch.setattr(calls, "look_up", _look_up)
    monkeypatch.setattr(calls, "look_up_token", _look_up_token)
    monkeypatch.setattr(calls, "subscribe", _subscribe)
    monkeypatch.setattr(calls, "unsubscribe", _unsubscribe)


def _one_after_the_other(
    function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]
) -> list[Any]:
    step = function.__name__.strip("_").replace("look_up", "lookup")
    results: list[Any] = []
    Site.world._moment(step)
    for each in arguments:
        try:
            results.append(function(*each))
        except BasketError as error:
            results.append(error)
    Site.world._moment(step, after=True)
    return results


def _look_up(email: str) -> Any:
    return _result(Site.world.basket.look_up(email))


def _look_up_token(token: str) -> Any:
    return Site.world.basket.look_up_token(token)


def _subscribe(email: str, newsletters: Iterable[str], fields: Any) -> str:
    return str(_result(Site.world.basket.subscribe(email, frozenset(newsletters))).token)


def _unsubscribe(token: str, newsletters: Iterable[str]) -> None:
    _result(Site.world.basket.unsubscribe(token, frozenset(newsletters)))


def _result(answer: Any) -> Any:
    """Raise the client's error for a failure."""
    match answer:
        case Answer(kind=Kind.REFUSED):
            raise BasketRefused(int(answer.code))
        case Answer(kind=Kind.NOT_DONE):
            raise BasketUnavailable(429)
        case Answer(kind=Kind.UNCLEAR):
            raise BasketUnavailable
    return answer
