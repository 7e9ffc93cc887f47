"""Addresses: one mailbox is one contact, and members can move between them."""

from datetime import timedelta

import pytest

from mozillians_basket.rules.evaluate import Standing, contact_key, suppression_hash
from mozillians_basket.rules.rows import State
from tests.rules.basket import Fault
from tests.rules.stories import ANA, BEN, NEW, THIRD, calls, crowd_of, joined, look, opt_outs
from tests.rules.world import EXTRA, FOREIGN, NDA, PHONE, SECRET, World


@pytest.mark.parametrize(
    ("spelled", "key"),
    [
        ("Ana@Example.COM", "ana@example.com"),
        ("  ana@example.com\t", "ana@example.com"),
        ("ana@MÜLLER.example", "ana@xn--mller-kva.example"),
        ("ana@xn--mller-kva.example", "ana@xn--mller-kva.example"),
        ('"a@b"@example.com', '"a@b"@example.com'),
        ("ana", ""),
        ("ana@", ""),
        ("@example.com", ""),
        ("", ""),
        ("a" * 242 + "@example.com", "a" * 242 + "@example.com"),
        ("a" * 243 + "@example.com", ""),
    ],
)
def test_address_is_normalised(spelled: str, key: str) -> None:
    assert contact_key(spelled) == key


def test_suppression_hash_depends_on_its_secret() -> None:
    assert suppression_hash(ANA, b"one") != suppression_hash(ANA, b"two")
    assert ANA not in suppression_hash(ANA, b"one")


def test_change_of_case_changes_the_spelling_only(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    before = len(world.basket.calls)

    world.change_email("ana", ANA.upper())
    world.run(60)

    assert world.contact(ANA).email == ANA.upper()
    assert len(world.basket.calls) == before


def test_move_subscribes_the_new_address_before_it_unsubscribes_the_old_one(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))

    world.change_email("ana", NEW)
    world.run(1)

    assert [kind for kind, _ in calls(world)][-2:] == ["subscribe", "unsubscribe"]
    assert world.basket.has(NEW) == {PHONE}


@pytest.mark.parametrize("drained", [True, False])
def test_move_leaves_nothing_at_each_address_it_passed(world: World, *, drained: bool) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.own_subscribe(NEW, NDA)

    world.change_email("ana", NEW)
    if drained:
        world.drain()
    world.change_email("ana", THIRD)
    world.settle()

    assert world.basket.has(THIRD) >= {PHONE}
    assert world.basket.has(ANA) == world.basket.has(NEW) == set()
    assert {contact.email for contact in world.rows.contacts.values()} == {THIRD}


@pytest.mark.parametrize("drained", [True, False])
def test_return_to_an_address_drops_the_move_away_from_it(world: World, *, drained: bool) -> None:
    joined(world, ("ana", ANA, PHONE))

    world.change_email("ana", NEW)
    if drained:
        world.drain()
    world.change_email("ana", ANA)
    world.settle()

    assert world.basket.has(ANA) == {PHONE}
    assert "unsubscribe" not in [kind for kind, _ in calls(world)]


def test_return_while_the_move_is_under_way_ends_at_the_old_address(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.change_email("ana", NEW)
    world.crash_before = "unsubscribe"
    world.run(1)

    world.change_email("ana", ANA)
    world.settle()

    assert world.basket.has(ANA) == {PHONE}
    assert world.basket.has(NEW) == set()


def test_members_who_swap_addresses_both_keep_what_they_want(world: World) -> None:
    joined(world, ("ana", ANA, PHONE), ("ben", BEN, PHONE))

    world.change_email("ana", BEN)
    world.change_email("ben", ANA)
    world.settle()

    assert world.basket.has(ANA) == world.basket.has(BEN) == {PHONE}
    assert calls(world, "unsubscribe") == []


def test_member_who_takes_over_an_address_does_not_get_the_former_owners_newsletters(
    world: World,
) -> None:
    joined(world, ("ana", ANA, PHONE, NDA), ("ben", BEN, PHONE))

    world.change_email("ana", NEW)
    world.change_email("ben", ANA)
    world.settle()

    assert world.basket.has(NEW) == {PHONE, NDA}
    assert world.basket.has(ANA) == {PHONE}
    assert world.basket.has(BEN) == set()


def test_deletion_drops_the_moves_of_a_member(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.change_email("ana", NEW)
    world.drain()

    world.delete("ana")
    world.settle()

    assert world.basket.has(ANA) == world.basket.has(NEW) == set()
    assert not world.rows.contacts
    assert not world.rows.moves


def test_emptied_address_takes_the_newsletters_away(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))

    world.change_email("ana", "")
    world.settle()

    assert world.basket.has(ANA) == set()
    assert world.member("ana").contact_id is None
    assert not world.rows.contacts


def test_opt_outs_go_along_over_an_emptied_address(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.own_unsubscribe(ANA, PHONE)
    look(world)

    world.change_email("ana", "")
    world.settle()
    world.change_email("ana", NEW)
    world.settle()

    assert world.basket.has(NEW) == set()


def test_decisions_move_along_with_the_member(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.order("ana", EXTRA)
    world.order("ana", PHONE, subscribe=False)
    world.run(60)

    world.change_email("ana", NEW)
    world.settle()

    assert world.basket.has(NEW) == {EXTRA}


def test_member_who_leaves_a_mailbox_takes_its_opt_outs_along(world: World) -> None:
    joined(world, ("ana", ANA, PHONE), ("ben", ANA))
    world.basket.own_unsubscribe(ANA, PHONE)
    look(world)

    world.change_email("ben", BEN)
    world.run(60)
    world.entitle("ben", PHONE)
    world.settle()

    assert world.basket.has(BEN) == set()


def test_opt_outs_of_a_deleted_member_stay_with_the_mailbox(world: World) -> None:
    joined(world, ("ana", ANA, PHONE), ("ben", ANA))
    world.opt_out("ana", PHONE)
    world.delete("ana")
    world.settle()

    world.entitle("ben", PHONE)
    world.settle()

    assert world.basket.has(ANA) == set()


@pytest.mark.parametrize("before", [BEN, ""])
@pytest.mark.parametrize("first", ["the deletion", "the move"])
def test_opt_outs_of_a_deleted_account_stand_against_the_account_it_was_merged_into(
    world: World, first: str, before: str
) -> None:
    joined(world, ("ana", ANA, PHONE), ("ben", before, PHONE))
    world.opt_out("ana", PHONE)
    world.settle()

    if first == "the deletion":
        world.delete("ana")
    world.change_email("ben", ANA)
    if first == "the move":
        world.delete("ana")
    world.settle()

    assert world.basket.has(ANA) == set()


def test_opt_outs_of_a_deleted_member_end_if_somebody_else_there_wants_it(world: World) -> None:
    joined(world, ("ana", ANA, PHONE), ("ben", ANA, PHONE))
    world.opt_out("ana", PHONE)

    world.delete("ana")
    world.settle()

    assert world.basket.has(ANA) == {PHONE}


@pytest.mark.parametrize("chosen", [False, True])
@pytest.mark.parametrize("how", ["a new account", "a moved one"])
def test_opt_outs_of_a_deleted_member_stand_if_somebody_who_came_later_was_drained_first(
    world: World, how: str, *, chosen: bool
) -> None:
    joined(world, ("ana", ANA, PHONE), ("ben", BEN, PHONE))
    world.opt_out("ana", PHONE)
    world.run(60)
    left_at, deleted = world.now, world.member("ana").id
    world.wait(seconds=1)

    if how == "a new account":
        world.join("ana again", ANA, PHONE)
    else:
        world.change_email("ben", ANA)
    world.drain()
    if chosen:
        world.opt_in("ana again" if how == "a new account" else "ben", PHONE)
        look(world)
        look(world)
    world.site.pop("ana")
    world.wait(seconds=1)
    world.evaluate([Standing(deleted, deleted=True, changed_at=left_at)])
    world.settle()

    assert world.basket.has(ANA) == ({PHONE} if chosen else set())


@pytest.mark.parametrize("vouched_first", [True, False])
def test_mate_keeps_a_newsletter_that_they_had_before_the_deletion_drained_with_it(
    world: World, *, vouched_first: bool
) -> None:
    world.join("ben", ANA)
    joined(world, ("ana", ANA, PHONE))
    world.opt_out("ana", PHONE)
    world.run(60)
    ana, ben, now = world.member("ana").id, world.member("ben"), world.now
    before, after = now - timedelta(seconds=2), now - timedelta(seconds=1)

    world.site.pop("ana")
    vouched_at, left_at = (before, after) if vouched_first else (after, before)
    world.evaluate(
        [
            Standing(ana, deleted=True, changed_at=left_at),
            Standing(ben.id, ben.contact_id, ANA, {PHONE: True}, changed_at=vouched_at),
        ]
    )
    world.site["ben"].entitled[PHONE] = True
    world.settle()

    assert world.basket.has(ANA) == ({PHONE} if vouched_first else set())


def test_deleted_members_opt_outs_stay_with_the_last_mailbox(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.opt_out("ana", PHONE)
    world.run(60)

    world.change_email("ana", NEW)
    world.delete("ana")
    world.settle()
    world.join("ana again", NEW, PHONE)
    world.settle()

    assert world.basket.has(NEW) == set()


def test_old_address_keeps_everything_if_the_new_one_is_refused(world: World) -> None:
    joined(world, ("ana", ANA, PHONE, NDA))
    world.basket.refused.add(NEW)
    world.change_email("ana", NEW)
    world.settle()
    assert world.basket.has(ANA) == {PHONE, NDA}

    world.entitle("ana", NDA, entitled=False)
    world.settle()

    assert world.basket.has(ANA) == {PHONE}


def test_blocked_domain_of_the_new_address_counts_as_refused(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.blocked.add("new.example.com")

    world.change_email("ana", NEW)
    world.settle()

    assert world.basket.has(ANA) == {PHONE}
    assert world.subscription(NEW, PHONE).state == State.REFUSED


def test_old_address_is_cleared_once_a_refused_member_has_a_better_one(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.refused.add(NEW)
    world.change_email("ana", NEW)
    world.settle()

    world.change_email("ana", THIRD)
    world.settle()

    assert world.basket.has(ANA) == set()
    assert world.basket.has(THIRD) == {PHONE}
    assert {contact.email for contact in world.rows.contacts.values()} == {THIRD}


def test_member_at_a_refused_address_is_subscribed_at_a_corrected_one(world: World) -> None:
    world.basket.refused.add(NEW)
    joined(world, ("ana", NEW, PHONE))

    world.change_email("ana", ANA)
    world.settle()

    assert world.basket.has(ANA) == {PHONE}


def test_newsletter_leaves_only_once_all_who_moved_have_it(world: World) -> None:
    joined(world, ("ana", ANA, PHONE), ("ben", ANA, PHONE))
    world.basket.refused.add(BEN)

    world.change_email("ana", NEW)
    world.change_email("ben", BEN)
    world.settle()
    assert world.basket.has(ANA) == {PHONE}

    world.basket.refused.clear()
    world.retry()
    world.settle()

    assert world.basket.has(ANA) == set()
    assert world.basket.has(NEW) == world.basket.has(BEN) == {PHONE}


def test_newsletter_stays_while_the_last_lookup_does_not_show_it_at_the_new_address(
    world: World,
) -> None:
    joined(world, ("ben", BEN, PHONE))
    world.join("cem", NEW, PHONE)
    world.run(1)  # a call has confirmed it, and no lookup has shown it
    world.basket.opt_out_of_all(NEW)

    world.change_email("ben", NEW)
    world.opt_in("ben", PHONE)
    world.run(2)
    meanwhile = world.basket.has(BEN) | world.basket.has(NEW)
    world.settle()

    assert meanwhile == {PHONE}
    assert (world.basket.has(BEN), world.basket.has(NEW)) == (set(), {PHONE})


def test_move_to_a_refused_address_outlasts_a_mate_who_wants_the_same(world: World) -> None:
    joined(world, ("ana", ANA, PHONE), ("ben", ANA, PHONE))
    world.basket.refused.add(NEW)
    world.change_email("ana", NEW)
    world.run(60)

    world.entitle("ben", PHONE, entitled=False)
    world.settle()

    assert world.basket.has(ANA) == {PHONE}


def test_opt_out_made_just_before_the_move_is_found_first(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.own_unsubscribe(ANA, PHONE)

    world.change_email("ana", NEW)
    world.settle()

    assert calls(world, "subscribe") == [("subscribe", ANA)]
    assert world.basket.has(NEW) == set()


@pytest.mark.parametrize("known", [True, False])
def test_opt_out_goes_along_with_a_mate_who_had_not_decided_on_it(
    world: World, *, known: bool
) -> None:
    joined(world, ("ana", ANA, PHONE), ("ben", ANA))
    world.basket.own_unsubscribe(ANA, PHONE)
    if known:
        look(world)

    world.change_email("ben", NEW)
    world.settle()
    world.entitle("ben", PHONE)
    world.settle()

    assert world.basket.has(NEW) == set()


@pytest.mark.parametrize("there_already", [True, False])
def test_opt_in_after_the_move_outlasts_the_opt_out_before_it(
    world: World, *, there_already: bool
) -> None:
    joined(world, ("ana", ANA, PHONE))
    if there_already:
        world.basket.own_subscribe(NEW, PHONE)
    world.basket.own_unsubscribe(ANA, PHONE)
    world.change_email("ana", NEW)
    world.drain()
    world.wait(seconds=60)

    world.opt_in("ana", PHONE)
    world.settle()

    assert world.basket.has(NEW) == {PHONE}
    assert world.decision("ana", PHONE).opted_out_at is None


def test_target_waits_while_the_source_cannot_be_looked_up(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.change_email("ana", NEW)
    world.drain()
    target = world.contact(NEW).id

    world.sync([target])
    assert world.basket.has(NEW) == set()
    world.run(60)

    assert world.basket.has(NEW) == {PHONE}


def test_undecided_newsletter_of_the_source_moves_along(world: World) -> None:
    joined(world, ("ana", ANA))
    world.basket.own_subscribe(ANA, EXTRA, FOREIGN)

    world.change_email("ana", NEW)
    world.settle()

    assert world.basket.has(NEW) == {EXTRA}
    assert world.basket.has(ANA) == {FOREIGN}
    assert world.decision("ana", EXTRA).decided_by == "member"


def test_undecided_newsletter_stays_with_a_mate_and_moves_along(world: World) -> None:
    joined(world, ("ana", ANA), ("ben", ANA))
    world.basket.own_subscribe(ANA, EXTRA)

    world.change_email("ana", NEW)
    world.settle()

    assert world.basket.has(ANA) == world.basket.has(NEW) == {EXTRA}


@pytest.mark.parametrize("drained", [True, False])
@pytest.mark.parametrize("how", ["moves there", "joins"])
def test_undecided_newsletter_moves_along_although_its_next_owner_decided_on_it(
    world: World, how: str, *, drained: bool
) -> None:
    joined(world, ("ana", ANA), ("ben", BEN, PHONE))
    world.entitle("ben", PHONE, entitled=False)
    look(world)
    world.basket.own_subscribe(ANA, PHONE)
    world.change_email("ana", NEW)
    if drained:
        world.drain()
        world.wait(seconds=1)

    if how == "moves there":
        world.change_email("ben", ANA)
    else:
        world.join("cem", ANA, PHONE)
    world.settle()

    assert world.basket.has(NEW) == {PHONE}
    assert world.basket.has(ANA) == (set() if how == "moves there" else {PHONE})


def test_mates_newsletter_does_not_move_along(world: World) -> None:
    joined(world, ("ana", ANA), ("ben", ANA, PHONE))

    world.change_email("ana", NEW)
    world.settle()

    assert world.basket.has(ANA) == {PHONE}
    assert world.basket.has(NEW) == set()


def test_newsletter_that_a_mate_left_there_does_not_move_along(world: World) -> None:
    joined(world, ("ana", ANA), ("ben", ANA, PHONE))
    world.basket.refused.add(BEN)
    world.change_email("ben", BEN)
    world.run(60)

    world.change_email("ana", NEW)
    world.settle()

    assert world.basket.has(ANA) == {PHONE}
    assert world.basket.has(NEW) == set()


@pytest.mark.parametrize("fault", [Fault.NONE, Fault.LOST_AFTER])
def test_newsletter_of_the_next_owner_does_not_move_along(world: World, fault: Fault) -> None:
    joined(world, ("ana", ANA, NDA))
    world.basket.refused.add(NEW)
    world.change_email("ana", NEW)
    world.run(60)

    world.basket.fault = fault
    world.join("ben", ANA, PHONE)
    world.run(60)
    look(world)
    world.basket.refused.clear()
    world.retry()
    world.settle()

    assert world.basket.has(ANA) == {PHONE}
    assert world.basket.has(NEW) == {NDA}


def test_newsletter_that_the_next_owner_gets_during_a_sync_does_not_move_along(
    world: World,
) -> None:
    joined(world, ("ana", ANA))
    plain = world.between_steps

    def move() -> None:
        plain()
        world.between_steps = plain  # type: ignore[method-assign]
        world.change_email("ana", NEW)
        world.join("ben", ANA, PHONE)
        world.drain()
        plain()

    world.entitle("ana", NDA)
    world.drain()
    world.between_steps = move  # type: ignore[method-assign]
    world.settle()

    assert world.basket.has(ANA) == {PHONE}
    assert world.basket.has(NEW) == {NDA}


def test_order_made_after_the_move_beats_what_the_source_has(world: World) -> None:
    joined(world, ("ana", ANA))
    world.basket.own_subscribe(ANA, EXTRA)
    world.change_email("ana", NEW)
    world.drain()

    world.order("ana", EXTRA, subscribe=False)
    world.settle()

    assert world.basket.has(NEW) == set()


def test_contact_of_a_deleted_member_is_cleared_of_everything_of_ours(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.own_subscribe(ANA, EXTRA, FOREIGN)

    world.delete("ana")
    world.settle()

    assert world.basket.has(ANA) == {FOREIGN}
    assert not world.rows.contacts
    assert not world.rows.subscriptions


def test_deletion_of_a_member_known_only_to_a_touch_clears_the_address(world: World) -> None:
    world.basket.own_subscribe(ANA, PHONE)
    world.join("ana", ANA)
    world.touches.clear()

    world.delete("ana")
    world.settle()

    assert world.basket.has(ANA) == set()
    assert not world.rows.contacts


def test_clearing_ends_when_somebody_arrives(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.own_subscribe(ANA, EXTRA)
    world.delete("ana")
    world.drain()

    world.join("ben", ANA, PHONE)
    world.settle()

    assert world.basket.has(ANA) == {PHONE, EXTRA}


@pytest.mark.parametrize("how", ["deleted", "moved", "emptied"])
def test_address_that_was_left_during_a_loss_is_cleared_after_it(world: World, how: str) -> None:
    joined(world, ("ana", ANA, PHONE))
    crowd_of(world, 5)
    world.basket.lose_people()
    if how == "deleted":
        world.delete("ana")
    else:
        world.change_email("ana", NEW if how == "moved" else "")
    world.run(3600)
    assert world.rows.questions

    world.basket.restore_people()
    world.settle()

    assert world.basket.has(ANA) == set()


@pytest.mark.parametrize("how", ["deleted", "moved"])
def test_shared_address_that_was_left_during_a_loss_is_unsubscribed_after_it(
    world: World, how: str
) -> None:
    joined(world, ("ana", ANA, PHONE), ("ben", ANA))
    crowd_of(world, 5)
    world.basket.lose_people()
    if how == "deleted":
        world.delete("ana")
    else:
        world.change_email("ana", NEW)
    world.run(3600)

    world.basket.restore_people()
    world.settle()

    assert world.basket.has(ANA) == set()


def test_address_that_was_left_is_erased_a_day_after_its_person_was_gone(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.lose_people(ANA)
    world.delete("ana")

    world.run(12 * 3600)
    assert [contact.problem for contact in world.rows.contacts.values()] == [""]
    world.run(13 * 3600)

    assert not world.rows.contacts


def test_mailbox_that_opted_out_leaves_a_suppression(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.own_unsubscribe(ANA, PHONE)
    look(world)

    world.delete("ana")
    world.settle()

    assert not world.rows.contacts
    assert [row.newsletter for row in world.suppressions[suppression_hash(ANA, SECRET)][0]] == [
        PHONE
    ]


def test_mailbox_that_was_left_at_basket_gives_nobody_an_opt_out_after_its_erasure(
    world: World,
) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.rename(ANA, "elsewhere@example.com")
    look(world)
    world.delete("ana")
    world.settle()
    assert world.suppressions

    world.join("ben", ANA, PHONE)
    world.settle()
    world.change_email("ben", NEW)
    world.settle()

    assert world.basket.has(ANA) == set()
    assert world.basket.has(NEW) == {PHONE}


@pytest.mark.parametrize("at_once", [True, False])
def test_opt_out_that_is_undecided_when_a_member_who_moved_is_deleted_stays(
    world: World, at_once: bool
) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.own_unsubscribe(ANA, PHONE)
    world.change_email("ana", NEW)
    world.drain()
    world.sync(world.due())
    assert world.subscription(ANA, PHONE).missing_at

    world.delete("ana")
    world.drain()
    if not at_once:
        world.settle()
    world.join("ana again", NEW, PHONE)
    world.settle()

    assert world.basket.has(NEW) == set()


def test_undecided_opt_out_of_a_member_who_is_deleted_is_not_that_of_others_there(
    world: World,
) -> None:
    joined(world, ("ana", ANA, PHONE), ("ben", NEW, PHONE))
    world.basket.own_unsubscribe(ANA, PHONE)
    world.change_email("ana", NEW)
    world.drain()
    world.sync(world.due())

    world.delete("ana")
    world.settle()

    assert world.basket.has(NEW) == {PHONE}


def test_person_who_came_back_after_the_erasure_is_not_unsubscribed(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.own_unsubscribe(ANA, PHONE)
    look(world)
    world.delete("ana")
    world.settle()
    world.basket.own_subscribe(ANA, PHONE)

    world.join("ana again", ANA)
    look(world, ANA)
    world.settle()

    assert world.basket.has(ANA) == {PHONE}


def test_erasure_waits_for_a_subscribe_that_is_unanswered(world: World) -> None:
    world.basket.read_only = True
    world.join("ana", ANA, PHONE)
    world.run(1)
    world.delete("ana")
    world.run(3 * 3600)
    assert world.contact(ANA) is not None

    world.basket.read_only = False
    world.basket.work()
    world.settle()

    assert world.basket.has(ANA) == set()
    assert world.contact(ANA) is None


def test_order_first_drains_the_touches_before_it(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.entitle("ana", PHONE, entitled=False)

    world.order("ana", PHONE)
    world.settle()

    assert world.basket.has(ANA) == {PHONE}


# Addresses that only an order named.


def test_address_without_a_member_keeps_what_an_order_gave_it(world: World) -> None:
    world.order_address(ANA, EXTRA, subscribe=True)

    world.settle()

    assert world.basket.has(ANA) == {EXTRA}
    assert not world.rows.members
    assert not world.rows.contacts


def test_unsubscribe_of_an_address_without_a_member_takes_only_what_it_names(world: World) -> None:
    world.basket.own_subscribe(ANA, EXTRA, PHONE)

    world.order_address(ANA, EXTRA, subscribe=False)
    world.settle()

    assert world.basket.has(ANA) == {PHONE}
    assert not world.rows.contacts


def test_unsubscribe_of_an_address_without_a_member_is_carried_out_after_a_loss(
    world: World,
) -> None:
    crowd_of(world, 10)
    world.basket.own_subscribe(BEN, PHONE, FOREIGN)
    world.basket.lose_people()
    look(world)
    assert world.rows.question(PHONE)

    world.order_address(BEN, PHONE, subscribe=False)
    world.run(3600)
    world.basket.restore_people()
    world.settle()

    assert world.basket.has(BEN) == {FOREIGN}


def test_address_without_a_member_moves_with_what_it_has(world: World) -> None:
    world.basket.own_subscribe(ANA, EXTRA, FOREIGN)

    world.update_address(ANA, NEW)
    world.settle()

    assert world.basket.has(ANA) == {FOREIGN}
    assert world.basket.has(NEW) == {EXTRA}
    assert not world.rows.contacts


@pytest.mark.parametrize("newsletter", [NDA, PHONE])
def test_order_for_the_old_address_keeps_nothing_there_before_its_lookup(
    world: World, newsletter: str
) -> None:
    world.basket.own_subscribe(ANA, PHONE, EXTRA)
    world.update_address(ANA, NEW)

    world.order_address(ANA, newsletter, subscribe=False)
    world.settle()

    assert world.basket.has(ANA) == set()
    assert world.basket.has(NEW) == {PHONE, EXTRA}
    assert not world.rows.contacts


def test_address_that_moves_to_another_ones_old_address_keeps_nothing_of_that_one(
    world: World,
) -> None:
    world.basket.own_subscribe(ANA, PHONE, EXTRA)
    world.basket.own_subscribe(BEN, NDA)
    world.update_address(ANA, NEW)

    world.update_address(BEN, ANA)
    world.settle()

    assert world.basket.has(BEN) == set()
    assert world.basket.has(ANA) == {NDA}
    assert world.basket.has(NEW) == {PHONE, EXTRA}
    assert not world.rows.contacts


def test_unsubscribed_address_that_moves_to_an_old_address_keeps_nothing_from_the_new_one(
    world: World,
) -> None:
    world.basket.own_subscribe(ANA, PHONE, EXTRA)
    world.update_address(ANA, NEW)

    world.order_address(BEN, PHONE, subscribe=False)
    world.update_address(BEN, ANA)
    world.settle()

    assert world.basket.has(ANA) == set()
    assert world.basket.has(NEW) == {PHONE, EXTRA}
    assert not world.rows.contacts


def test_second_new_address_of_an_address_gets_nothing_that_the_first_one_took(
    world: World,
) -> None:
    world.basket.own_subscribe(ANA, PHONE)
    world.update_address(ANA, NEW)
    world.wait(seconds=1)

    world.update_address(ANA, THIRD)
    world.settle()

    assert world.basket.has(ANA) == world.basket.has(THIRD) == set()
    assert world.basket.has(NEW) == {PHONE}
    assert not world.rows.contacts


def test_refused_address_of_an_order_leaves_nothing_behind(world: World) -> None:
    world.basket.refused.add(ANA)

    world.order_address(ANA, PHONE, subscribe=True)
    world.settle()

    assert not world.rows.members
    assert not world.rows.contacts


def test_late_removal_at_a_source_does_not_count_as_an_opt_out_of_its_next_owner(
    world: World,
) -> None:
    joined(world, ("ana", ANA, PHONE), ("ben", BEN, PHONE))
    world.basket.unsubscribe_delays = [timedelta(minutes=10)]
    world.change_email("ana", NEW)
    world.run(5)

    world.change_email("ben", ANA)
    world.settle()

    assert world.basket.has(ANA) == world.basket.has(NEW) == {PHONE}
    assert opt_outs(world) == 0


@pytest.mark.parametrize("drained", [True, False])
def test_opt_outs_of_a_member_who_returned_and_was_deleted_stay_with_that_mailbox(
    world: World, *, drained: bool
) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.opt_out("ana", PHONE)
    world.run(60)
    world.change_email("ana", NEW)
    if drained:
        world.drain()
    world.change_email("ana", ANA)

    world.delete("ana")
    world.settle()
    world.join("ana again", ANA, PHONE)
    world.join("ben", NEW, PHONE)
    world.settle()

    assert world.basket.has(ANA) == set()
    assert world.basket.has(NEW) == {PHONE}


def test_address_that_a_member_without_one_passed_is_erased(world: World) -> None:
    world.join("ana", ANA, PHONE)
    world.change_email("ana", "")

    world.settle()

    assert not world.rows.contacts


def test_order_despite_opt_outs_outlasts_a_mailbox_that_the_member_passes(world: World) -> None:
    joined(world, ("ana", ANA), ("ben", BEN, PHONE))
    world.basket.own_unsubscribe(BEN, PHONE)
    look(world)
    world.order("ana", PHONE, despite_opt_out=True)
    world.change_email("ana", BEN)
    world.drain()
    world.change_email("ana", NEW)

    world.settle()

    assert world.basket.has(NEW) == {PHONE}


def test_sharp_s_in_a_domain_is_another_domain_than_double_s() -> None:
    assert contact_key("ana@straße.example") == "ana@xn--strae-oqa.example"
    assert contact_key("ana@straße.example") != contact_key("ana@strasse.example")


def test_address_that_is_too_long_before_its_domain_is_encoded_is_no_address() -> None:
    assert contact_key(f"ana@exam{chr(0xAD) * 300}ple.com") == ""


def test_subscribe_carried_out_late_at_the_old_address_stays_while_the_new_one_is_refused(
    world: World,
) -> None:
    world.basket.fault, world.basket.late_by = Fault.LATE, timedelta(hours=1)
    world.basket.refused.add(NEW)
    world.join("ana", ANA, PHONE)
    world.run(1)
    world.change_email("ana", NEW)
    world.run(6 * 3600)
    assert world.basket.has(ANA) == {PHONE}

    world.basket.refused.clear()
    world.retry()
    world.settle()

    assert world.basket.has(NEW) == {PHONE}
    assert world.basket.has(ANA) == set()


@pytest.mark.parametrize("drained", [True, False])
@pytest.mark.parametrize("word", ["policy", "order", "opt in"])
def test_newsletter_that_a_mate_decided_on_twice_does_not_move_along(
    world: World, word: str, *, drained: bool
) -> None:
    joined(world, ("ana", ANA), ("ben", ANA, PHONE))

    world.change_email("ana", NEW)
    if drained:
        world.drain()
        world.wait(seconds=1)
    if word == "policy":
        world.entitle("ben", PHONE, entitled=False)
    elif word == "order":
        world.order("ben", PHONE)
    else:
        world.opt_in("ben", PHONE)
    world.settle()

    assert world.basket.has(NEW) == set()
    assert world.basket.has(ANA) == (set() if word == "policy" else {PHONE})


def test_newsletter_of_a_mate_who_came_back_as_the_member_left_does_not_move_along(
    world: World,
) -> None:
    joined(world, ("ana", ANA), ("ben", ANA, PHONE))

    world.change_email("ben", BEN)
    world.change_email("ben", ANA)
    world.change_email("ana", NEW)
    world.settle()

    assert world.basket.has(ANA) == {PHONE}
    assert world.basket.has(NEW) == set()
