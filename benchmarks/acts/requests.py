"""What requests do, timed one by one."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client

from benchmarks.acts.members import FIRST_USER
from project.people.models import UserProfile, Vouch


def vouch(member: int) -> Callable[[], object]:
    """Save a vouch."""
    return lambda: Vouch.objects.create(vouchee_id=member)


def unrelated_field(member: int) -> Callable[[], object]:
    """Save a member's name, as a form does: read before."""
    profile = UserProfile.objects.get(pk=member)
    profile.full_name = f"{profile.full_name}."
    return profile.save


def login(member: int) -> Callable[[], object]:
    """Log a member in."""
    user = User.objects.get(pk=FIRST_USER + member)
    client = Client()
    return lambda: client.force_login(user)


KINDS = {"vouch": vouch, "unrelated field": unrelated_field, "login": login}


def timed(
    kind: str, first: int, count: int, file: str, per_second: float | None = None
) -> dict[str, list[float]]:
    """
    Do something for one member after the other; write the milliseconds to a file meanwhile.

    The first one in a process is among them; its database connection is open by then.

    :return: milliseconds by the clock, and of the CPU of this process.
    """
    connection.ensure_connection()
    times: dict[str, list[float]] = {"clock": [], "cpu": []}
    began = time.perf_counter()
    with Path(file).open("w") as lines:
        for number in range(count):
            if per_second is not None:
                time.sleep(max(0.0, began + number / per_second - time.perf_counter()))
            save = KINDS[kind](first + number)
            at, used = time.perf_counter(), time.process_time()
            with transaction.atomic():
                save()
            times["clock"].append(1000 * (time.perf_counter() - at))
            times["cpu"].append(1000 * (time.process_time() - used))
            print(times["clock"][-1], file=lines, flush=True)
    return times


def counted(kind: str, first: int, count: int) -> dict[str, float]:
    """How many statements one of them takes, on average; BEGIN and the like are not counted."""
    statements: list[str] = []

    def note(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        statements.append(sql)
        return execute(sql, *rest)

    saves = [KINDS[kind](first + number) for number in range(count)]
    for save in saves:
        with transaction.atomic(), connection.execute_wrapper(note):
            save()
    brackets = ("SAVEPOINT", "RELEASE", "ROLLBACK")
    queries = [sql for sql in statements if not sql.startswith(brackets)]
    return {"statements": len(queries) / count}
