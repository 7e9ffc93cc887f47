"""Errors that nobody foresaw, and calls with the wrong arguments, show no address either."""

import logging
import traceback

import pytest
from django_celery_results.models import TaskResult

from mozillians_basket import ledger, sync, tasks
from mozillians_basket.exceptions import StepFailed, UnknownNewsletter
from mozillians_basket.site import Standing
from tests.app.steps import claimed, contact_of, drain_everything
from tests.factories import VouchFactory

EMAIL = "member@example.com"


@pytest.fixture
def due(basket):
    profile = VouchFactory(vouchee__user__email=EMAIL).vouchee
    drain_everything()
    return profile


def break_down(sheet):
    raise ValueError(f"something about {EMAIL}")


def test_an_unexpected_error_in_a_step_shows_where_but_not_whom(due):
    sheet = ledger.Sheet(claimed(due))

    with pytest.raises(StepFailed) as caught, sync.guarded(sheet):
        break_down(sheet)

    told = "".join(traceback.format_exception(caught.value))
    assert "ValueError at break_down" in told
    assert EMAIL not in told
    assert contact_of(due).leased_until is None
    assert contact_of(due).attempts == 1


@pytest.mark.parametrize("step", ["look_up", "subscribe"])
def test_the_stored_result_of_a_broken_step_shows_no_address(due, monkeypatch, caplog, eager, step):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(tasks.lookup_user_task, "store_eager_result", True)
    monkeypatch.setattr(tasks.lookup_user_task, "ignore_result", False)
    monkeypatch.setattr(sync, step, break_down)

    tasks.lookup_user_task.apply((claimed(due).as_argument,), throw=False)

    row = str(TaskResult.objects.values().get())
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


def test_what_the_site_says_of_a_member_shows_no_address():
    assert EMAIL not in repr(Standing(EMAIL, frozenset({"mozilla-phone"})))
