"""No address appears in unexpected errors or in calls with wrong arguments."""

import logging
import traceback

import pytest
from django_celery_results.models import TaskResult

from mozillians_basket import sync, tasks
from mozillians_basket.exceptions import StepFailed, UnknownNewsletter
from mozillians_basket.ledger import queue
from mozillians_basket.site import Standing
from tests.app.steps import contact_of, drain_everything
from tests.factories import VouchFactory

EMAIL = "member@example.com"


@pytest.fixture
def due(basket):
    profile = VouchFactory(vouchee__user__email=EMAIL).vouchee
    drain_everything()
    return profile


def break_down(*arguments, **options):
    raise ValueError(f"something about {EMAIL}")


def test_unexpected_error_shows_the_place_but_no_address(due):
    lease, *_rest = queue.claim(1, [contact_of(due).pk])

    with pytest.raises(StepFailed) as caught, sync.guarded(lease):
        break_down()

    told = "".join(traceback.format_exception(caught.value))
    assert "ValueError in tests.app.test_secrets.break_down" in told
    assert EMAIL not in told
    assert contact_of(due).leased_until is None
    assert contact_of(due).attempts == 1


@pytest.mark.parametrize("broken", ["apply_lookups", "begin_subscribe", "end_subscribe"])
def test_the_stored_result_of_a_broken_step_shows_no_address(
    due, monkeypatch, caplog, eager, broken
):
    caplog.set_level(logging.DEBUG)
    for task in (tasks.lookup_users_task, tasks.subscribe_users_task):
        monkeypatch.setattr(task, "store_eager_result", True)
        monkeypatch.setattr(task, "ignore_result", False)
    monkeypatch.setattr(sync.answers, broken, break_down)

    tasks.lookup_users_task.apply((), throw=False)

    row = str(list(TaskResult.objects.values()))
    assert "StepFailed" in row
    assert EMAIL not in row
    assert EMAIL not in caplog.text
    assert contact_of(due).leased_until is None
    assert contact_of(due).attempts == 1


def test_swapped_arguments_show_no_address(basket, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    task = tasks.unsubscribe_from_basket_task
    monkeypatch.setattr(task, "store_eager_result", True)

    with pytest.raises(UnknownNewsletter) as caught:
        task("mozilla-phone", [EMAIL])
    task.apply((["mozilla-phone"], EMAIL), throw=False)

    row = str(TaskResult.objects.values().get())
    assert "UnknownNewsletter" in row
    for text in (str(caught.value), row, caplog.text):
        assert EMAIL not in text


def test_standing_shows_no_address():
    assert EMAIL not in repr(Standing(EMAIL, frozenset({"mozilla-phone"})))
