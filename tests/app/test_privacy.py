"""Everything stored about a member can be exported, and a bare address can be erased."""

import io
import json

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db.models import ForeignKey

from mozillians_basket import tasks
from mozillians_basket.api import erase, export, opt_out
from mozillians_basket.conf import conf
from mozillians_basket.models import (
    BulkRequest,
    Contact,
    Event,
    Member,
    Suppression,
    Touch,
)
from tests.app.steps import contact_of, held, settle_everything
from tests.factories import UserProfileFactory, VouchFactory

PHONE, BARE = "mozilla-phone", "bare@example.com"


def run(command, *arguments):
    out = io.StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


def test_export_names_every_table_that_leads_to_a_member(db):
    about = {conf.MEMBER_MODEL, "mozillians_basket.Member", "mozillians_basket.Contact"}
    tables = {
        model._meta.verbose_name_plural.replace(" ", "_").replace("history", "events")
        for model in apps.get_app_config("mozillians_basket").get_models()
        if not model._meta.proxy
        for field in model._meta.get_fields()
        if isinstance(field, ForeignKey) and field.related_model._meta.label in about
    }

    assert tables
    assert tables <= set(export(1))


def test_export_holds_all_that_is_stored(basket, vouched, commit, admin_user):
    email = vouched.user.email
    with commit():
        vouched.user.email = "new@example.com"
        vouched.user.save()
    opt_out(vouched, [PHONE], actor=admin_user)
    Touch.objects.create(member=vouched, source="people.Vouch", cause="changed", email=email)
    BulkRequest.objects.create(action="subscribe", keys=[vouched.pk, 4711], total=2)

    found = json.loads(run("basket_export", str(vouched.pk)))

    assert {row["email"] for row in found["contacts"]} == {email, "new@example.com"}
    assert all(row["token"] for row in found["contacts"])
    assert {row["newsletter"] for row in found["subscriptions"]} >= {PHONE}
    assert found["decisions"][0]["opted_out_at"]
    assert found["members"][0]["site_member_id"] == vouched.pk
    assert {row["kind"] for row in found["events"]} >= {"subscribed", "moved", "opted_out"}
    assert [row["email"] for row in found["touches"]] == [email]
    assert found["moves"]
    assert found["bulk_requests"][0]["keys"] == [vouched.pk]


def test_export_of_a_shared_address_names_no_other_member(basket, vouched, commit):
    with commit():
        other = UserProfileFactory(user__email=vouched.user.email)
        VouchFactory(vouchee=other)
    opt_out(other, [PHONE])

    found = export(vouched)

    assert {row["site_member_id"] for row in found["members"]} == {vouched.pk}
    assert {row["member_id"] for row in found["events"]} <= {vouched.pk, None}


def test_export_keeps_the_tokens_of_people_who_had_the_address_before(vouched):
    Contact.objects.update(renamed_people={"their-token": [PHONE]})

    found = export(vouched)

    assert found["contacts"][0]["renamed_people"] == [[PHONE]]
    assert "their-token" not in json.dumps(found)


def test_export_of_a_stranger_is_empty(db):
    assert not any(export(4711).values())


def test_export_of_no_key_is_an_error_that_quotes_nothing(db):
    with pytest.raises(CommandError) as caught:
        run("basket_export", BARE)

    assert "bare" not in str(caught.value)


@pytest.fixture
def bare(basket, commit):
    """An address that only an order names; the order is not carried out yet."""
    basket.put_person(BARE, newsletters=[PHONE, "about-mozilla"])
    basket.fail("lookup", status=503)
    with commit():
        tasks.unsubscribe_from_basket_task(BARE, ["mozillians-nda"])
    basket.heal()
    assert Contact.objects.filter(key=BARE).exists()
    return basket


def test_bare_address_is_erased_once_our_newsletters_are_gone(bare, commit):
    with commit():
        said = run("basket_erase", " Bare@Example.com ")
        settle_everything()

    assert "A worker takes the newsletters away" in said
    assert held(bare, BARE) == {BARE: {"about-mozilla"}}
    assert not Contact.objects.filter(key=BARE).exists()
    assert not Member.objects.exists()
    assert Event.objects.filter(kind=Event.Kind.ERASED, cause="erasure asked for").count() == 1
    assert BARE not in str(list(Event.objects.values()))


def test_opt_outs_of_an_erased_address_remain_under_a_hash(bare, commit):
    bare.opt_out(BARE)

    with commit():
        erase(BARE)
        settle_everything()

    assert not Contact.objects.filter(key=BARE).exists()
    assert PHONE in Suppression.objects.get().newsletters


def test_address_of_a_member_is_not_erased(basket, vouched):
    with pytest.raises(CommandError, match="A member of the site has this address") as caught:
        run("basket_erase", vouched.user.email)

    assert vouched.user.email not in str(caught.value)
    assert contact_of(vouched).clear is False


def test_nothing_is_stored_about_an_unknown_address(basket):
    assert "Nothing is stored" in run("basket_erase", BARE)
    assert not Contact.objects.exists()


def test_no_address_is_an_error(basket):
    with pytest.raises(CommandError, match="no @"):
        run("basket_erase", "bare")
