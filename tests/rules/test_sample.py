"""The control sample tells opt-outs from losses, at every size."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mozillians_basket.rules.rows import Question, Settings, State
from mozillians_basket.rules.sample import (
    Ending,
    Sample,
    Verdict,
    control_sample,
    end_copies,
    end_question,
    is_over,
    opt_out_missing,
    reopen,
    verdict,
)
from tests.rules.stories import (
    ANA,
    NEW,
    at,
    contact,
    crowd_of,
    joined,
    look,
    opt_outs,
    opts_out,
    rows_of,
    shown,
)
from tests.rules.world import (
    EXTRA,
    NDA,
    PHONE,
    SETTINGS,
    START,
    Decision,
    Member,
    Subscription,
    World,
)

Crowd = Callable[[int], list[str]]


@pytest.mark.parametrize("size", [1, 2, 5, 50, 300])
def test_opt_out_of_one_person_is_concluded_within_two_minutes(
    world: World, crowd: Crowd, size: int
) -> None:
    emails = crowd(size)
    world.basket.own_unsubscribe(emails[0], PHONE)

    world.verify(emails[0])
    world.run(120)

    assert world.subscription(emails[0], PHONE).state == State.OPTED_OUT
    assert opt_outs(world) == 1


@pytest.mark.parametrize("size", [5, 50, 300])
@pytest.mark.parametrize("lost", ["people", "newsletter"])
def test_total_loss_asks_admins_and_concludes_nothing(
    world: World, crowd: Crowd, size: int, lost: str
) -> None:
    crowd(size)
    if lost == "people":
        world.basket.lose_people()
    else:
        world.basket.lose_newsletter(PHONE)

    world.verify("crowd0@example.com")
    world.run(60)
    world.verify()
    world.run(600)

    question = world.rows.question(PHONE)
    assert opt_outs(world) == 0
    assert question is not None
    assert question.missing == size


@pytest.mark.parametrize("lost", ["people", "newsletter"])
def test_lost_subscription_that_no_lookup_asked_for_before_the_answer_is_no_opt_out(
    world: World, crowd: Crowd, lost: str
) -> None:
    emails = crowd(53)
    if lost == "people":
        world.basket.lose_people()
    else:
        world.basket.lose_newsletter(PHONE)
    world.verify(emails[0])
    world.run(60)
    waiting = {row.contact_id for row in world.rows.of(PHONE) if row.missing_at is None}

    world.answer(PHONE, lost=True)
    world.run(60)
    look(world)
    world.settle()

    assert 0 < len(waiting) < 3
    assert opt_outs(world) == 0
    assert all(world.basket.has(email) == {PHONE} for email in emails)


def test_opt_out_after_a_loss_that_is_over_counts(world: World, crowd: Crowd) -> None:
    emails = crowd(53)
    world.basket.lose_newsletter(PHONE)
    world.verify(emails[0])
    world.run(60)
    world.answer(PHONE, lost=True)
    world.run(60)
    look(world)
    look(world)
    world.basket.own_unsubscribe(emails[-1], PHONE)

    look(world)
    world.settle()

    assert world.subscription(emails[-1], PHONE).state == State.OPTED_OUT
    assert opt_outs(world) == 1


def test_sample_looks_up_those_subscribed_nearest_in_time(world: World, crowd: Crowd) -> None:
    crowd(60)
    newest = [f"new{number}@example.com" for number in range(8)]
    for email in newest:
        world.join(email, email, PHONE)
    world.run(60)
    look(world)
    world.basket.lose_newsletter(PHONE, *newest)

    world.verify(newest[0])
    world.run(120)

    question = world.rows.question(PHONE)
    assert opt_outs(world) == 0
    assert question is not None
    assert question.missing == 8


def test_two_of_a_few_are_too_few_for_a_loss(world: World, crowd: Crowd) -> None:
    emails = crowd(10)
    world.basket.lose_newsletter(PHONE, *emails[:2])

    look(world)
    world.run(120)

    assert opt_outs(world) == 2
    assert world.rows.question(PHONE) is None


def test_nothing_is_concluded_while_the_sample_cannot_be_looked_up(
    world: World, crowd: Crowd
) -> None:
    emails = crowd(10)
    world.basket.lose_newsletter(PHONE)
    world.verify(emails[0])
    world.sync(world.due())
    world.conclude()

    world.basket.out_of_reach = True
    world.run(60)
    assert opt_outs(world) == 0
    world.basket.out_of_reach = False
    world.run(600)

    assert opt_outs(world) == 0
    assert world.rows.question(PHONE) is not None


def test_nothing_is_sent_for_what_is_missing_while_the_question_is_open(
    world: World, crowd: Crowd
) -> None:
    emails = crowd(10)
    world.basket.lose_newsletter(PHONE)
    look(world)

    world.order("crowd0", PHONE)
    world.opt_in("crowd1", PHONE)
    world.entitle("crowd2", PHONE, entitled=False)
    world.entitle("crowd3", NDA)
    world.run(3600)

    assert [world.basket.has(email) for email in emails[:4]] == [set(), set(), set(), {NDA}]


def test_opt_outs_inferred_in_the_day_before_are_reopened(world: World, crowd: Crowd) -> None:
    emails = crowd(40)
    world.basket.lose_newsletter(PHONE, *emails[:2])
    world.verify(*emails[:2])
    world.run(120)
    assert opt_outs(world) == 2

    world.basket.lose_newsletter(PHONE)
    look(world)
    assert opt_outs(world) == 0
    world.answer(PHONE, lost=True)
    world.settle()

    assert all(world.basket.has(email) == {PHONE} for email in emails)


@pytest.mark.parametrize("lost", [True, False])
def test_answer_counts_for_members_who_moved_after_an_inferred_opt_out(
    world: World, crowd: Crowd, lost: bool
) -> None:
    emails = crowd(40)
    world.basket.lose_newsletter(PHONE, emails[0])
    look(world, emails[0])
    world.change_email("crowd0", NEW)
    world.run(7200)
    assert world.contact(emails[0]) is None

    world.basket.lose_newsletter(PHONE)
    look(world)
    assert world.decision("crowd0", PHONE).opted_out_at
    world.answer(PHONE, lost=lost)
    world.settle()

    assert world.basket.has(NEW) == ({PHONE} if lost else set())


def test_answer_ends_no_opt_out_that_a_member_who_moved_made_on_the_site(
    world: World, crowd: Crowd
) -> None:
    emails = crowd(40)
    world.opt_out("crowd0", PHONE)
    world.run(60)
    world.change_email("crowd0", NEW)
    world.run(7200)

    world.basket.lose_newsletter(PHONE, *emails[1:])
    look(world)
    world.answer(PHONE, lost=True)
    world.settle()

    assert world.basket.has(NEW) == set()


def test_answer_counts_once_for_members_who_moved(world: World, crowd: Crowd) -> None:
    emails = crowd(40)
    world.basket.lose_newsletter(PHONE, emails[0])
    look(world, emails[0])
    world.change_email("crowd0", NEW)
    world.run(7200)
    for lost in (False, True):
        world.basket.lose_newsletter(PHONE)
        look(world)
        world.answer(PHONE, lost=lost)
        for key in [key for key in world.site if key != "crowd0"]:
            world.opt_in(key, PHONE)
        world.run(3600)
        look(world)

    assert world.basket.has(NEW) == set()


@pytest.mark.parametrize("lost", [True, False])
def test_answer_counts_for_mailboxes_of_members_who_were_deleted_while_it_was_open(
    world: World, crowd: Crowd, lost: bool
) -> None:
    crowd(40)
    world.basket.lose_newsletter(PHONE)
    look(world)
    world.change_email("crowd0", NEW)
    world.run(60)
    world.delete("crowd0")
    world.run(60)

    world.join("again", NEW, PHONE)
    world.run(60)
    assert world.basket.has(NEW) == set()
    world.answer(PHONE, lost=lost)
    world.settle()

    assert world.basket.has(NEW) == ({PHONE} if lost else set())


def test_opt_outs_that_basket_showed_are_not_reopened(world: World, crowd: Crowd) -> None:
    emails = crowd(40)
    world.basket.opt_out_of_all(emails[0])
    world.verify(emails[0])
    world.run(120)

    world.basket.lose_newsletter(PHONE)
    look(world)
    world.answer(PHONE, lost=True)
    world.settle()

    assert world.basket.has(emails[0]) == set()
    assert all(world.basket.has(email) == {PHONE} for email in emails[1:])


def test_answer_that_basket_lost_them_subscribes_those_still_wanted(
    world: World, crowd: Crowd
) -> None:
    emails = crowd(10)
    world.basket.lose_people()
    look(world)
    world.entitle("crowd0", PHONE, entitled=False)
    world.run(60)

    world.answer(PHONE, lost=True)
    world.settle()

    assert world.basket.has(emails[0]) == set()
    assert all(world.basket.has(email) == {PHONE} for email in emails[1:])


def test_answer_that_they_opted_out_stands_but_for_what_was_asked_for_since(
    world: World, crowd: Crowd
) -> None:
    emails = crowd(10)
    world.basket.lose_newsletter(PHONE)
    look(world)
    world.wait(seconds=1)
    world.opt_in("crowd0", PHONE)

    world.answer(PHONE, lost=False)
    world.settle()

    assert world.basket.has(emails[0]) == {PHONE}
    assert opt_outs(world) == 9


@pytest.mark.parametrize("lost", ["people", "newsletter"])
@pytest.mark.parametrize("share", [7, 60])
def test_question_closes_by_itself_when_lookups_show_them_again(
    world: World, crowd: Crowd, lost: str, share: int
) -> None:
    crowd(120)
    world.share_size = share
    people = world.basket.people
    if lost == "people":
        world.basket.people = []
    else:
        world.basket.lose_newsletter(PHONE)
    look(world)
    assert world.rows.question(PHONE) is not None

    world.basket.people = people
    for person in people:
        person.newsletters.add(PHONE)
    most = 0
    for _ in range(100):
        world.run(600)
        most = max(most, opt_outs(world))

    assert world.rows.question(PHONE) is None
    assert most == 0


@pytest.mark.parametrize("number", [4, 30])
def test_question_closes_by_itself_beside_real_opt_outs_of_the_day_before(
    world: World, crowd: Crowd, number: int
) -> None:
    emails = crowd(120)
    for email in emails[:number]:
        opts_out(world, email)
    assert opt_outs(world) == number
    backup = copy.deepcopy(world.basket.people)
    world.basket.lose_newsletter(PHONE)
    look(world)
    world.run(60)
    asked = world.rows.question(PHONE)

    world.basket.people = backup
    look(world)
    world.run(7200)

    assert asked is not None
    assert world.rows.question(PHONE) is None
    world.verify()
    world.run(600)
    assert opt_outs(world) == number
    assert len(world.rows.questions) == 1


def test_loss_after_a_question_that_closed_by_itself_is_asked_about(
    world: World, crowd: Crowd
) -> None:
    crowd(120)
    backup = copy.deepcopy(world.basket.people)
    world.basket.lose_newsletter(PHONE)
    look(world)
    world.basket.people = copy.deepcopy(backup)
    look(world)
    world.run(7200)
    assert world.rows.question(PHONE) is None

    world.basket.lose_newsletter(PHONE)
    look(world)

    assert world.rows.question(PHONE) is not None
    assert opt_outs(world) == 0


def test_opt_out_that_a_question_reopened_is_restored_also_if_the_person_is_gone(
    world: World, crowd: Crowd
) -> None:
    emails = crowd(60)
    opts_out(world, emails[0])
    assert opt_outs(world) == 1

    world.basket.lose_people()
    look(world)
    look(world)
    world.answer(PHONE, lost=True)
    world.settle()

    assert all(world.basket.has(email) == {PHONE} for email in emails)


def test_opt_out_that_a_question_reopened_stands_after_it_closed_also_if_the_person_is_gone(
    world: World, crowd: Crowd
) -> None:
    emails = crowd(60)
    opts_out(world, emails[0])
    backup = copy.deepcopy(world.basket.people)
    world.basket.lose_newsletter(PHONE)
    look(world)
    asked = world.rows.question(PHONE)

    world.basket.people = [person for person in backup if person.email != emails[0]]
    look(world, *emails[1:])
    world.run(7200)
    closed = world.rows.question(PHONE) is None
    look(world)
    world.settle()
    world.retry()
    world.settle()

    assert asked is not None
    assert closed
    assert world.subscription(emails[0], PHONE).state == State.OPTED_OUT
    assert world.basket.has(emails[0]) == set()


@pytest.mark.parametrize("despite", [True, False])
def test_order_made_while_the_question_was_open_counts_if_it_overrides_opt_outs(
    world: World, crowd: Crowd, *, despite: bool
) -> None:
    emails = crowd(40)
    world.basket.lose_newsletter(PHONE)
    look(world)
    world.wait(seconds=1)
    world.order("crowd0", PHONE, despite_opt_out=despite)

    for person in world.basket.people:
        if person.email != emails[0]:
            person.newsletters.add(PHONE)
    world.settle()

    assert world.rows.question(PHONE) is None
    assert world.basket.has(emails[0]) == ({PHONE} if despite else set())


def test_order_confirmed_by_the_wrong_basket_is_subscribed_again(
    world: World, crowd: Crowd
) -> None:
    crowd(40)
    right, world.basket.people = world.basket.people, []
    look(world)
    world.order("crowd0", EXTRA)
    world.run(600)

    world.basket.people = right
    world.settle()

    assert world.basket.has("crowd0@example.com") == {PHONE, EXTRA}
    assert opt_outs(world) == 0


def test_question_about_one_newsletter_leaves_another_alone(world: World, crowd: Crowd) -> None:
    crowd(10)
    joined(world, ("ana", "ana@example.com", NDA))
    world.basket.lose_newsletter(PHONE)
    look(world)

    world.entitle("ana", NDA, entitled=False)
    world.run(120)

    assert world.basket.has("ana@example.com") == set()


@settings(max_examples=40, deadline=None)
@given(
    opted_out=st.sets(st.integers(0, 19), max_size=2),
    found=st.sets(st.integers(0, 19)),
    ordered=st.integers(2, 19),
    seconds=st.sampled_from([0, 60, 4000]),
)
def test_opt_outs_just_before_everybody_vanished_are_found_when_they_are_back(
    opted_out: set[int], found: set[int], ordered: int, seconds: int
) -> None:
    world = World(Settings(newsletters=frozenset({PHONE, NDA, EXTRA}), sample_size=20))
    emails = crowd_of(world, 20)
    for number in opted_out:
        world.basket.own_unsubscribe(emails[number], PHONE)
    backup, world.basket.people = world.basket.people, []
    for number in sorted(found):  # with and without a question to admins
        world.verify(emails[number])
        world.run(seconds)
    if ordered not in opted_out:  # the order's call makes another person for a while
        world.order(f"crowd{ordered}", NDA)
        world.run(seconds)

    world.basket.people = backup
    world.settle()

    states = {email: world.subscription(email, PHONE).state for email in emails}
    assert world.rows.question(PHONE) is None
    assert {email for email in emails if states[email] == State.OPTED_OUT} == {
        emails[number] for number in opted_out
    }
    assert State.LOST not in states.values()
    assert all((PHONE in world.basket.has(e)) == (states[e] == State.SUBSCRIBED) for e in emails)


def test_person_who_renamed_themselves_just_before_everybody_vanished_is_found(
    world: World, crowd: Crowd
) -> None:
    emails = crowd(40)
    world.basket.rename(emails[0], "elsewhere@example.com")
    backup = copy.deepcopy(world.basket.people)
    world.basket.lose_people()
    look(world)

    world.basket.people = backup
    world.settle()

    assert world.contact(emails[0]).renamed_at is not None
    assert world.subscription(emails[0], PHONE).state == State.OPTED_OUT


def test_subscription_lost_with_its_person_stays_lost_when_another_person_takes_the_address(
    world: World, crowd: Crowd
) -> None:
    emails = crowd(40)
    world.basket.lose_people(emails[0])
    look(world)
    world.run(7200)

    world.basket.own_subscribe(emails[0], EXTRA)
    world.settle()

    assert world.subscription(emails[0], PHONE).state == State.LOST
    assert opt_outs(world) == 0


@pytest.mark.parametrize("share_size", [2, 60])
def test_question_closes_by_itself_although_many_were_subscribed_at_the_wrong_basket(
    world: World, share_size: int
) -> None:
    emails = [f"crowd{number}@example.com" for number in range(40)]
    joined(world, *((f"crowd{n}", email, NDA) for n, email in enumerate(emails)))
    joined(world, *((f"new{n}", f"new{n}@example.com", PHONE) for n in range(8)))
    world.wait(hours=2)
    right, world.basket.people = world.basket.people, []
    look(world)
    assert world.rows.question(NDA)
    for number in range(8):
        world.entitle(f"new{number}", NDA)
    world.run(60)
    look(world)

    world.basket.people = right
    world.share_size = share_size
    world.settle()

    assert world.rows.question(NDA) is None
    assert all(world.basket.has(f"new{n}@example.com") == {PHONE, NDA} for n in range(8))
    assert all(world.basket.has(email) == {NDA} for email in emails)
    assert opt_outs(world) == 0


@pytest.mark.parametrize("word", ["order", "opt in"])
@pytest.mark.parametrize("share_size", [2, 60])
def test_site_opt_out_made_during_a_loss_stands_when_basket_has_everybody_again(
    world: World, crowd: Callable[[int], list[str]], word: str, share_size: int
) -> None:
    crowd(10)
    joined(world, ("ana", ANA, PHONE))
    right, world.basket.people = world.basket.people, []
    look(world)
    assert world.rows.question(PHONE)
    if word == "order":
        world.order("ana", PHONE)
    else:
        world.opt_in("ana", PHONE)
    world.run(60)
    world.opt_out("ana", PHONE)
    world.run(60)

    world.basket.people = right
    world.share_size = share_size
    world.verify()
    world.settle()

    assert world.decision("ana", PHONE).opted_out_at is not None
    assert world.basket.has(ANA) == set()


# By rows: a question about ``PHONE`` since an hour.

QUESTION = Question(PHONE, at(-60), 20)


def missed(pk: int = 1, **columns: Any) -> Subscription:
    """Return a subscription that a lookup missed half an hour ago."""
    return shown(pk, **{"seen_at": at(-300), "missing_at": at(-30), **columns})


@pytest.mark.parametrize(("failing", "waits"), [(1, False), (2, True)])
def test_sample_leaves_out_contacts_that_fail_if_they_are_few(failing: int, waits: bool) -> None:
    contacts = [contact(pk, looked_up_at=at(-90), attempts=1) for pk in range(failing)]
    contacts += [contact(pk) for pk in range(failing, 10)]

    found = control_sample(SETTINGS, at(-60), contacts, seen=10 - failing, gone=3)

    assert found.look_up == (tuple(range(failing)) if waits else ())
    assert (found.looked_up, found.missing) == (13 - failing, 3)


@pytest.mark.parametrize(
    ("missing", "looked_up", "look_up", "expected"),
    [
        pytest.param(5, 50, (), Verdict.OPTED_OUT, id="a tenth"),
        pytest.param(6, 50, (), Verdict.ASK, id="more than a tenth"),
        pytest.param(3, 20, (), Verdict.ASK, id="the least number of a loss"),
        pytest.param(2, 10, (), Verdict.OPTED_OUT, id="too few for a loss"),
        pytest.param(2, 10, (1,), Verdict.LOOK_UP, id="others first"),
        pytest.param(10, 50, (1,), Verdict.LOOK_UP, id="not enough yet"),
        pytest.param(10, 51, (1,), Verdict.ASK, id="enough"),
    ],
)
def test_verdict_asks_where_more_than_a_tenth_of_the_sample_is_missing(
    missing: int, looked_up: int, look_up: tuple[int, ...], expected: Verdict
) -> None:
    assert verdict(Sample(START, look_up, looked_up, missing), SETTINGS) == expected


@pytest.mark.parametrize(("found_missing", "over"), [(4, True), (5, False)])
def test_question_is_over_when_a_tenth_of_the_loss_is_left(found_missing: int, over: bool) -> None:
    reopened = 2
    question = Question(PHONE, at(-60), 49)

    assert is_over(found_missing + reopened, found_missing, question, SETTINGS) is over


def test_missing_subscription_becomes_an_opt_out_of_the_time_when_it_was_missed() -> None:
    rows = opt_out_missing(rows_of(contact(), missed()), PHONE, [1])

    row = rows.subscriptions[1, PHONE]
    assert (row.state, row.opted_out_at) == (State.OPTED_OUT, at(-30))
    assert rows.contacts[1].touched_at == START


def test_inferred_opt_out_of_the_day_before_a_question_is_undecided_again() -> None:
    inferred = shown(state=State.OPTED_OUT, opted_out_at=at(-90), missing_at=at(-90))
    ana = Member(1, key="ana", contact_id=1)
    decision = Decision(1, PHONE, wanted=True, opted_out_at=at(-90), inferred=True)

    rows = reopen(rows_of(contact(), ana, decision, inferred), QUESTION, [1])

    row = rows.subscriptions[1, PHONE]
    assert (row.state, row.missing_at) == (State.SUBSCRIBED, at(-90))
    assert rows.decisions[1, PHONE].opted_out_at is None
    assert rows.contacts[1].touched_at == START


@pytest.mark.parametrize(
    ("row", "ending", "expected"),
    [
        pytest.param(missed(), Ending.LOST, (State.UNKNOWN, None, None), id="lost"),
        pytest.param(
            missed(), Ending.OPTED_OUT, (State.OPTED_OUT, at(-30), None), id="opted out"
        ),
        pytest.param(missed(), Ending.ITSELF, (State.SUBSCRIBED, None, None), id="over"),
        pytest.param(
            missed(state=State.LOST), Ending.ITSELF, (State.LOST, None, at(-30)),
            id="a loss stays one",
        ),
        pytest.param(
            missed(confirmed_at=at(-40)), Ending.OPTED_OUT, (State.UNKNOWN, None, None),
            id="confirmed since the question began",
        ),
        pytest.param(
            missed(confirmed_at=at(-40), opted_out_at=at(-90)), Ending.OPTED_OUT,
            (State.OPTED_OUT, at(-30), None), id="reopened",
        ),
    ],
)  # fmt: skip
def test_question_ends_for_a_missing_subscription(
    row: Subscription, ending: Ending, expected: tuple[Any, ...]
) -> None:
    found = end_question(rows_of(contact(), row), QUESTION, ending, [1])

    row = found.subscriptions[1, PHONE]
    assert (row.state, row.opted_out_at, row.missing_at) == expected
    assert found.contacts[1].touched_at == START


@pytest.mark.parametrize(
    ("ending", "looked_up", "confirmed", "again"),
    [
        pytest.param(Ending.LOST, 0, -90, True, id="never shown, and looked for since"),
        pytest.param(Ending.LOST, -70, -90, False, id="not looked for since the question"),
        pytest.param(Ending.LOST, -30, -20, False, id="not looked for since the call"),
        pytest.param(Ending.OPTED_OUT, 0, -90, False, id="answered otherwise"),
        pytest.param(Ending.ITSELF, 0, -90, False, id="over"),
    ],
)
def test_subscription_that_no_lookup_has_shown_is_lost_too(
    ending: Ending, looked_up: float, confirmed: float, again: bool
) -> None:
    row = shown(confirmed_at=at(confirmed), seen_at=None)
    rows = rows_of(contact(looked_up_at=at(looked_up)), row)

    rows = end_question(rows, QUESTION, ending, [1])

    assert (rows.subscriptions[1, PHONE].confirmed_at is None) is again
    assert (rows.contacts[1].touched_at == START) is again


def test_copies_of_inferred_opt_outs_end_with_a_loss() -> None:
    members = [Member(pk, key=f"member{pk}", contact_id=pk) for pk in (1, 2, 3)]
    found: dict[str, Any] = {"wanted": True, "opted_out_at": at(-90), "inferred": True}
    decisions = [
        Decision(1, NDA, **found),
        Decision(1, PHONE, **found),
        Decision(2, PHONE, **found),
        Decision(3, PHONE, **found),
    ]
    rows = rows_of(*[contact(pk) for pk in (1, 2, 3)], *members, *decisions)

    rows = end_copies(rows, QUESTION, Ending.LOST, [1, 3])

    ended = {key: (row.opted_out_at, row.inferred) for key, row in rows.decisions.items()}
    assert ended == {
        (1, NDA): (at(-90), True),
        (1, PHONE): (None, False),
        (2, PHONE): (at(-90), True),
        (3, PHONE): (None, False),
    }
    assert [rows.contacts[pk].touched_at for pk in (1, 2, 3)] == [START, None, START]


def test_copies_of_opt_outs_that_an_admin_confirms_are_inferred_no_more() -> None:
    decision = Decision(1, PHONE, wanted=True, opted_out_at=at(-90), inferred=True)
    rows = rows_of(contact(), Member(1, key="ana", contact_id=1), decision)

    rows = end_copies(rows, QUESTION, Ending.OPTED_OUT, [1])

    found = rows.decisions[1, PHONE]
    assert (found.opted_out_at, found.inferred) == (at(-90), False)
