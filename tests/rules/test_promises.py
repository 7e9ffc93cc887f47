"""The promises: decisions and opt-outs count, the switch stops calls, and nothing is lost."""

import pytest

from mozillians_basket.rules.evaluate import Result
from tests.rules.stories import ANA, BEN, NEW, calls, joined, look
from tests.rules.world import EXTRA, FOREIGN, NDA, PHONE, World


def test_policy_decides_when_its_outcome_changes(world: World) -> None:
    joined(world, ("ana", ANA))

    world.entitle("ana", PHONE)
    world.settle()
    assert world.basket.has(ANA) == {PHONE}
    world.entitle("ana", PHONE, entitled=False)
    world.settle()

    assert world.basket.has(ANA) == set()


def test_outcome_that_flips_back_before_it_is_noticed_costs_no_call(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    before = len(world.basket.calls)

    world.entitle("ana", PHONE, entitled=False)
    world.entitle("ana", PHONE)
    world.run(60)

    assert len(world.basket.calls) == before


def test_order_stands_until_the_outcome_of_the_policy_changes(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.order("ana", PHONE, subscribe=False)
    world.reconcile()
    world.settle()
    assert world.basket.has(ANA) == set()

    world.entitle("ana", PHONE, entitled=False)
    world.run(60)
    world.entitle("ana", PHONE)
    world.settle()

    assert world.basket.has(ANA) == {PHONE}


def test_admin_may_subscribe_a_member_that_no_policy_means(world: World) -> None:
    joined(world, ("ana", ANA))

    results = world.order("ana", PHONE, EXTRA)
    world.settle()

    assert results == [Result.DECIDED, Result.DECIDED]
    assert world.basket.has(ANA) == {PHONE, EXTRA}


def test_later_choice_of_the_member_beats_an_order(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.order("ana", PHONE, subscribe=False)
    world.run(60)

    world.opt_in("ana", PHONE)
    world.settle()

    assert world.basket.has(ANA) == {PHONE}
    assert world.decision("ana", PHONE).decided_by == "member"


def test_unsubscribe_order_beats_an_order_despite_opt_outs_that_is_under_way(world: World) -> None:
    joined(world, ("ana", ANA))
    world.order("ana", PHONE, despite_opt_out=True)

    world.order("ana", PHONE, subscribe=False)
    world.settle()

    assert world.basket.has(ANA) == set()


def test_order_that_an_opt_out_refuses_says_so_and_leaves_no_decision(world: World) -> None:
    joined(world, ("ana", ANA))
    world.opt_out("ana", PHONE)
    before = world.decision("ana", PHONE)

    results = world.order("ana", PHONE)
    world.settle()

    assert results == [Result.REFUSED]
    assert world.basket.has(ANA) == set()
    assert world.decision("ana", PHONE) == before


def test_order_for_a_mailbox_that_opted_out_is_refused_for_everybody_there(world: World) -> None:
    joined(world, ("ana", ANA, PHONE), ("ben", ANA))
    world.basket.own_unsubscribe(ANA, PHONE)
    look(world)

    results = world.order("ben", PHONE)

    assert results == [Result.REFUSED]
    assert world.decision("ben", PHONE) is None


def test_order_despite_opt_outs_subscribes(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.own_unsubscribe(ANA, PHONE)
    look(world)

    world.order("ana", PHONE, despite_opt_out=True)
    world.settle()

    assert world.basket.has(ANA) == {PHONE}


def test_order_leaves_newsletters_of_others_alone(world: World) -> None:
    joined(world, ("ana", ANA))
    world.basket.own_subscribe(ANA, FOREIGN)

    results = world.order("ana", FOREIGN, subscribe=False)
    world.settle()

    assert results == [Result.LEFT]
    assert world.basket.has(ANA) == {FOREIGN}


@pytest.mark.parametrize("event", ["reconcile", "vouched again", "new address"])
def test_site_opt_out_stands_against_policies(world: World, event: str) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.opt_out("ana", PHONE)
    world.settle()

    if event == "vouched again":
        world.entitle("ana", PHONE, entitled=False)
        world.run(60)
        world.entitle("ana", PHONE)
    elif event == "new address":
        world.change_email("ana", NEW)
    world.reconcile()
    world.settle()

    assert world.basket.has(ANA) == world.basket.has(NEW) == set()


def test_site_opt_out_is_that_members_alone(world: World) -> None:
    joined(world, ("ana", ANA, PHONE), ("ben", ANA, PHONE))

    world.opt_out("ana", PHONE)
    world.settle()

    assert world.basket.has(ANA) == {PHONE}


def test_site_opt_out_takes_away_what_the_member_subscribed_to_at_basket(world: World) -> None:
    world.basket.own_subscribe(ANA, EXTRA)
    joined(world, ("ana", ANA))

    world.opt_out("ana", EXTRA)
    world.settle()

    assert world.basket.has(ANA) == set()


def test_opt_in_restores_what_was_decided_before_the_opt_out(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.opt_out("ana", PHONE)
    world.settle()

    world.opt_in("ana", PHONE)
    world.settle()

    assert world.basket.has(ANA) == {PHONE}


def test_opt_in_works_at_a_mailbox_that_turned_everything_off(world: World) -> None:
    joined(world, ("ana", ANA, PHONE, NDA))
    world.basket.opt_out_of_all(ANA)
    look(world)

    world.opt_in("ana", PHONE)
    world.settle()

    assert world.basket.has(ANA) == {PHONE}


def test_opt_in_of_one_member_ends_the_mailboxs_opt_out_and_its_marks(world: World) -> None:
    joined(world, ("ana", ANA, PHONE), ("ben", ANA, PHONE))
    world.basket.own_unsubscribe(ANA, PHONE)
    look(world)

    world.opt_in("ana", PHONE)
    world.settle()
    world.change_email("ben", BEN)
    world.settle()

    assert world.basket.has(ANA) == world.basket.has(BEN) == {PHONE}


def test_opt_in_of_one_member_leaves_anothers_site_opt_out(world: World) -> None:
    joined(world, ("ana", ANA, PHONE), ("ben", ANA, PHONE))
    world.opt_out("ben", PHONE)
    world.run(60)
    world.basket.own_unsubscribe(ANA, PHONE)
    look(world)

    world.opt_in("ana", PHONE)
    world.settle()
    world.change_email("ben", BEN)
    world.settle()

    assert world.basket.has(ANA) == {PHONE}
    assert world.basket.has(BEN) == set()


def test_opt_in_right_after_a_move_beats_an_opt_out_at_the_old_address(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.own_unsubscribe(ANA, PHONE)
    world.change_email("ana", NEW)
    world.wait(seconds=5)

    world.opt_in("ana", PHONE)
    world.settle()

    assert world.basket.has(NEW) == {PHONE}


def test_opt_out_that_another_mailbox_undid_before_the_member_came_stands(world: World) -> None:
    joined(world, ("ana", ANA, PHONE), ("ben", BEN))
    world.opt_out("ana", PHONE)
    world.run(60)
    look(world)
    world.entitle("ben", NDA)
    world.run(60)
    world.basket.own_subscribe(BEN, PHONE)

    world.change_email("ana", BEN)
    world.settle()
    world.change_email("ana", NEW)
    world.settle()

    assert world.basket.has(NEW) == set()


def test_plain_order_does_not_undo_an_opt_in_that_is_under_way(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    world.basket.opt_out_of_all(ANA)
    look(world)
    world.opt_in("ana", PHONE)

    world.order("ana", PHONE)
    world.settle()

    assert world.basket.has(ANA) == {PHONE}


def test_only_the_difference_is_sent(world: World) -> None:
    world.basket.own_subscribe(ANA, PHONE)

    joined(world, ("ana", ANA, PHONE, NDA))

    assert [names for kind, _, names in world.basket.calls if kind == "subscribe"] == [{NDA}]


def test_nothing_leaves_while_the_switch_is_off_and_the_net_change_does_afterwards(
    world: World,
) -> None:
    joined(world, ("ana", ANA, PHONE))
    before = len(world.basket.calls)
    world.switch = False
    world.entitle("ana", NDA)
    world.change_email("ana", NEW)
    world.run(3600)
    assert len(world.basket.calls) == before

    world.switch = True
    world.settle()

    assert world.basket.has(NEW) == {PHONE, NDA}
    assert world.basket.has(ANA) == set()


@pytest.mark.parametrize("step", ["lookup", "subscribe", "unsubscribe"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("then", ["nothing", "leaves", "unvouched", "moves", "deleted"])
def test_worker_that_dies_in_a_move_loses_nothing(
    world: World, step: str, *, after: bool, then: str
) -> None:
    joined(world, ("ana", ANA, PHONE, NDA))
    world.change_email("ana", NEW)
    world.crash_after, world.crash_before = (step, "") if after else ("", step)
    world.run()
    expected = {PHONE, NDA}

    if then == "leaves":
        world.entitle("ana", NDA, entitled=False)
        expected = {PHONE}
    elif then == "unvouched":
        world.entitle("ana", PHONE, entitled=False)
        expected = {NDA}
    elif then == "moves":
        world.change_email("ana", BEN)
    elif then == "deleted":
        world.delete("ana")
    world.settle()

    home = world.site["ana"].email if "ana" in world.site else ""
    for email in (ANA, NEW, BEN):
        assert world.basket.has(email) == (expected if email == home else set())
    assert len(world.rows.contacts) == (1 if home else 0)


def test_subscribe_that_was_queued_before_the_worker_died_is_taken_back(world: World) -> None:
    world.basket.read_only = True
    world.join("ana", ANA, PHONE)
    world.crash_after = "subscribe"
    world.drain()
    world.sync(world.due())
    world.entitle("ana", PHONE, entitled=False)
    world.run(3600)

    world.basket.read_only = False
    world.basket.work()
    world.settle()

    assert world.basket.has(ANA) == set()


def test_change_between_two_steps_counts(world: World) -> None:
    joined(world, ("ana", ANA, PHONE))
    plain = world.between_steps

    def unvouch() -> None:
        plain()
        world.between_steps = plain  # type: ignore[method-assign]
        world.entitle("ana", NDA, entitled=False)
        world.drain()

    world.entitle("ana", NDA)
    world.drain()
    world.between_steps = unvouch  # type: ignore[method-assign]
    world.run(60)

    assert world.basket.has(ANA) == {PHONE}
    assert len(calls(world, "subscribe")) == 1
