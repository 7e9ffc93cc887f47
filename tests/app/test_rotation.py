"""Keys are rotated without a lost change and without a forgotten opt-out."""

import pytest
from django.core import mail
from django.utils import timezone

from mozillians_basket import tasks
from mozillians_basket.api import erase, export
from mozillians_basket.models import Contact, Member, Status, Suppression
from mozillians_basket.rules.evaluate import suppression_hash
from mozillians_basket.rules.rows import State
from tests.app.steps import held, settle_everything
from tests.factories import UserProfileFactory, VouchFactory

PHONE, NDA, ADDRESS = "mozilla-phone", "mozillians-nda", "ana@example.com"

OLD, NEW, NEWEST = "the key of 2024", "the key of 2025", "the key of 2026"


@pytest.fixture
def erase_mailbox(basket, commit):
    """Return a function that erases a mailbox after it has opted out of everything."""

    def erased():
        basket.put_person(ADDRESS, newsletters=[PHONE])
        basket.fail("lookup", status=503)
        with commit():
            tasks.unsubscribe_from_basket_task(ADDRESS, [NDA])
        basket.heal()
        basket.opt_out(ADDRESS)
        with commit():
            erase(ADDRESS)
            settle_everything()
        basket.put_person(ADDRESS, newsletters=[], optout=False)
        assert not Contact.objects.filter(key=ADDRESS).exists()

    return erased


@pytest.fixture
def come_back(basket, commit):
    """Return a function that makes a vouched member at that mailbox."""

    def returned():
        with commit():
            profile = UserProfileFactory(user__email=ADDRESS)
            VouchFactory(vouchee=profile)
        settle_everything()
        return Member.objects.get(site_member=profile.pk)

    return returned


def apply(settings, values):
    for name, value in values.items():
        setattr(settings, name, value)


def opted_out_at(contact):
    """Return the newsletters that the mailbox opted out of."""
    rows = contact.subscriptions.filter(state=State.OPTED_OUT)
    return set(rows.values_list("newsletter", flat=True))


ROTATIONS = {
    "SECRET_KEY, the old one in SECRET_KEY_FALLBACKS": (
        {"SECRET_KEY": OLD},
        {"SECRET_KEY": NEW, "SECRET_KEY_FALLBACKS": [OLD]},
    ),
    "SECRET_KEY, the old one for suppressions only": (
        {"SECRET_KEY": OLD},
        {"SECRET_KEY": NEW, "BASKET_SUPPRESSION_KEY_FALLBACKS": [OLD]},
    ),
    "SECRET_KEY, while the app has a key of its own": (
        {"SECRET_KEY": OLD, "BASKET_SUPPRESSION_KEY": NEW},
        {"SECRET_KEY": NEWEST},
    ),
    "the first key of the app's own": ({"SECRET_KEY": OLD}, {"BASKET_SUPPRESSION_KEY": NEW}),
    "the app's own key, for the second time": (
        {"BASKET_SUPPRESSION_KEY": OLD},
        {"BASKET_SUPPRESSION_KEY": NEWEST, "BASKET_SUPPRESSION_KEY_FALLBACKS": [NEW, OLD]},
    ),
}


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_opt_out_of_an_erased_mailbox_survives(
    basket, settings, erase_mailbox, come_back, rotation
):
    before, after = ROTATIONS[rotation]
    apply(settings, before)
    erase_mailbox()

    apply(settings, after)
    member = come_back()

    assert held(basket, ADDRESS) == {ADDRESS: set()}
    assert opted_out_at(member.contact) == {PHONE, NDA}
    assert not Suppression.objects.exists()


def test_opt_out_is_forgotten_without_the_key_before(basket, settings, erase_mailbox, come_back):
    apply(settings, {"SECRET_KEY": OLD})
    erase_mailbox()

    apply(settings, {"SECRET_KEY": NEW})
    come_back()

    assert held(basket, ADDRESS) == {ADDRESS: {PHONE}}


def test_new_suppressions_are_stored_under_the_new_key(settings, erase_mailbox):
    apply(settings, {"BASKET_SUPPRESSION_KEY": NEW, "BASKET_SUPPRESSION_KEY_FALLBACKS": [OLD]})

    erase_mailbox()

    assert Suppression.objects.get().hash == suppression_hash(ADDRESS, NEW.encode())


def test_suppressions_of_one_mailbox_under_two_keys_count_together(basket, settings, come_back):
    apply(settings, {"BASKET_SUPPRESSION_KEY": NEW, "BASKET_SUPPRESSION_KEY_FALLBACKS": [OLD]})
    for key, newsletter in ((NEW, PHONE), (OLD, NDA)):
        Suppression.objects.create(
            hash=suppression_hash(ADDRESS, key.encode()),
            newsletters={newsletter: {"opted_out_at": None, "missing_at": None}},
            erased_at=timezone.now(),
        )

    member = come_back()

    assert opted_out_at(member.contact) == {PHONE, NDA}
    assert not Suppression.objects.exists()


def test_export_shows_a_suppression_under_an_earlier_key(db, settings):
    apply(settings, {"BASKET_SUPPRESSION_KEY": NEW, "BASKET_SUPPRESSION_KEY_FALLBACKS": [OLD]})
    profile = UserProfileFactory(user__email=ADDRESS)
    Suppression.objects.create(
        hash=suppression_hash(ADDRESS, OLD.encode()),
        newsletters={PHONE: {"opted_out_at": None, "missing_at": None}},
        erased_at=timezone.now(),
    )

    assert [[*row["newsletters"]] for row in export(profile)["suppressions"]] == [[PHONE]]


def test_key_that_basket_revoked_too_early_delays_changes_and_loses_none(
    basket, settings, commit, caplog
):
    settings.BASKET_MANAGERS = ["admin@example.org"]
    settings.BASKET_API_KEY = "revoked-and-secret"
    with commit():
        profile = VouchFactory().vouchee
    assert Status.read().reason == "misconfigured"
    assert [message.subject for message in mail.outbox] == ["[Django] Basket refuses this site"]

    settings.BASKET_API_KEY = basket.api_key
    settle_everything()

    assert held(basket, profile.user.email) == {profile.user.email: {PHONE}}
    assert not Status.read().is_open
    assert "revoked-and-secret" not in f"{caplog.text}{mail.outbox[0].body}"
