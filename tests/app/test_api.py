"""The functions for a site's own code: touch, order, opt_in and opt_out."""

import pytest
from django.db import transaction

from mozillians_basket.api import opt_in, opt_out, order, touch
from mozillians_basket.exceptions import UnknownNewsletter
from mozillians_basket.ledger import decisions
from mozillians_basket.models import Decision, Event, Touch
from project.people.models import UserProfile
from tests.app.steps import held, settle_everything
from tests.factories import UserProfileFactory, VouchFactory

PHONE, NDA = "mozilla-phone", "mozillians-nda"


@pytest.fixture
def member(basket, commit):
    with commit():
        return UserProfileFactory(user__email="ada@example.com")


def newsletters(basket):
    return held(basket, "ada@example.com")["ada@example.com"]


def vouch_again(member, commit):
    """Delete the member's vouches, and create a new one."""
    with commit():
        member.vouches_received.all().delete()
    with commit():
        VouchFactory(vouchee=member)
    settle_everything()


@pytest.mark.parametrize("named", [UserProfile, str], ids=["a member", "a key"])
def test_touch_finds_a_change_that_no_signal_saw(basket, member, commit, named):
    UserProfile.objects.filter(pk=member.pk).update(is_vouched=True)

    with commit():
        touch(member if named is UserProfile else str(member.pk))

    assert newsletters(basket) == {PHONE}


def test_a_touch_is_one_insert(member, django_assert_num_queries):
    with django_assert_num_queries(1):
        touch(member)


def test_a_touch_that_is_rolled_back_leaves_nothing(member):
    with transaction.atomic():
        touch(member)
        transaction.set_rollback(True)

    assert not Touch.objects.exists()


@pytest.mark.parametrize("call", [touch, lambda key: opt_out(key, [PHONE])])
def test_a_wrong_key_is_refused_without_being_quoted(basket, call):
    with pytest.raises(ValueError, match="primary key") as caught:
        call("ada@example.com")

    assert "ada" not in str(caught.value)


def test_order_subscribes_whatever_the_policies_say(basket, member, commit, admin_user):
    with commit():
        results = order(member, [NDA], subscribe=True, actor=admin_user)

    assert results == {NDA: "decided"}
    assert newsletters(basket) == {NDA}
    event = Event.objects.get(kind=Event.Kind.DECIDED)
    assert (event.outcome, event.actor) == ("admin: wanted", admin_user)


def test_order_unsubscribes_whatever_the_policies_say(basket, vouched, commit):
    with commit():
        order(vouched, PHONE, subscribe=False)

    assert held(basket, vouched.user.email) == {vouched.user.email: set()}


def test_order_that_an_opt_out_refuses_says_so_and_changes_nothing(basket, member, commit):
    with commit():
        opt_out(member, [PHONE])

    with commit():
        results = order(member, [PHONE, NDA], subscribe=True)

    assert results == {PHONE: "refused", NDA: "decided"}
    assert newsletters(basket) == {NDA}
    assert not Decision.objects.get(newsletter=PHONE).wanted


def test_order_despite_an_opt_out_is_carried_out(basket, member, commit):
    with commit():
        opt_out(member, [PHONE])

    with commit():
        results = order(member, [PHONE], subscribe=True, despite_opt_out=True)

    assert results == {PHONE: "decided"}
    assert newsletters(basket) == {PHONE}


@pytest.mark.parametrize(
    "call",
    [opt_in, opt_out, lambda *about: order(*about, subscribe=True)],
    ids=["opt_in", "opt_out", "order"],
)
def test_a_member_who_does_not_exist_is_left(basket, call):
    assert call(4711, [PHONE]) == {PHONE: "left"}


@pytest.mark.parametrize("call", [opt_in, opt_out])
def test_a_newsletter_of_others_is_refused(member, call):
    with pytest.raises(UnknownNewsletter):
        call(member, ["about-mozilla"])


def test_member_who_opts_in_gets_a_newsletter_that_no_policy_means_for_them(basket, member, commit):
    with commit():
        assert opt_in(member, [NDA]) == {NDA: "decided"}

    assert newsletters(basket) == {NDA}
    decision = Decision.objects.get(newsletter=NDA)
    assert (decision.decided_by, decision.entitled) == ("member", False)


def test_later_change_of_the_policy_supersedes_an_opt_in(basket, member, commit):
    with commit():
        opt_in(member, [PHONE])
    vouch_again(member, commit)
    assert newsletters(basket) == {PHONE}

    with commit():
        member.vouches_received.all().delete()
    settle_everything()

    assert newsletters(basket) == set()


def test_member_who_opts_out_stays_out_when_a_policy_would_subscribe_them(basket, member, commit):
    with commit():
        VouchFactory(vouchee=member)
    assert newsletters(basket) == {PHONE}

    with commit():
        opt_out(member, [PHONE])
    assert newsletters(basket) == set()
    vouch_again(member, commit)

    assert newsletters(basket) == set()


def test_member_who_opts_in_again_gets_what_was_decided(basket, vouched, commit):
    with commit():
        opt_out(vouched, [PHONE])

    with commit():
        opt_in(vouched, [PHONE])
    settle_everything()

    assert held(basket, vouched.user.email) == {vouched.user.email: {PHONE}}


def test_choices_stand_in_the_history_with_their_actor(basket, vouched, commit, admin_user):
    with commit():
        opt_out(vouched, [PHONE], actor=admin_user)
    with commit():
        opt_in(vouched, [PHONE], actor=admin_user.pk)

    kinds = [Event.Kind.OPTED_OUT, Event.Kind.DECIDED]
    events = Event.objects.filter(kind__in=kinds).order_by("pk")
    assert [(e.outcome, e.actor, e.member_id) for e in events] == [
        ("on the site", admin_user, vouched.pk),
        ("member: wanted", admin_user, vouched.pk),
    ]


def test_choice_of_a_deleted_member_keeps_other_members_touches(basket, member, vouched, commit):
    """A drain of touches without a member key goes on if the choice's member does not exist."""
    vouch = vouched.vouches_received.get()
    Touch.objects.create(
        source="people.Vouch", source_key=vouch.pk, path="vouchee", cause="changed"
    )
    type(vouched).objects.filter(pk=vouched.pk).update(is_vouched=False)

    with commit():
        decisions.choose(4711, [PHONE], subscribe=False)
    settle_everything()

    assert held(basket, vouched.user.email) == {vouched.user.email: set()}
