"""Since when something is wrong with a contact, and when it is over."""

from datetime import timedelta

from django.utils import timezone

from mozillians_basket import ledger
from mozillians_basket.exceptions import BasketUnavailable
from mozillians_basket.models import Contact


def claimed(member):
    ledger.make_due([Contact.objects.get(member=member).pk], "a test")
    (lease,) = ledger.claim()
    return ledger.Sheet(lease).open()


def test_a_problem_keeps_the_moment_at_which_it_began(vouched):
    began = timezone.now() - timedelta(hours=3)
    Contact.objects.filter(member=vouched).update(
        error="unavailable", failing_since=began, dismissed_at=began
    )

    sheet = claimed(vouched)
    ledger.postpone(sheet, BasketUnavailable(503))

    contact = Contact.objects.get(member=vouched)
    assert contact.failing_since == began
    assert contact.dismissed_at == began


def test_another_problem_is_not_put_aside_with_the_one_before(vouched):
    moment = timezone.now()
    Contact.objects.filter(member=vouched).update(
        error="unavailable", failing_since=moment, dismissed_at=moment
    )

    sheet = claimed(vouched)
    ledger.postpone(sheet, BasketUnavailable(429))

    assert Contact.objects.get(member=vouched).dismissed_at is None


def test_a_problem_is_over_once_the_contact_is_settled(vouched):
    moment = timezone.now()
    Contact.objects.filter(member=vouched).update(
        error="unavailable", failing_since=moment, dismissed_at=moment
    )

    sheet = claimed(vouched)
    ledger.settle(sheet)

    contact = Contact.objects.get(member=vouched)
    assert (contact.error, contact.failing_since, contact.dismissed_at) == ("", None, None)
