"""What is recorded and sent for whom: the rules of ``plan``, one by one."""

import pytest

from mozillians_basket.plan import Account, Line, Lookup, Person, differs, plan
from mozillians_basket.states import State

OLD, NEW = "old@example.com", "new@example.com"
PHONE, NDA = "mozilla-phone", "mozillians-nda"
OURS = frozenset({PHONE, NDA})


def account(*lines, email=OLD, wanted_email=None, **fields):
    wanted_email = email if wanted_email is None else wanted_email
    return Account(email=email, wanted_email=wanted_email, lines=lines, ours=OURS, **fields)


def person(*newsletters, email=OLD, **fields):
    return Person(email, "token", frozenset(newsletters), **fields)


def staying(current):
    return Lookup(target=OLD, current=current)


def moved(current, new):
    return Lookup(target=NEW, current=current, new=new, asked_for_new=True)


def wanted(state=State.UNKNOWN, newsletter=PHONE, **fields):
    return Line(newsletter, wanted=True, state=state, entitled=True, **fields)


def unwanted(state=State.UNKNOWN, newsletter=PHONE, **fields):
    return Line(newsletter, wanted=False, state=state, **fields)


def test_who_lacks_what_they_are_to_have_is_subscribed():
    todo = plan(account(wanted()), staying(None))

    assert (todo.subscribe, todo.unsubscribe) == ({PHONE}, set())


def test_what_is_there_already_is_written_down_and_not_sent():
    todo = plan(account(wanted()), staying(person(PHONE)))

    assert (todo.subscribe, todo.unsubscribe) == (set(), set())
    assert todo.states == {PHONE: State.SUBSCRIBED}


def test_what_is_there_but_not_confirmed_is_awaited_and_not_sent_again():
    todo = plan(account(wanted()), staying(person(PHONE, confirmed=False)))

    assert todo.subscribe == set()
    assert todo.states == {PHONE: State.AWAITING}


def test_who_is_not_to_have_it_any_more_is_unsubscribed():
    todo = plan(account(unwanted(State.SUBSCRIBED)), staying(person(PHONE, "about-mozilla")))

    assert todo.unsubscribe == {PHONE}


def test_what_is_gone_and_was_not_wanted_any_more_is_an_unsubscription():
    todo = plan(account(unwanted()), staying(None))

    assert todo.states == {PHONE: State.UNSUBSCRIBED}


def test_a_newsletter_of_others_is_never_touched():
    lines = (wanted(newsletter="about-mozilla"), unwanted(newsletter="firefox-tips"))

    todo = plan(account(*lines), staying(person("firefox-tips")))

    assert (todo.subscribe, todo.unsubscribe, todo.states) == (set(), set(), {})


def test_a_confirmed_newsletter_that_is_gone_is_an_opt_out():
    todo = plan(account(wanted(State.SUBSCRIBED)), staying(person()))

    assert todo.subscribe == set()
    assert todo.states == {PHONE: State.OPTED_OUT}


def test_a_newsletter_that_this_site_is_removing_is_no_opt_out():
    line = wanted(State.SUBSCRIBED, removal_pending=True)

    todo = plan(account(line), staying(person()))

    assert todo.subscribe == {PHONE}
    assert todo.removed == {PHONE}


def test_a_wanted_newsletter_that_a_late_removal_may_still_take_is_looked_at_again():
    line = wanted(State.UNSUBSCRIBED, removal_pending=True)

    todo = plan(account(line), staying(person(PHONE)))

    assert todo.states == {PHONE: State.SUBSCRIBED}
    assert todo.recheck == {PHONE}


def test_who_opted_out_earlier_is_not_subscribed():
    todo = plan(account(wanted(State.OPTED_OUT)), staying(person()))

    assert todo.subscribe == set()
    assert todo.states == {PHONE: State.OPTED_OUT}


@pytest.mark.parametrize("state", [State.UNKNOWN, State.UNSUBSCRIBED, State.REFUSED])
def test_who_turned_everything_off_is_not_subscribed(state):
    todo = plan(account(wanted(state)), staying(person(opted_out=True)))

    assert todo.subscribe == set()
    assert todo.states == {PHONE: State.OPTED_OUT}


def test_an_admin_s_explicit_word_overrides_an_opt_out():
    line = wanted(State.OPTED_OUT, despite_opt_out=True)

    todo = plan(account(line), staying(person(opted_out=True)))

    assert todo.subscribe == {PHONE}


def test_who_subscribed_again_on_their_own_has_returned():
    todo = plan(account(wanted(State.OPTED_OUT)), staying(person(PHONE)))

    assert todo.returned == {PHONE}
    assert todo.states == {PHONE: State.SUBSCRIBED}


def test_a_changed_address_takes_along_what_is_wanted():
    todo = plan(
        account(wanted(State.SUBSCRIBED), wanted_email=NEW),
        moved(person(PHONE), None),
    )

    assert (todo.subscribe, todo.unsubscribe) == ({PHONE}, {PHONE})


def test_a_newsletter_of_ours_that_nobody_decided_on_moves_along():
    todo = plan(account(wanted_email=NEW), moved(person(NDA, "about-mozilla"), None))

    assert (todo.subscribe, todo.unsubscribe) == ({NDA}, {NDA})


def test_what_the_new_address_has_already_is_not_sent():
    todo = plan(
        account(wanted(State.SUBSCRIBED), wanted_email=NEW),
        moved(person(PHONE), person(PHONE, email=NEW)),
    )

    assert (todo.subscribe, todo.unsubscribe) == (set(), {PHONE})
    assert todo.states == {PHONE: State.SUBSCRIBED}


def test_what_is_not_wanted_does_not_move():
    todo = plan(
        account(unwanted(State.SUBSCRIBED), wanted_email=NEW),
        moved(person(PHONE), None),
    )

    assert (todo.subscribe, todo.unsubscribe) == (set(), {PHONE})


@pytest.mark.parametrize("side", ["old", "new"])
def test_an_opt_out_of_either_address_holds_for_the_new_one(side):
    lookup = moved(
        person(NDA, opted_out=side == "old"),
        person(email=NEW, opted_out=side == "new"),
    )

    todo = plan(account(wanted(State.SUBSCRIBED), wanted_email=NEW), lookup)

    assert todo.subscribe == set()
    assert todo.states == {PHONE: State.OPTED_OUT}


def test_an_explicit_word_for_one_newsletter_brings_no_other_to_an_address_that_opted_out():
    line = wanted(State.OPTED_OUT, despite_opt_out=True)
    lookup = moved(person(NDA), person(email=NEW, opted_out=True))

    after = plan(
        account(line, wanted_email=NEW), lookup.after_subscribe({PHONE}, "token", moving=True)
    )

    assert after.subscribe == set()


def test_an_opt_out_of_one_newsletter_follows_to_the_new_address():
    todo = plan(account(wanted(State.SUBSCRIBED), wanted_email=NEW), moved(person(NDA), None))

    assert todo.subscribe == {NDA}
    assert todo.states == {PHONE: State.OPTED_OUT}


def test_a_newsletter_that_was_refused_before_is_tried_at_the_new_address():
    todo = plan(account(wanted(State.REFUSED), wanted_email=NEW), moved(None, None))

    assert todo.subscribe == {PHONE}


def test_a_change_of_case_is_no_move():
    assert not account(wanted_email=OLD.upper()).moving


def test_who_changed_to_an_address_that_basket_refuses_stays_as_they_are():
    stranded = account(
        wanted(State.SUBSCRIBED),
        wanted(State.UNKNOWN, NDA),
        wanted_email=NEW,
        refused_email=NEW,
    )

    todo = plan(stranded, staying(person(PHONE)))

    assert (todo.subscribe, todo.unsubscribe) == (set(), set())
    assert todo.states == {PHONE: State.SUBSCRIBED, NDA: State.REFUSED}


def test_a_refused_newsletter_is_not_tried_again():
    refused = account(wanted(State.REFUSED))

    todo = plan(refused, staying(None))

    assert todo.subscribe == set()
    assert not differs(refused)


def test_who_leaves_loses_everything_of_ours_and_nothing_else():
    leaving = account(wanted(State.SUBSCRIBED), wanted_email="")

    todo = plan(leaving, staying(person(PHONE, NDA, "about-mozilla")))

    assert (todo.subscribe, todo.unsubscribe) == (set(), {PHONE, NDA})


@pytest.mark.parametrize("wanted_email", ["", NEW])
def test_what_another_member_with_the_address_wants_is_kept_there(wanted_email):
    going = account(
        unwanted(State.SUBSCRIBED), wanted_email=wanted_email, kept=frozenset({PHONE, NDA})
    )
    lookup = moved(person(PHONE, NDA), None) if wanted_email else staying(person(PHONE, NDA))

    todo = plan(going, lookup)

    assert (todo.subscribe, todo.unsubscribe) == (set(), set())


def test_what_another_member_wants_is_no_difference_for_ever():
    todo = plan(
        account(unwanted(State.SUBSCRIBED), kept=frozenset({PHONE})), staying(person(PHONE))
    )

    assert todo.unsubscribe == set()
    assert todo.states == {PHONE: State.UNSUBSCRIBED}


def test_a_newsletter_that_is_no_longer_ours_is_no_difference():
    assert not differs(account(wanted(newsletter="about-mozilla")))
    assert not differs(account(unwanted(State.SUBSCRIBED, "about-mozilla")))
