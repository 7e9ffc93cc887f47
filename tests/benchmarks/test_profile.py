"""Samples of a worker's CPU are sorted by layer."""

import pytest

from benchmarks.profile import layer, sorted_out

TASK = "lookup_user_task (/srv/mozillians_basket/tasks.py:147)"


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        pytest.param([TASK], "own code", id="own"),
        pytest.param(
            [TASK, "send (/v/requests/sessions.py:1)", "dumps (/usr/json/__init__.py:2)"],
            "HTTP",
            id="what the standard library does for requests",
        ),
        pytest.param(
            [TASK, "get (/v/django/db/models/query.py:1)", "execute (/v/psycopg/cursor.py:9)"],
            "SQL",
            id="SQL",
        ),
        pytest.param(
            [TASK, "is_active (/v/waffle/models.py:1)", "get (/v/django/db/models/query.py:1)"],
            "the switch",
            id="the query that waffle makes",
        ),
        pytest.param(
            ["trace (/v/celery/app/trace.py:1)", "put (/v/kombu/transport/redis.py:2)"],
            "Celery, kombu, Redis",
            id="Celery",
        ),
        pytest.param(["run (/usr/lib/threading.py:1)"], "the rest", id="nobody's"),
    ],
)
def test_a_stack_belongs_to_the_innermost_layer(frames: list[str], expected: str) -> None:
    assert layer(frames) == expected


def test_samples_are_added_up_by_layer_and_by_function() -> None:
    query = "get (/v/lib/python3.11/site-packages/django/db/models/query.py:1)"

    layers, functions, below = sorted_out([f"{TASK} 3", f"{TASK};{query} 5"])

    assert layers == {"own code": 3, "SQL": 5}
    assert functions == {
        "lookup_user_task (/srv/mozillians_basket/tasks.py)": 3,
        "get (django/db/models/query.py)": 5,
    }
    assert below == {"lookup_user_task (mozillians_basket/tasks.py)": 8}
