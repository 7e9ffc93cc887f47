"""The reasons why a person gets a newsletter or not, from rows that are in no database."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from mozillians_basket.admin.explanations import (
    Circumstances,
    Subject,
    at_basket,
    explain,
    explain_unknown,
    next_attempt,
    reason,
    reasons,
    state_in_words,
    to_be_sent,
)
from mozillians_basket.models import Contact, Decision, Member, Move, Problem, Status, Subscription
from mozillians_basket.rules.rows import DecidedBy, Question, Rows, Settings, State
from mozillians_basket.site import Standing

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
EARLIER, LATER = NOW - timedelta(days=3), NOW + timedelta(minutes=20)
EMAIL = "member@example.com"
NEWSLETTERS = frozenset({"mozilla-phone", "mozillians-nda"})


def around(**more):
    return Circumstances(**{"now": NOW, "status": Status(), **more})


def contact(pk=1, email=EMAIL, **fields):
    return Contact(**{"pk": pk, "email": email, "key": email, "settled_at": EARLIER, **fields})


def decision(newsletter="mozilla-phone", member_id=1, **fields):
    fields = {"decided_by": DecidedBy.POLICY, "decided_at": EARLIER, **fields}
    return Decision(member_id=member_id, newsletter=newsletter, **fields)


WANTED = decision(wanted=True, entitled=True)  # type: ignore[no-untyped-call]


def subscription(newsletter="mozilla-phone", contact_id=1, **fields):
    return Subscription(contact_id=contact_id, newsletter=newsletter, **fields)


def held(newsletter="mozilla-phone", contact_id=1, **fields):
    return subscription(
        newsletter, contact_id, **{"state": State.SUBSCRIBED, "confirmed_at": EARLIER, **fields}
    )


def entitled(*newsletters, email=EMAIL):
    return Standing(email, frozenset(newsletters))


def subject(*rows, at=None, standing=None, members=None):
    """Build the subject of a page: one member with the key 1, unless others are named."""
    here = contact() if at is None else at
    contacts = {row.pk: row for row in [here, *rows] if isinstance(row, Contact)}
    if members is None:
        members = [Member(pk=1, site_member_id=1, contact_id=here.pk if here else None)]
    known = Rows(
        Settings(NEWSLETTERS), NOW, Decision, Subscription, Move,
        members={member.pk: member for member in members},
        contacts={pk: row for pk, row in contacts.items() if pk is not None},
        decisions={(r.member_id, r.newsletter): r for r in rows if isinstance(r, Decision)},
        subscriptions={
            (row.contact_id, row.newsletter): row for row in rows if isinstance(row, Subscription)
        },
        moves=[row for row in rows if isinstance(row, Move)],
    )  # fmt: skip
    standing = entitled() if standing is None else standing
    return Subject(known, here, members, {1: standing})


def nobody_at(place, *rows):
    """Build the subject of a page: a contact without members."""
    return subject(*rows, at=place, members=[])


def told(about, circumstances=None):
    return " ".join(explain(about, circumstances or around()))


def test_member_who_gets_everything_wanted_reads_just_that():
    names = ("mozillians-nda", "mozilla-phone")
    rows = [decision(name, wanted=True, entitled=True) for name in names]
    about = subject(*rows, *[held(name) for name in names], standing=entitled(*names))

    assert explain(about, around()) == ["They get mozilla-phone and mozillians-nda."]


def test_member_who_is_not_entitled_reads_about_each_newsletter():
    assert explain(subject(), around()) == [
        "They get none of this site's newsletters.",
        "mozilla-phone: It is for vouched members, and they are not among them.",
        "mozillians-nda: It is for members of the NDA group, and they are not among them.",
    ]


def test_an_unknown_member_is_explained():
    said = " ".join(explain_unknown(entitled("mozilla-phone")))

    assert "The ledger knows nothing of this member yet" in said
    assert "By the policies they should get mozilla-phone." in said


def test_an_opt_out_is_dated():
    left = subscription(state=State.OPTED_OUT, opted_out_at=EARLIER)
    vetoed = decision(wanted=True, entitled=True, opted_out_at=EARLIER)

    said = told(subject(vetoed, left, standing=entitled("mozilla-phone")))

    assert "They turned it off themselves, as was seen on June 12, 2026, noon" in said
    assert "Not sent yet" not in said


def test_somebody_with_another_address_at_basket_is_explained():
    said = told(subject(WANTED, at=contact(renamed_at=EARLIER), standing=entitled("mozilla-phone")))

    assert "They took another address at Basket, as was seen on June 12, 2026, noon" in said


def test_a_refusal_names_basket_s_reason_and_code():
    refused = subscription(state=State.REFUSED, error_code="blocked domain")

    said = told(subject(WANTED, refused, standing=entitled("mozilla-phone")))

    assert "Something is wrong: Basket takes no addresses of this domain" in said
    should_get = "mozilla-phone, which they should get: Reason: vouched members, since June 12"
    assert should_get in said
    assert "(refused, no token)" in said


def test_an_address_that_basket_refuses_to_look_up_is_explained():
    parked = contact(problem="2", failing_since=EARLIER, parked=True, touched_at=EARLIER)

    said = told(subject(WANTED, at=parked, standing=entitled("mozilla-phone")))

    assert "Since June 12, 2026, noon something is wrong: Basket says the address is" in said
    assert "It is parked: nothing more is tried until" in said
    assert "Next attempt: none: it waits for another address" in said


def test_a_person_who_is_gone_at_basket_is_explained():
    lost = held(state=State.LOST, missing_at=EARLIER)

    said = told(subject(WANTED, lost, standing=entitled("mozilla-phone")))

    assert "They get none of this site's newsletters." in said
    assert "Basket does not know this person any more" in said


@pytest.mark.parametrize(
    ("email", "words"),
    [("", "They have no e-mail address"), ("no address", "Basket cannot take their e-mail")],
)
def test_without_a_usable_address_there_is_nothing_to_tell_basket(email, words):
    member = Member(pk=1, site_member_id=1)
    about = subject(WANTED, standing=entitled("mozilla-phone", email=email), members=[member])

    assert words in told(Subject(about.rows, None, about.members, about.standings))


def moved(*rows, **fields):
    """Explain a member who has moved to another address, which Basket does not know yet."""
    new = contact(2, "new@example.com", touched_at=NOW, **fields)
    about = subject(
        contact(), WANTED, held(), Move(member_id=1, source_id=1, target_id=2, moved_at=NOW), *rows,
        at=new, standing=entitled("mozilla-phone", email="new@example.com"),
    )  # fmt: skip
    return told(about)


def test_a_changed_address_is_still_to_be_told():
    said = moved()

    assert "They get mozilla-phone." in said
    assert "Their address has changed, and Basket is still to be told." in said
    assert "subscribe to mozilla-phone" in said
    assert "Next attempt: as soon as" in said


def test_a_new_address_that_basket_refuses_is_explained():
    refused = subscription(contact_id=2, state=State.REFUSED, error_code="blocked domain")

    said = moved(refused)

    assert "Basket does not accept their new address. It keeps the one before" in said
    assert "They get mozilla-phone." in said


def test_a_parked_contact_says_after_how_many_failures():
    parked = contact(
        problem="unavailable", failing_since=EARLIER, parked=True, attempts=10, touched_at=EARLIER
    )

    said = told(subject(WANTED, at=parked, standing=entitled("mozilla-phone")))

    assert "It was parked after 10 failed attempts" in said
    assert "Not sent yet: subscribe to mozilla-phone. Next attempt: none: it failed too" in said


def test_unwanted_newsletter_waits_for_its_unsubscribe():
    about = subject(decision(wanted=False), held(), at=contact(touched_at=NOW))

    assert "Not sent yet: unsubscribe from mozilla-phone." in told(about)


def test_undecided_newsletter_is_not_called_unsent():
    assert "Not sent yet" not in told(subject(held()))


def test_switch_and_breaker_are_named():
    status = Status(opened_at=EARLIER, reason=Problem.UNAVAILABLE)

    said = told(subject(), around(switch_is_on=False, status=status))

    assert "The switch BASKET_SWITCH_ENABLED is off" in said
    assert "open since June 12, 2026, noon (Basket is out of reach or fails)" in said


def test_a_paused_newsletter_is_named():
    status = Status(unknown_newsletters={"mozilla-phone": EARLIER.isoformat()})

    assert "Basket does not know mozilla-phone" in told(subject(), around(status=status))


def test_causes_that_hold_everybody_up_are_said_before_the_reasons_of_one_newsletter():
    left = subscription(state=State.OPTED_OUT, opted_out_at=EARLIER)

    said = explain(
        subject(WANTED, left, standing=entitled("mozilla-phone")), around(switch_is_on=False)
    )

    assert "The switch BASKET_SWITCH_ENABLED is off" in said[1]


def test_a_newsletter_that_awaits_confirmation_is_not_called_received():
    said = told(
        subject(WANTED, held(), at=contact(optin=False), standing=entitled("mozilla-phone"))
    )

    assert "Basket has mozilla-phone for them, and waits for their confirmation." in said
    assert "They get" not in said


def test_difference_between_site_and_ledger_is_explained():
    words = "Something about them changed a moment ago"

    assert words in told(subject(standing=entitled("mozilla-phone")))
    assert words in told(subject(standing=entitled(email="new@example.com")))
    assert words not in told(subject(standing=entitled(email=EMAIL.upper())))


def test_a_removal_that_a_brake_holds_back_is_explained():
    member = Member(pk=1, site_member_id=1, contact_id=1, held_back_at=EARLIER)

    said = told(subject(WANTED, held(), members=[member]))

    assert "A change of June 12, 2026, noon would take newsletters away" in said
    assert "Something about them changed" not in said


def test_brake_is_named_only_where_it_holds_a_removal_back():
    member = Member(pk=1, site_member_id=1, contact_id=1, held_back_at=EARLIER)
    phone = decision(wanted=True, held_back_at=EARLIER)
    about = subject(phone, held(), members=[member])

    assert "A brake holds its removal back since June 12" in reasons(about, "mozilla-phone")
    assert "brake" not in reasons(about, "mozillians-nda")


@pytest.mark.parametrize("state", [State.SUBSCRIBED, State.LOST])
def test_missing_subscription_says_that_it_waits_for_an_admin_s_answer(state):
    row = held(state=state, missing_at=EARLIER)
    about = subject(WANTED, row, standing=entitled("mozilla-phone"))

    before = told(about)
    about.rows.questions = [Question("mozilla-phone", EARLIER, 9)]

    assert "admins were asked" not in before
    assert "So many are missing that admins were asked: it waits for their answer." in told(about)


@pytest.mark.parametrize(("others", "words"), [(1, "1 other member has"), (2, "2 other members")])
def test_others_with_the_same_address_are_mentioned(others, words):
    there = [Member(pk=n, site_member_id=n, contact_id=1) for n in range(1, others + 2)]

    about = subject(members=there)

    assert words in told(Subject(about.rows, about.contact, there[:1], about.standings))


def test_on_a_shared_contact_s_page_each_member_has_a_reason():
    there = [Member(pk=n, site_member_id=n, contact_id=1) for n in (1, 2)]
    unsubscribed = decision(member_id=2, decided_by=DecidedBy.ADMIN)

    said = told(subject(unsubscribed, members=there))

    assert (
        "mozilla-phone: Member 1: It is for vouched members, and they are not among them." in said
    )
    assert "Member 2: On June 12, 2026, noon an admin unsubscribed them." in said


def test_a_deleted_member_s_removal_is_explained():
    said = told(nobody_at(contact(clear=True, touched_at=NOW), held(decided=True)))

    assert "This member was deleted, or changed their address" in said
    assert "unsubscribe from mozilla-phone" in said
    assert "policy" not in said


DUE = {"touched_at": EARLIER}


@pytest.mark.parametrize(
    ("fields", "more", "words"),
    [
        pytest.param({}, {}, "none needed", id="settled"),
        pytest.param(
            {**DUE, "parked": True, "problem": "2"}, {}, "none: it waits for another", id="refused"
        ),
        pytest.param({"problem": "2"}, {}, "none: it waits for another", id="refused newsletter"),
        pytest.param({"problem": "missing at Basket"}, {}, "none: it waits for an", id="missing"),
        pytest.param({**DUE, "leased_until": LATER}, {}, "being worked on now", id="leased"),
        pytest.param({**DUE, "leased_until": EARLIER}, {}, "as soon as", id="lease over"),
        pytest.param({**DUE, "parked": True}, {}, "none: it failed too often", id="parked"),
        pytest.param(DUE, {"switch_is_on": False}, "waits until the switch", id="switch off"),
        pytest.param(DUE, {"status": Status(opened_at=NOW)}, "waits until Basket", id="breaker"),
        pytest.param({**DUE, "not_before": LATER}, {}, "at June 15, 2026, 12:20 p.m.", id="later"),
        pytest.param({**DUE, "not_before": EARLIER}, {}, "as soon as", id="wait is over"),
        pytest.param(DUE, {}, "as soon as a worker is free", id="due"),
    ],
)
def test_the_next_attempt(fields, more, words):
    assert next_attempt(contact(**fields), around(**more)).startswith(words)


def test_a_refused_newsletter_waits_for_an_admin_also_if_its_contact_has_no_problem():
    refused = subscription(state=State.REFUSED, error_code="blocked domain")

    assert next_attempt(contact(), around(), [refused]) == "none: it waits for an admin"


@pytest.mark.parametrize(
    ("decided", "row", "policy", "words"),
    [
        ({"wanted": True}, {}, True, "Reason: vouched members, since June 12, 2026, noon."),
        ({}, {}, False, "for vouched members; since June 12, 2026, noon they are not among them."),
        ({"wanted": True, "decided_by": "admin"}, {}, True, "an admin subscribed them."),
        (
            {"wanted": True, "decided_by": "admin"},
            {},
            False,
            "an admin subscribed them. It is for vouched members, and they are not among them.",
        ),
        ({"decided_by": "admin"}, {}, True, "for vouched members, and they are among them."),
        ({"wanted": True, "decided_by": "member"}, {}, True, "subscribed by their own choice."),
        (
            {"wanted": True},
            {"state": "subscribed", "confirmed_at": EARLIER, "missing_at": NOW},
            True,
            "being looked into",
        ),
        (
            {"decided_by": "admin"},
            {"state": "subscribed", "confirmed_at": EARLIER, "removal_pending": True},
            None,
            "not yet seen to be done",
        ),
        (
            {"wanted": True, "opted_out_at": EARLIER, "despite_opt_out": True},
            {},
            True,
            "all the same",
        ),
        ({"decided_by": ""}, {}, None, "It has no policy"),
        ({"decided_by": ""}, {}, True, "has not looked at them yet"),
        ({"decided_by": ""}, {}, False, "they are not among them"),
    ],
)
def test_the_reason_of_one_newsletter(decided, row, policy, words):
    about = subject(decision(**decided), subscription(**row))

    said = reason(about.rows, about.members[0], about.contact, "mozilla-phone", entitled=policy)

    assert words in said


HELD = {"state": State.SUBSCRIBED, "confirmed_at": EARLIER}
GONE = {"state": State.OPTED_OUT, "opted_out_at": EARLIER}
REMOVED = {"removed_at": EARLIER, "removal_pending": True}

#: By case: a newsletter's row, whether the address is confirmed, and then the state in the table,
#: the first sentence, a part of the reason, and whether Basket has it.
AT_BASKET = {
    "no row": ({}, True, "unknown", "none", "", False),
    "had": (HELD, True, "subscribed", "get", "", True),
    "unconfirmed": (HELD, False, "awaiting confirmation", "waits", "wrote to them", True),
    "removal sent": ({**HELD, **REMOVED}, True, "unsubscribe sent", "", "emoval was sent", None),
    "removal of an unconfirmed one sent": (
        {**HELD, **REMOVED}, False, "unsubscribe sent", "", "emoval was sent", None,
    ),
    "removal without a clear answer": (
        {**HELD, **REMOVED, "error_code": "UNCLEAR"}, True,
        "unsubscribe sent", "", "emoval was sent", None,
    ),
    "removal refused": (
        {**HELD, "state": State.REFUSED, "error_code": "2"}, True,
        "subscribed, as Basket refuses to remove it", "get", "address is invalid", True,
    ),
    "missed": (
        {**HELD, "missing_at": NOW}, True, "missing at Basket", "", "being looked into", False,
    ),
    "removed": ({"state": State.UNSUBSCRIBED}, True, "unsubscribed", "none", "", False),
    "opted out": (GONE, True, "opted out", "none", "turned it off", False),
    "opted out, still on Basket's list": (
        {**HELD, **GONE}, True, "opted out", "none", "turned it off", True,
    ),
    "opted out, removal sent": (
        {**HELD, **GONE, **REMOVED}, True, "opted out", "none", "The removal was sent", None,
    ),
    "refused": (
        {"state": State.REFUSED, "error_code": "2"}, True,
        "refused", "none", "address is invalid", False,
    ),
    "lost": (
        {**HELD, "state": State.LOST, "missing_at": NOW}, True,
        "missing at Basket", "none", "does not know this person", False,
    ),
    "asked for": (
        {"requested_at": EARLIER}, True, "subscribe sent", "", "has not answered yet", None,
    ),
}  # fmt: skip

DECISIONS = {
    "wanted": {"wanted": True, "entitled": True},
    "wanted by an admin": {"wanted": True, "decided_by": DecidedBy.ADMIN},
    "not wanted": {},
    "not wanted by the member": {"decided_by": DecidedBy.MEMBER},
    "opted out on the site": {"wanted": True, "opted_out_at": EARLIER},
    "undecided": {"decided_by": "", "decided_at": None},
}

#: The calls that are left to be sent. All others were sent, or cannot be.
NOT_SENT = {
    **dict.fromkeys(itertools.product(("no row", "removed"), list(DECISIONS)[:2]), "subscribe to"),
    **dict.fromkeys(
        itertools.product(("had", "unconfirmed"), list(DECISIONS)[2:5]), "unsubscribe from"
    ),
    **dict.fromkeys(
        itertools.product(["opted out, still on Basket's list"], list(DECISIONS)[:5]),
        "unsubscribe from",
    ),
}


@pytest.mark.parametrize("decided", DECISIONS)
@pytest.mark.parametrize("there", AT_BASKET)
def test_table_reason_and_sentences_of_a_newsletter_agree(there, decided):
    fields, optin, words, first, because, has = AT_BASKET[there]
    at, row = contact(optin=optin), subscription(**fields)
    about = subject(decision(**DECISIONS[decided]), row, at=at, standing=entitled("mozilla-phone"))

    said = told(about)

    firsts = {
        "get": "They get mozilla-phone.",
        "waits": "Basket has mozilla-phone for them, and waits for their confirmation.",
        "none": "They get none of this site's newsletters.",
    }
    assert [key for key, text in firsts.items() if text in said] == ([first] if first else [])
    assert state_in_words(at, row) == words
    assert at_basket(at, row) is has
    why = reason(about.rows, about.members[0], at, "mozilla-phone", entitled=True)
    assert because in why
    wanted = about.rows.wanted(at, "mozilla-phone")
    name = "mozilla-phone, which they should get" if wanted else "mozilla-phone"
    assert (f"{name}: {why}" in said) == (first not in {"get", "waits"})
    call = NOT_SENT.get((there, decided), "")
    assert to_be_sent(about.rows, at, "mozilla-phone") == (call and f"{call} mozilla-phone")
    assert ("Not sent yet" in said) == bool(call)
    assert not (call and "was sent" in why)


def test_newsletter_that_nobody_decided_on_says_why_it_stays():
    about = subject(held(), standing=entitled())

    said = reason(about.rows, about.members[0], about.contact, "mozilla-phone", entitled=False)

    assert "Basket has it without a decision of this site" in said


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        pytest.param(HELD, {}, "and Basket is still to be told.", id="nothing sent"),
        pytest.param(HELD, {"requested_at": NOW}, "is still to be told.", id="no answer yet"),
        pytest.param(HELD, HELD, "and Basket is still to be told.", id="the old one is left"),
        pytest.param({**HELD, **REMOVED}, HELD, "Nothing is left to be sent", id="all sent"),
        pytest.param({"state": "unsubscribed"}, HELD, "Nothing is left to be sent", id="all done"),
    ],
)
def test_changed_address_is_called_untold_until_all_is_sent(source, target, words):
    new = contact(2, "new@example.com", touched_at=NOW)
    about = subject(
        contact(clear=True), WANTED, subscription(**source), subscription(contact_id=2, **target),
        Move(member_id=1, source_id=1, target_id=2, moved_at=NOW),
        at=new, standing=entitled("mozilla-phone", email="new@example.com"),
    )  # fmt: skip

    said = told(about)

    assert words in said
    assert ("is still to be told" in said) != ("Nothing is left to be sent" in said)


@pytest.mark.parametrize(
    ("row", "words"),
    [(HELD, "has yet to remove"), ({**HELD, **REMOVED}, "Nothing is left to be sent")],
)
def test_member_without_an_address_leaves_the_old_one(row, words):
    member = Member(pk=1, site_member_id=1)
    move = Move(member_id=1, source_id=1, moved_at=NOW)
    about = subject(
        contact(clear=True), WANTED, subscription(**row), move,
        standing=entitled(email=""), members=[member],
    )  # fmt: skip

    said = told(Subject(about.rows, None, about.members, about.standings))

    assert words in said
    assert "still to be told" not in said


def test_sentence_that_ends_in_a_time_has_one_full_stop():
    afternoon = decision(wanted=True, decided_at=EARLIER + timedelta(hours=3))
    about = subject(afternoon, held())

    said = reason(about.rows, about.members[0], about.contact, "mozilla-phone", entitled=True)

    assert said == "Reason: vouched members, since June 12, 2026, 3 p.m."


def test_a_confirmation_that_is_awaited_is_named():
    about = subject(WANTED, held(), at=contact(optin=False))

    said = reason(about.rows, about.members[0], about.contact, "mozilla-phone", entitled=True)

    assert "waits for their confirmation" in said
