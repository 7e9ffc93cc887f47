"""The beginning and end of a contact's problem."""

from datetime import timedelta

import pytest
from django.utils import timezone

from mozillians_basket import tasks
from mozillians_basket.models import Contact
from tests.app.steps import contact_of


@pytest.fixture
def failing(basket, vouched):
    """A member whose contact has failed for hours; an admin dismissed the problem."""
    began = timezone.now() - timedelta(hours=3)
    Contact.objects.update(
        touched_at=timezone.now(), problem="unavailable", attempts=2, failing_since=began,
        dismissed_at=began,
    )  # fmt: skip
    return vouched, began


def test_a_problem_keeps_the_moment_at_which_it_began(basket, failing):
    vouched, began = failing
    basket.fail("lookup", status=503)

    tasks.sweep()

    contact = contact_of(vouched)
    assert contact.attempts == 3
    assert (contact.failing_since, contact.dismissed_at) == (began, began)


def test_another_problem_is_not_dismissed_with_the_one_before(basket, failing):
    vouched, began = failing
    basket.fail("lookup", kind="rate_limit")

    tasks.sweep()

    contact = contact_of(vouched)
    assert (contact.problem, contact.failing_since) == ("rate limit", began)
    assert contact.dismissed_at is None


def test_a_problem_is_over_once_the_contact_is_settled(basket, failing):
    vouched, _began = failing

    tasks.sweep()

    contact = contact_of(vouched)
    assert contact.settled_at is not None
    assert (contact.problem, contact.failing_since, contact.dismissed_at) == ("", None, None)
