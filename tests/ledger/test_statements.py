"""The number of statements for changes: small for one, and hardly more for a full share."""

from collections.abc import Callable
from typing import Any

import pytest
from celery import current_task
from celery.signals import task_prerun
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mozillians_basket.conf import conf
from mozillians_basket.ledger import touches
from mozillians_basket.models import Contact, Move, Touch
from mozillians_basket.sandbox.testing import SandboxServer
from project.people.models import Vouch
from tests.app.steps import drain_everything, run, syncing
from tests.brokers import Commit
from tests.factories import UserProfileFactory, VouchFactory

#: Few enough for SQLite to take each table's rows in one statement.
FEW, MANY = 2, 15

#: Statements of the worker from a commit until all is settled, for one vouch and for a full
#: share of vouches. A full share needs one more claim, and SQLite more statements for many rows.
ALONE, FULL = 30, 33


def statements(action: Callable[[], Any], *, only_of_tasks: bool = False) -> int:
    """Count the statements of an action, without readings of the switch and savepoints."""
    found: list[str] = []

    def note(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if current_task or not only_of_tasks:
            found.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        action()
    savepoints = ("SAVEPOINT", "RELEASE SAVEPOINT")
    return len([sql for sql in found if "waffle" not in sql and not sql.startswith(savepoints)])


def vouch(number: int) -> None:
    """Vouch for this number of new members; their touches are not drained yet."""
    for _ in range(number):
        VouchFactory.create()


def test_drain_takes_the_same_statements_for_many_members(db: None) -> None:
    vouch(FEW)
    few = statements(touches.drain)
    vouch(MANY)

    many = statements(touches.drain)

    assert not Touch.objects.exists()
    assert many == few


@pytest.mark.parametrize("address", ["new@example.com", ""])
def test_drain_locks_both_ends_of_an_open_move_in_one_statement(db: None, address: str) -> None:
    profile = UserProfileFactory.create()
    drain_everything()  # type: ignore[no-untyped-call]
    profile.user.email = address
    profile.user.save()
    drain_everything()  # type: ignore[no-untyped-call]
    Vouch.objects.create(vouchee=profile)

    with CaptureQueriesContext(connection) as captured:
        touches.drain()

    contact = f'"{Contact._meta.db_table}"'
    locks = [q["sql"] for q in captured if f'ORDER BY {contact}."id" ASC' in q["sql"]]
    assert Move.objects.exists()
    assert len(locks) == 1


def test_share_takes_the_same_statements_for_many_contacts(basket: SandboxServer) -> None:
    vouch(FEW)
    touches.drain()
    few = statements(lambda: run(syncing()))  # type: ignore[no-untyped-call]
    vouch(MANY)
    touches.drain()

    many = statements(lambda: run(syncing()))  # type: ignore[no-untyped-call]

    assert len(basket.people) == FEW + MANY
    assert many == few


@pytest.mark.parametrize(
    ("number", "most", "messages"), [(1, ALONE, 2), (conf.SHARE_SIZE, FULL, 3)]
)
def test_vouches_take_few_statements_and_messages_until_they_are_settled(
    basket: SandboxServer, commit: Commit, number: int, most: int, messages: int
) -> None:
    members = UserProfileFactory.create_batch(number)
    drain_everything()  # type: ignore[no-untyped-call]
    begun: list[str] = []

    def note(task: Any, **kwargs: object) -> None:
        begun.append(task.name)

    def vouch_for_all() -> None:
        with commit():
            for member in members:
                Vouch.objects.create(vouchee=member)

    task_prerun.connect(note)
    found = statements(vouch_for_all, only_of_tasks=True)
    task_prerun.disconnect(note)

    assert len(basket.people) == number
    assert not Contact.objects.filter(touched_at__isnull=False).exists()
    assert found <= most
    assert len(begun) <= messages
