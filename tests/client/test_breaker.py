"""The breaker: an outage stops all calls but probes, harms no contact, and ends by itself."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import django
import pytest
import time_machine
from django.core import mail
from django.db.models import F
from django.utils import timezone
from waffle.testutils import override_switch

from mozillians_basket.client import breaker, calls, transport
from mozillians_basket.conf import SWITCH
from mozillians_basket.exceptions import (
    BasketError,
    BasketMisconfigured,
    BasketRefused,
    BasketSwitchedOff,
    BasketUnavailable,
    BreakerOpen,
    NewsletterNotFound,
    StepFailed,
)
from mozillians_basket.models import Contact, Problem, Status
from mozillians_basket.rules.answers import Kind
from mozillians_basket.sandbox.testing import SandboxServer

pytestmark = pytest.mark.django_db

#: The key of no contact, for others than those that a test makes.
NOBODY = 10**9

DOWN = BasketUnavailable(503)
RATE_LIMIT = BasketUnavailable(429, 5)
WRONG_KEY = BasketMisconfigured(401, 7)


def contacts(count: int, **fields: Any) -> list[int]:
    """Make contacts; return their keys."""
    emails = [f"member{number}@example.com" for number in range(count)]
    return [Contact.objects.create(email=e, key=e, **fields).pk for e in emails]


def failing(ids: Iterable[int], error: BasketError = DOWN) -> dict[int, BasketError | None]:
    return dict.fromkeys(ids, error)


def is_open() -> bool:
    return Status.read().is_open


def note(call: str, results: dict[int, Any]) -> bool:
    """Count results; return whether the breaker is open afterwards."""
    return breaker.note(call, results, Status.read()).is_open


def note_settled(contact_id: int) -> None:
    breaker.note_settled(Status.read(), [contact_id])


def let_probe() -> None:
    """End the wait until the next probe."""
    Status.objects.update(next_probe_at=timezone.now() - timedelta(seconds=1))


def take_probe(candidates: list[int]) -> int:
    probe = breaker.take_probe(candidates)
    assert probe is not None
    return probe


def open_breaker(
    ids: Iterable[int] = (1, 2, 3, 4, 5), call: str = "lookup", error: BasketError = DOWN
) -> None:
    assert note(call, failing(ids, error))


def test_failures_in_a_row_open_the_breaker(caplog: pytest.LogCaptureFixture) -> None:
    assert not note("lookup", failing([1, 2, 3, 4]))
    assert not is_open()

    assert note("lookup", failing([5]))

    assert is_open()
    assert "unavailable, HTTP 503" in caplog.text
    assert mail.outbox == []


def test_success_of_the_same_call_ends_a_run_of_failures() -> None:
    note("lookup", failing([1, 2, 3, 4]))
    note("lookup", {5: None})

    assert not note("lookup", failing([6]))


def test_success_of_another_call_ends_no_run_of_failures() -> None:
    note("subscribe", failing([1, 2, 3, 4]))
    note("lookup", {5: None})

    assert note("subscribe", failing([6]))


def test_success_and_failure_of_another_call_end_no_run_either() -> None:
    note("subscribe", failing([1, 2, 3, 4]))

    assert note("lookup", {5: None, 6: DOWN})


def test_only_failures_after_the_last_success_of_a_share_count() -> None:
    outcomes = failing(range(1, 8)) | {8: None} | failing(range(9, 13))

    assert not note("lookup", outcomes)
    assert note("lookup", failing([13]))


@pytest.mark.parametrize(
    "error",
    [
        RATE_LIMIT,
        BasketRefused(2),
        NewsletterNotFound(),
        StepFailed("KeyError"),
        BasketSwitchedOff(),
        BreakerOpen(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_that_concern_one_contact_count_for_nothing(error: BasketError) -> None:
    assert not note("subscribe", failing(range(1, 20), error))
    assert Status.read().failures == 0


def test_nothing_is_written_while_all_is_well(django_assert_num_queries: Any) -> None:
    Status.read()

    with django_assert_num_queries(1):
        note("lookup", {1: None, 2: BasketRefused(2)})


def test_closed_breaker_has_no_probe() -> None:
    assert breaker.take_probe([1]) is None


def test_probe_waits_for_its_time_and_is_taken_once() -> None:
    open_breaker()

    assert breaker.take_probe([9]) is None
    let_probe()
    assert breaker.take_probe([]) is None
    assert breaker.take_probe([9]) == 9
    assert breaker.take_probe([9]) is None


def test_probe_that_never_reports_is_followed_by_another_after_a_lease(settings: Any) -> None:
    settings.BASKET_LEASE_SECONDS = 60
    open_breaker()
    let_probe()
    breaker.take_probe([9])

    with time_machine.travel(timezone.now() + timedelta(seconds=61), tick=False):
        assert breaker.take_probe([8]) == 8


def test_probe_prefers_a_contact_that_failed() -> None:
    open_breaker()
    let_probe()

    assert breaker.take_probe([9, 4]) == 4


def test_every_second_probe_is_a_contact_that_did_not_fail() -> None:
    open_breaker()
    let_probe()
    note("lookup", failing([take_probe([4, 9])]))
    let_probe()

    assert breaker.take_probe([4, 9]) == 9


def test_probes_that_fail_come_at_growing_intervals() -> None:
    waits = []

    with time_machine.travel(timezone.now(), tick=False):
        open_breaker()
        for _ in range(8):
            next_probe_at = Status.read().next_probe_at or timezone.now()
            waits.append((next_probe_at - timezone.now()).total_seconds())
            let_probe()
            assert note("lookup", failing([take_probe([1])]))

    floors = [5, 10, 30, 60, 120, 300, 300, 300]
    assert all(f <= w <= 1.2 * f for f, w in zip(floors, waits, strict=True)), waits


@pytest.mark.parametrize("error", [RATE_LIMIT, BasketSwitchedOff()])
def test_probe_that_says_nothing_of_basket_is_followed_by_another_on_the_schedule(
    error: BasketError,
) -> None:
    open_breaker()
    let_probe()
    probe = take_probe([4, 9])

    assert note("lookup", {probe: error})

    with time_machine.travel(timezone.now() + timedelta(seconds=15), tick=False):
        assert breaker.take_probe([4, 9]) == 9


def test_probe_that_makes_the_failing_call_closes_the_breaker(
    caplog: pytest.LogCaptureFixture,
) -> None:
    open_breaker(call="subscribe")
    let_probe()
    probe = take_probe([1])

    assert note("lookup", {probe: None})
    assert not note("subscribe", {probe: None})

    assert not is_open()
    assert "closed" in caplog.text
    assert Status.read().failures == 0


def test_probe_that_gets_through_all_its_steps_closes_the_breaker() -> None:
    open_breaker(call="subscribe")
    let_probe()
    breaker.take_probe([9])

    note_settled(8)
    meanwhile = is_open()
    note_settled(9)

    assert (meanwhile, is_open()) == (True, False)


def test_outage_uses_up_no_attempts() -> None:
    ids = contacts(3, attempts=1, not_before=timezone.now(), problem="unavailable")
    parked = ids[0]
    Contact.objects.filter(pk=parked).update(parked=True, attempts=2)
    note("lookup", failing(ids))
    note("lookup", failing([parked]))

    opened = note("lookup", failing([NOBODY]))

    assert opened
    assert set(Contact.objects.values_list("attempts", "not_before", "parked")) == {
        (0, None, False)
    }


def test_outage_takes_nothing_back_that_was_not_its_own() -> None:
    [limited, other] = contacts(2, attempts=3, not_before=timezone.now(), problem="rate limit")
    Contact.objects.filter(pk=other).update(problem="unavailable")
    note("lookup", failing([limited, NOBODY, NOBODY + 1, NOBODY + 2]))

    assert note("lookup", failing([NOBODY + 3]))

    assert list(Contact.objects.order_by("pk").values_list("attempts", flat=True)) == [3, 3]
    assert not Contact.objects.filter(not_before=None).exists()


def test_memory_of_an_outage_is_bounded() -> None:
    open_breaker()

    note("lookup", failing(range(1000, 1500)))

    assert len(Status.read().failed_contacts) == 100


def test_contact_that_always_fails_does_not_hold_up_the_others(settings: Any) -> None:
    settings.BASKET_MAX_ATTEMPTS = 3
    [bad, good] = contacts(2, problem="unavailable")

    for _ in range(3):
        while not note("unsubscribe", failing([bad])):
            Contact.objects.filter(pk=bad).update(attempts=F("attempts") + 1)
        let_probe()
        note("unsubscribe", failing([take_probe([bad, good])]))
        let_probe()
        note("lookup", {take_probe([bad, good]): None})
        note_settled(good)
        assert not is_open()

    contact = Contact.objects.get(pk=bad)
    assert (contact.attempts, contact.parked, contact.problem) == (3, True, "unavailable")
    assert contact.not_before is not None
    assert contact.not_before > timezone.now()


def test_contact_that_alone_had_opened_the_breaker_waits_when_others_get_through() -> None:
    [bad] = contacts(1)
    open_breaker([bad], error=WRONG_KEY)
    let_probe()

    note("lookup", {take_probe([NOBODY]): None})

    contact = Contact.objects.get()
    assert (contact.attempts, contact.problem, contact.parked) == (1, "misconfigured", False)
    assert contact.not_before is not None


def test_end_of_an_outage_costs_those_who_failed_nothing() -> None:
    ids = contacts(5)
    open_breaker(ids)
    let_probe()

    note("lookup", {take_probe([NOBODY]): None})

    assert set(Contact.objects.values_list("attempts", "not_before")) == {(0, None)}


def test_wrong_key_stops_everybody_and_admins_are_told_once(settings: Any) -> None:
    settings.BASKET_MANAGERS = ["newsletters@example.org"]

    assert note("lookup", {1: None, 2: WRONG_KEY, 3: None})
    for _ in range(3):
        let_probe()
        assert note("lookup", failing([take_probe([2])], WRONG_KEY))
    note("lookup", {2: None})
    assert note("lookup", {2: WRONG_KEY})

    assert Status.read().reason == Problem.MISCONFIGURED
    [message] = mail.outbox
    assert message.to == ["newsletters@example.org"]
    assert "code 7" in message.body


def test_admins_are_told_of_a_wrong_key_again_after_a_day() -> None:
    open_breaker([1], error=WRONG_KEY)
    note("lookup", {1: None})

    with time_machine.travel(timezone.now() + timedelta(hours=25), tick=False):
        open_breaker([1], error=WRONG_KEY)
        assert Status.read().notified_at == timezone.now()


def test_without_managers_the_admins_of_the_site_are_told(settings: Any) -> None:
    address = "admin@example.org"
    settings.ADMINS = [address if django.VERSION >= (6, 0) else ("", address)]

    open_breaker([1], error=WRONG_KEY)

    assert [message.to for message in mail.outbox] == [["admin@example.org"]]


def test_mail_server_that_is_away_stops_nothing(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.BASKET_MANAGERS = ["newsletters@example.org"]
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1

    open_breaker([1], error=WRONG_KEY)

    assert "could not be told (ConnectionRefusedError)" in caplog.text


def test_newsletter_that_the_catalogue_lacks_is_paused_and_told_once(
    basket: SandboxServer, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.BASKET_MANAGERS = ["newsletters@example.org"]

    first = breaker.pause_unknown_newsletters({"mozilla-phone", "mozila-nda"})
    again = breaker.pause_unknown_newsletters({"mozila-nda"})

    assert first == again == Status.read().unknown == {"mozila-nda"}
    [message] = mail.outbox
    assert "mozila-nda" in message.subject
    assert "mozila-nda" in caplog.text
    assert not is_open()


def test_only_newsletter_of_a_call_is_the_unknown_one_whatever_the_catalogue_says(
    basket: SandboxServer,
) -> None:
    assert breaker.pause_unknown_newsletters({"mozilla-phone"}) == {"mozilla-phone"}


@pytest.mark.parametrize("fault", [{"status": 500}, {"kind": "malformed"}])
def test_catalogue_that_cannot_be_read_tells_nothing_of_two_newsletters(
    basket: SandboxServer, fault: dict[str, Any]
) -> None:
    basket.fail("newsletters", **fault)

    assert breaker.pause_unknown_newsletters({"mozila-phone", "mozilla-nda"}) == frozenset()


def test_newsletter_goes_on_once_the_catalogue_has_it(basket: SandboxServer, settings: Any) -> None:
    settings.BASKET_NEWSLETTERS = ["a-new-one", "another"]
    breaker.pause_unknown_newsletters({"a-new-one", "another"})
    breaker.look_for_newsletters()
    meanwhile = Status.read().unknown
    basket.load_newsletters({"a-new-one": {"title": "A new one"}})

    with time_machine.travel(timezone.now() + timedelta(minutes=6)):
        breaker.look_for_newsletters()

    assert meanwhile == {"a-new-one", "another"}
    assert Status.read().unknown == {"another"}


def test_catalogue_is_asked_at_most_every_five_minutes(
    basket: SandboxServer, settings: Any
) -> None:
    settings.BASKET_NEWSLETTERS = ["a-missing-one"]
    breaker.pause_unknown_newsletters({"a-missing-one"})
    basket.clear_requests()

    for minutes in (0, 1, 4, 6, 7):
        with time_machine.travel(timezone.now() + timedelta(minutes=minutes)):
            breaker.look_for_newsletters()

    assert [request.endpoint for request in basket.requests] == ["newsletters"] * 2


def test_catalogue_is_not_asked_without_a_reason(basket: SandboxServer, settings: Any) -> None:
    breaker.look_for_newsletters()
    settings.BASKET_NEWSLETTERS = ["a-missing-one"]
    Status.objects.update(unknown_newsletters={"a-missing-one": timezone.now().isoformat()})
    open_breaker()

    breaker.look_for_newsletters()

    assert basket.requests == []


def test_newsletter_that_is_no_longer_the_site_s_is_dropped(basket: SandboxServer) -> None:
    breaker.pause_unknown_newsletters({"given-up"})
    basket.clear_requests()

    breaker.look_for_newsletters()

    assert Status.read().unknown == frozenset()
    assert basket.requests == []


def test_catalogue_stays_behind_the_switch(basket: SandboxServer) -> None:
    with override_switch(SWITCH, active=False):
        assert breaker.pause_unknown_newsletters({"a", "b"}) == frozenset()

    assert basket.requests == []


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (BasketUnavailable(500, 6), Kind.UNCLEAR, "unavailable"),
        (RATE_LIMIT, Kind.NOT_DONE, "rate limit"),
        (WRONG_KEY, Kind.NOT_DONE, "misconfigured"),
        (BasketRefused(2), Kind.REFUSED, "2"),
        (NewsletterNotFound(), Kind.NOT_DONE, ""),
        (BasketSwitchedOff(), Kind.NOT_DONE, ""),
        (BreakerOpen(), Kind.NOT_DONE, ""),
        (StepFailed("KeyError"), Kind.UNCLEAR, "unexpected"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_error_becomes_an_answer_for_the_rules(error: BasketError, kind: Kind, code: str) -> None:
    answer = breaker.answer_of(error, 0)

    assert (answer.kind, answer.code) == (kind, code)
    assert (answer.wait is not None) == (code in {"unavailable", "rate limit", "unexpected"})


def wait_after(error: BasketError, attempts: int) -> timedelta:
    return breaker.answer_of(error, attempts).wait or timedelta()


def test_waiting_time_grows_and_is_spread() -> None:
    floors = [5, 15, 60, 300, 900, 3600, 10800, 21600, 21600]

    for attempts, floor in enumerate(floors):
        waits = {wait_after(DOWN, attempts).total_seconds() for _ in range(20)}
        assert floor <= min(waits) < max(waits) <= 1.2 * floor


def test_wait_after_a_rate_limit_is_five_minutes_at_least() -> None:
    assert wait_after(RATE_LIMIT, 0) >= timedelta(minutes=5)


def test_outage_over_http_is_counted_and_ends(basket: SandboxServer) -> None:
    fault = basket.fail("lookup", status=500, code=6)
    ids = contacts(8)
    emails = list(Contact.objects.order_by("pk").values_list("email"))

    results = transport.fan_out(calls.look_up, emails)
    errors = [each if isinstance(each, BasketError) else None for each in results]
    opened = note("lookup", dict(zip(ids, errors, strict=True)))
    basket.heal(fault)
    let_probe()
    probe = take_probe(ids)
    found = calls.look_up(Contact.objects.get(pk=probe).email)
    closed = not note("lookup", {probe: None})

    assert (opened, found, closed) == (True, None, True)
