"""Rows that lead to no member, by a wrong key or path, do not stop the touches of others."""

import pytest
from django.db.models import Q

from mozillians_basket import tasks
from mozillians_basket.models import Contact, Touch
from mozillians_basket.receivers import touch_saved, watches
from mozillians_basket.site import BasketSite, Policy, Trigger
from project.people.models import UserProfile, Vouch
from tests.app.steps import held
from tests.factories import UserProfileFactory, VouchFactory


class Vouchers(BasketSite):
    email = "user__email"
    policies = (Policy("mozilla-phone", Q(user_id__gt=0)),)
    triggers = (Trigger("people.Vouch", member="voucher"),)


class ByColumn(Vouchers):
    email = "full_name"


def test_a_row_that_names_no_member_is_no_touch(db, settings):
    settings.BASKET_SITE = f"{__name__}.Vouchers"
    vouch = VouchFactory(voucher=None)
    Touch.objects.all().delete()
    watch = next(each for each in watches(Vouchers()) if each.model is Vouch)

    touch_saved(watch=watch, instance=vouch, created=True, raw=False, update_fields=None)

    assert not Touch.objects.exists()


def test_a_foreign_key_that_a_policy_names_by_its_column_is_watched(db):
    watch = next(each for each in watches(ByColumn()) if each.model is UserProfile)

    assert {"user", "user_id"} <= watch.names


@pytest.mark.parametrize(
    "touch",
    [
        pytest.param({"source": "people.Vouch"}, id="leads nowhere"),
        pytest.param(
            {"source": "people.Vouch", "source_key": "1", "path": "renamed"}, id="renamed field"
        ),
        pytest.param(
            {"source": "people.Gone", "source_key": "1", "path": "member"}, id="removed model"
        ),
        pytest.param(
            {"source": "people.Vouch", "source_key": "no key", "path": "vouchee"}, id="no key"
        ),
    ],
)
def test_a_touch_that_leads_nowhere_stops_nobody_else_s(basket, touch):
    Touch.objects.create(cause=Touch.Cause.CHANGED, **touch)
    profile = VouchFactory().vouchee

    tasks.sweep()

    assert held(basket, profile.user.email) == {profile.user.email: {"mozilla-phone"}}
    assert not Touch.objects.exists()


def test_a_member_s_key_that_comes_as_text_leaves_no_row_of_nobody(basket):
    assert tasks.subscribe_user_to_basket("12345", ["mozilla-phone"]) == {"mozilla-phone": "left"}

    assert not Contact.objects.exists()


def test_a_member_s_key_that_comes_as_text_is_the_member_s(basket):
    profile = UserProfileFactory()

    tasks.subscribe_user_to_basket(str(profile.pk), ["mozilla-phone"])

    assert held(basket, profile.user.email) == {profile.user.email: {"mozilla-phone"}}
