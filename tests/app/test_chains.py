"""What changes between the steps of a chain, and what a step notes for the one after it."""

import pytest

from mozillians_basket import client, sync, tasks
from project.groups.models import Membership
from tests.app.steps import (
    claimed,
    contact_of,
    drain_everything,
    expire_leases,
    held,
    run,
    settle_everything,
)
from tests.factories import GroupFactory, MembershipFactory, VouchFactory


@pytest.fixture
def joining(basket, vouched):
    """A vouched member who has joined the NDA group; no message came."""
    MembershipFactory(
        profile=vouched, group=GroupFactory(slug="nda"), status=Membership.Status.MEMBER
    )
    drain_everything()
    basket.clear_requests()
    return vouched


def lines_of(profile):
    return {line.newsletter: line for line in contact_of(profile).subscriptions.all()}


def test_a_step_that_was_not_foreseen_begins_the_sync_again(basket, joining, monkeypatch):
    subscribe = sync.subscribe

    def interrupted(sheet):
        monkeypatch.setattr(sync, "subscribe", subscribe)
        joining.vouches_received.all().delete()
        drain_everything()
        return subscribe(sheet)

    monkeypatch.setattr(sync, "subscribe", interrupted)
    tasks.lookup_user_task(claimed(joining).as_argument)

    calls = [request.endpoint for request in basket.requests]
    assert calls == ["lookup", "subscribe", "lookup", "unsubscribe"]
    assert held(basket, joining.user.email) == {joining.user.email: {"mozillians-nda"}}
    assert contact_of(joining).leased_until is None


def test_a_lookup_notes_what_is_to_be_asked_for(basket, joining):
    run(claimed(joining), sync.look_up)

    assert contact_of(joining).asked["newsletters"] == ["mozillians-nda"]


def test_what_was_noted_and_never_asked_for_leaves_no_trace(basket, joining):
    sheet = run(claimed(joining), sync.look_up)
    Membership.objects.all().delete()
    drain_everything()

    run(sheet.lease, sync.subscribe)

    assert [request.endpoint for request in basket.requests] == ["lookup"]
    assert contact_of(joining).asked is None
    assert lines_of(joining)["mozillians-nda"].requested_at is None


def test_what_was_noted_by_a_worker_that_died_counts_as_asked_for(basket, joining):
    run(claimed(joining), sync.look_up)
    at = contact_of(joining).asked["at"]
    expire_leases()
    Membership.objects.all().delete()
    drain_everything()

    run(claimed(joining), sync.look_up)

    assert contact_of(joining).asked is None
    assert lines_of(joining)["mozillians-nda"].requested_at.isoformat() == at
    assert contact_of(joining).not_before is not None


def test_what_is_noted_is_what_is_asked_for_in_the_end(basket, vouched, monkeypatch):
    vouched.vouches_received.all().delete()
    drain_everything()
    settle_everything()
    VouchFactory(vouchee=vouched)
    MembershipFactory(
        profile=vouched, group=GroupFactory(slug="nda"), status=Membership.Status.MEMBER
    )
    drain_everything()
    sheet = run(claimed(vouched), sync.look_up)
    noted = [contact_of(vouched).asked["newsletters"]]
    Membership.objects.all().delete()
    drain_everything()
    subscribe = client.subscribe

    def seen(email, newsletters):
        noted.append(contact_of(vouched).asked["newsletters"])
        return subscribe(email, newsletters)

    monkeypatch.setattr(client, "subscribe", seen)
    run(sheet.lease, sync.subscribe)

    assert noted == [["mozilla-phone", "mozillians-nda"], ["mozilla-phone"]]
    assert held(basket, vouched.user.email) == {vouched.user.email: {"mozilla-phone"}}


def test_one_message_carries_a_change_to_its_end(basket, commit):
    with commit():
        vouch = VouchFactory()
    basket.clear_requests()
    vouch.delete()
    drain_everything()

    tasks.lookup_user_task(claimed(vouch.vouchee).as_argument)

    assert held(basket, vouch.vouchee.user.email) == {vouch.vouchee.user.email: set()}
    assert [request.endpoint for request in basket.requests] == ["lookup", "unsubscribe"]
