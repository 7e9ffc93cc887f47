"""Why does this person get nothing? The answers, from rows that are in no database."""

from datetime import UTC, datetime, timedelta

import pytest

from mozillians_basket.admin.explanations import Circumstances, explain, next_attempt
from mozillians_basket.admin.reasons import reason
from mozillians_basket.models import Contact, Pulse, Subscription
from mozillians_basket.site import Standing
from mozillians_basket.states import Decider, State

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
EARLIER, LATER = NOW - timedelta(days=3), NOW + timedelta(minutes=20)
EMAIL = "member@example.com"


def around(**more):
    return Circumstances(**{"now": NOW, "pulse": Pulse(), **more})


def contact(**fields):
    settled = {"touched_at": EARLIER, "settled_at": EARLIER}
    return Contact(**{"pk": 1, "email": EMAIL, "wanted_email": EMAIL, **settled, **fields})


def line(newsletter="mozilla-phone", **fields):
    fields.setdefault("decided_at", EARLIER)
    return Subscription(newsletter=newsletter, **fields)


def entitled(*newsletters, email=EMAIL):
    return Standing(email, frozenset(newsletters))


def told(*arguments, **more):
    return " ".join(explain(*arguments, **more))


def test_who_gets_everything_wanted_hears_just_that():
    both = [
        line(name, wanted=True, entitled=True, state=State.SUBSCRIBED)
        for name in ("mozillians-nda", "mozilla-phone")
    ]

    said = explain(contact(), both, entitled("mozilla-phone", "mozillians-nda"), around())

    assert said == ["They get mozilla-phone and mozillians-nda."]


def test_who_is_meant_by_no_policy_hears_of_each():
    assert explain(contact(), [], entitled(), around()) == [
        "They get none of this site's newsletters.",
        "mozilla-phone: The policy does not mean it for them, and no admin has subscribed them.",
        "mozillians-nda: The policy does not mean it for them, and no admin has subscribed them.",
    ]


def test_an_unknown_member_is_explained():
    said = told(None, [], entitled("mozilla-phone"), around())

    assert "The ledger knows nothing of this member yet" in said
    assert "The policies entitle them to mozilla-phone." in said


def test_an_opt_out_is_dated():
    left = line(state=State.OPTED_OUT, decided_by=Decider.MEMBER, entitled=True)

    said = told(contact(), [left], entitled("mozilla-phone"), around())

    assert "They turned it off themselves, as was seen on June 12, 2026, noon" in said


def test_a_refusal_names_basket_s_reason_and_code():
    refused = line(state=State.REFUSED, error_code=2, wanted=True, entitled=True)
    failed = contact(error="refused", error_code=2, failing_since=EARLIER)

    said = told(failed, [refused], entitled("mozilla-phone"), around())

    assert "Since June 12, 2026, noon something is wrong: Basket says the address is" in said
    assert "mozilla-phone: Since June 12, 2026, noon the policy means it for them." in said
    assert "(refused, code 2)" in said


def test_without_an_address_there_is_nothing_to_tell_basket():
    wanted = line(wanted=True, entitled=True)

    said = told(
        contact(email="", wanted_email=""), [wanted], entitled("mozilla-phone", email=""), around()
    )

    assert "They have no e-mail address" in said


def test_a_new_address_that_basket_refuses_is_explained():
    stranded = contact(wanted_email="new@example.invalid", refused_email="new@example.invalid")

    said = told(stranded, [], entitled(email="new@example.invalid"), around())

    assert "Basket does not accept their new address. It keeps the one before" in said


def test_a_changed_address_is_still_to_be_told():
    moving = contact(wanted_email="new@example.com", settled_at=None)

    said = told(moving, [], entitled(email="new@example.com"), around())

    assert "Their address has changed, and Basket is still to be told." in said
    assert "Basket is still to be asked about them. Next attempt: as soon as" in said


def test_a_parked_contact_says_after_how_many_failures():
    parked = contact(
        error="unavailable", failing_since=EARLIER, parked_at=NOW, attempts=10, settled_at=None
    )

    said = told(parked, [line(wanted=True, entitled=True)], entitled("mozilla-phone"), around())

    assert "It was parked on June 15, 2026, noon after 10 failed attempts" in said
    assert "Not sent yet: subscribe to mozilla-phone. Next attempt: none: it failed too" in said


def test_switch_and_breaker_are_named():
    pulse = Pulse(opened_at=EARLIER, reason=Pulse.Reason.UNAVAILABLE)

    said = told(contact(), [], entitled(), around(switch_is_on=False, pulse=pulse))

    assert "The switch BASKET_SWITCH_ENABLED is off" in said
    assert "open since June 12, 2026, noon (Basket is out of reach or broken)" in said


def test_what_the_ledger_has_not_heard_of_is_said():
    assert "Something about them changed a moment ago" in told(
        contact(), [], entitled("mozilla-phone"), around()
    )
    assert "Something about them changed a moment ago" in told(
        contact(), [], entitled(email="new@example.com"), around()
    )


@pytest.mark.parametrize(("others", "words"), [(1, "1 other member has"), (2, "2 other members")])
def test_others_with_the_same_address_are_mentioned(others, words):
    assert words in told(contact(), [], entitled(), around(), others=others)


def test_a_deleted_member_s_removal_is_explained():
    said = told(contact(departed_at=EARLIER, wanted_email=""), [], None, around())

    assert "This member was deleted, or changed their address, on June 12, 2026" in said
    assert "policy" not in said


DUE = {"settled_at": None}


@pytest.mark.parametrize(
    ("fields", "more", "words"),
    [
        pytest.param({}, {}, "none needed", id="settled"),
        pytest.param({"error": "refused"}, {}, "none: it waits for another", id="refused"),
        pytest.param({**DUE, "leased_until": LATER}, {}, "being worked on now", id="leased"),
        pytest.param({**DUE, "leased_until": EARLIER}, {}, "as soon as", id="lease over"),
        pytest.param({**DUE, "parked_at": NOW}, {}, "none: it failed too often", id="parked"),
        pytest.param(DUE, {"switch_is_on": False}, "waits until the switch", id="switch off"),
        pytest.param(DUE, {"pulse": Pulse(opened_at=NOW)}, "waits until Basket", id="breaker"),
        pytest.param({**DUE, "not_before": LATER}, {}, "at June 15, 2026, 12:20 p.m.", id="later"),
        pytest.param({**DUE, "not_before": EARLIER}, {}, "as soon as", id="wait is over"),
        pytest.param(DUE, {}, "as soon as a worker is free", id="due"),
    ],
)
def test_the_next_attempt(fields, more, words):
    assert next_attempt(contact(**fields), around(**more)).startswith(words)


@pytest.mark.parametrize(
    ("fields", "policy", "words"),
    [
        ({"wanted": True}, True, "the policy means it for them."),
        ({}, False, "the policy does not mean it for them."),
        ({"wanted": True, "decided_by": "admin"}, True, "an admin subscribed them."),
        ({"wanted": True, "decided_by": "admin"}, False, "The policy does not mean it for them."),
        ({"decided_by": "admin"}, True, "The policy means it for them."),
        ({"wanted": True, "decided_by": "member"}, True, "they subscribed again by themselves."),
        ({"wanted": True, "state": "awaiting"}, True, "waits for their confirmation"),
        ({"wanted": True, "state": "subscribed", "missing_at": NOW}, True, "being looked into"),
        ({"state": "unsubscribed", "decided_by": "admin"}, None, "not yet seen to be done"),
        ({"state": "opted_out", "despite_opt_out": True}, True, "all the same"),
    ],
)
def test_the_reason_of_one_newsletter(fields, policy, words):
    assert words in reason(line(**fields), entitled=policy)


@pytest.mark.parametrize(
    ("policy", "words"),
    [(None, "No policy names it"), (True, "has not looked at them yet"), (False, "does not mean")],
)
def test_the_reason_where_the_ledger_has_no_line(policy, words):
    assert words in reason(None, entitled=policy)
