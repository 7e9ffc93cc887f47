"""The breaker: while Basket fails for everybody, only one contact at a time calls it."""

import logging
import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.mail import mail_admins, send_mail
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from mozillians_basket.client import calls
from mozillians_basket.conf import conf
from mozillians_basket.exceptions import (
    BasketError,
    BasketFailed,
    BasketMisconfigured,
    BasketRefused,
    BasketSwitchedOff,
    BasketUnavailable,
    BreakerOpen,
    NewsletterNotFound,
)
from mozillians_basket.models import Contact, Decision, Problem, Status, Subscription, alias
from mozillians_basket.rules.answers import Answer, Kind
from mozillians_basket.site import get_site

logger = logging.getLogger("mozillians_basket")

#: Seconds to wait after the first, second, ... failure of a contact in a row; the last one stays.
SCHEDULE = (5, 15, 60, 300, 900, 3600, 3 * 3600, 6 * 3600)

#: Shortest wait of a contact in seconds after an answer 429: no less than Basket's window, which is
#: five minutes (measured).
#: A policy's change does not end the wait. An admin's retry or order does, the member's own choice,
#: and a member who leaves the address.
SHORTEST_WAIT_AFTER_429 = 300

#: Seconds to the next probe after none, one, two, ... failed probes; the last one stays.
PROBE_SCHEDULE = (5, 10, 30, 60, 120, 300)

#: Shortest time in seconds between probes while Basket refuses the site itself.
MISCONFIGURED_FLOOR = 60

#: Shortest time between two mails to admins that Basket refuses the site.
NOTICE_EVERY = timedelta(hours=24)

#: Seconds after which the catalogue is asked again for the newsletters that it lacked.
CATALOGUE_EVERY = 300

#: The number of failures of an outage that are kept, so that they can be taken back.
FAILURES_KEPT = 100


def take_probe(candidates: Sequence[int]) -> int | None:
    """
    Choose the contact of the next probe; ``None`` while it is not yet time.

    No other caller gets one for the length of a lease. A contact that failed goes first,
    as it repeats the call that failed. Every second probe is another contact, so that
    one that always fails does not keep the breaker open.

    :param candidates: contacts that are due, the most urgent first.
    """
    with _locked_status() as status:
        now = timezone.now()
        if not candidates or status.next_probe_at is None or status.next_probe_at > now:
            return None
        failed_first = status.probes % 2 == 0
        chosen = next(
            (each for each in candidates if (each in status.failed_contacts) == failed_first),
            candidates[0],
        )
        status.probe_contact, status.probes = chosen, status.probes + 1
        status.next_probe_at = now + timedelta(seconds=conf.LEASE_SECONDS)
    return chosen


def probe_soon() -> None:
    """Let the next probe start at once, as when an admin has seen that Basket answers."""
    with _locked_status() as status:
        if status.is_open:
            status.next_probe_at = timezone.now()


def note(call: str, results: Mapping[int, Any], status: Status) -> Status:
    """
    Count the results of a step's calls; return the state afterwards.

    Call it before the step stores the answers: while the breaker is open, failures
    use up no attempts and no waiting time. Attempts that the run of failures used up
    in earlier steps are taken back here.

    A success ends a run of failures of the same kind of call; another kind says
    nothing, as lookups may work while subscribes fail. Refusals, rate limits,
    unknown newsletters and faults of this side concern single contacts, and
    count for nothing.

    :param call: the kind of call: ``lookup``, ``subscribe`` or ``unsubscribe``.
    :param results: by contact, in the order in which the calls were started: values or errors.
    :param status: the state before the calls. Unless they change something, it is returned.
    """
    succeeded: set[int] = set()
    failures: dict[int, BasketFailed] = {}  # failures that concern all contacts, not one
    run: list[int] = []  # contacts that failed after the last success, or with a wrong key or URL
    for contact_id, result in results.items():
        if not isinstance(result, BasketError):
            succeeded.add(contact_id)
            run = [each for each in run if isinstance(failures[each], BasketMisconfigured)]
        elif isinstance(result, BasketFailed) and result.label != Problem.RATE_LIMIT:
            failures[contact_id] = result
            run.append(contact_id)
    probed = results.get(status.probe_contact or 0) if status.is_open else None
    probe_failed = isinstance(probed, BasketError) and not isinstance(probed, BasketRefused)
    if not (failures or probe_failed or (succeeded and call == status.failing_call)):
        return status
    misconfigured = any(isinstance(error, BasketMisconfigured) for error in failures.values())
    charged, refunded, tells = None, [], False
    with _locked_status() as status:
        now = timezone.now()
        if succeeded and call == status.failing_call:
            charged = _close(status, succeeded)
        earlier = status.failed_contacts
        for contact_id in run:
            status.failures += 1
            status.failing_call = call
            status.failed_contacts = [*status.failed_contacts, contact_id][-FAILURES_KEPT:]
            status.http_status = failures[contact_id].status
            status.error_code = str(failures[contact_id].code or "")
        opens = not status.is_open and (misconfigured or status.failures >= conf.BREAKER_FAILURES)
        if opens:
            kind = Problem.MISCONFIGURED if misconfigured else Problem.UNAVAILABLE
            status.opened_at, status.probes, status.reason = now, 0, kind
            _plan_probe(status)
            refunded = earlier
            told = status.notified_at and now - status.notified_at < NOTICE_EVERY
            if tells := misconfigured and not told:
                status.notified_at = now
        elif probe_failed and status.probe_contact in results:
            _plan_probe(status)
    _charge(charged)
    if refunded:  # an outage uses up nobody's attempts
        with _locked_contacts(refunded) as contacts:
            for contact in contacts:
                if contact.problem == Problem.UNAVAILABLE:
                    contact.attempts = max(contact.attempts - refunded.count(contact.pk), 0)
                    contact.not_before, contact.parked = None, False
    if opens:
        logger.error(
            "The breaker is open (%s, HTTP %s, code %s): nothing but probes is sent to Basket.",
            status.reason,
            status.http_status,
            status.error_code or "none",
        )
    if tells:
        tell_admins(
            "Basket refuses this site",
            f"Basket answered HTTP {status.http_status}, code {status.error_code or 'none'}, to a "
            f"{call} call: every call would fail. Nothing more is sent until one gets through, "
            "and nothing is lost.\n\n"
            "Code 7: check BASKET_API_KEY. Code 8, or a redirect: check that BASKET_URL is "
            "https. No code: check BASKET_URL.\n",
        )
    return status


def note_settled(status: Status, contact_ids: list[int]) -> None:
    """Close the breaker if its probe has gone through all its steps."""
    if not status.is_open or contact_ids != [status.probe_contact]:
        return
    charged = None
    with _locked_status() as status:
        if status.is_open and contact_ids == [status.probe_contact]:
            charged = _close(status, contact_ids)
    _charge(charged)


def _plan_probe(status: Status) -> None:
    seconds: float = PROBE_SCHEDULE[min(status.probes, len(PROBE_SCHEDULE) - 1)]
    if status.reason == Problem.MISCONFIGURED:
        seconds = max(seconds, MISCONFIGURED_FLOOR)
    status.next_probe_at = timezone.now() + _spread(seconds)
    status.probe_contact = None


def _close(status: Status, succeeded: Collection[int]) -> tuple[int, str] | None:
    """
    End the run of failures, and let all contacts call again.

    Returns a contact that alone had opened the breaker, with the reason, if others succeed.
    """
    failed = set(status.failed_contacts)
    alone = status.is_open and len(failed) == 1 and failed.isdisjoint(succeeded)
    charged = (failed.pop(), status.reason) if alone else None
    if status.is_open:
        logger.warning("Basket answers again: the breaker is closed.")
    status.opened_at = status.next_probe_at = status.probe_contact = status.http_status = None
    status.failing_call = status.reason = status.error_code = ""
    status.failures, status.probes, status.failed_contacts = 0, 0, []
    return charged


def _charge(charged: tuple[int, str] | None) -> None:
    """Count a failure of a contact that alone opened the breaker: it waits, or is parked."""
    if charged is None:
        return
    contact_id, problem = charged
    with _locked_contacts([contact_id]) as contacts:
        for contact in contacts:
            contact.attempts += 1
            wait = waiting_time(contact.attempts, BasketUnavailable())
            contact.not_before = timezone.now() + wait
            contact.problem = problem
            contact.parked = contact.attempts >= conf.MAX_ATTEMPTS
            contact.failing_since = contact.failing_since or timezone.now()


@contextmanager
def _locked_status() -> Iterator[Status]:
    """Lock the row in a short transaction, and save it at the end."""
    Status.read()
    with transaction.atomic(using=alias()):
        status = Status.objects.select_for_update().get(pk=1)
        yield status
        status.save()


@contextmanager
def _locked_contacts(contact_ids: Iterable[int]) -> Iterator[list[Contact]]:
    """Lock contacts in the order of their keys, and save their changes at the end."""
    columns = ["attempts", "not_before", "problem", "parked", "failing_since"]
    with transaction.atomic(using=alias()):
        rows = Contact.objects.select_for_update().filter(pk__in=set(contact_ids))
        contacts = list(rows.order_by("pk"))
        yield contacts
        Contact.objects.bulk_update(contacts, columns)


def pause_unknown_newsletters(asked: Iterable[str]) -> frozenset[str]:
    """
    Pause the newsletters of a call that Basket does not know; return them.

    Call it after :class:`NewsletterNotFound`, which does not say which newsletter it
    is. If nothing is returned, Basket's catalogue does not tell either, and the
    contact waits.
    """
    slugs = frozenset(asked)
    try:
        unknown = slugs.difference(calls.catalogue())
    except BasketError:
        unknown = frozenset()
    if not unknown and len(slugs) == 1:
        unknown = slugs  # by Basket's answer, as there is no other
    if not unknown:
        return unknown
    with _locked_status() as status:
        added = sorted(unknown - status.unknown)
        now = timezone.now().isoformat()
        status.unknown_newsletters = {**status.unknown_newsletters, **dict.fromkeys(added, now)}
    for slug in added:
        logger.error("Basket does not know the newsletter %s: it is paused.", slug)
        tell_admins(
            f"Basket does not know the newsletter {slug}",
            f"Nobody is subscribed to {slug} or unsubscribed from it until Basket has a "
            "newsletter of that name. All other newsletters go on, and nothing is lost.\n\n"
            "Check how it is spelled in the site's policies and in BASKET_NEWSLETTERS.\n",
        )
    return unknown


def look_for_newsletters() -> None:
    """
    Resume paused newsletters that Basket's catalogue has again.

    Asks at most every five minutes, and not while the breaker is open.
    Newsletters that are no longer this site's are dropped.
    """
    status = Status.read()
    if not status.unknown:
        return
    every = timedelta(seconds=CATALOGUE_EVERY * conf.WAIT_FACTOR)
    with _locked_status() as status:
        now, ours = timezone.now(), get_site().newsletters
        _keep_paused(status, ours)
        asks = status.unknown and not status.is_open
        if not asks or (status.catalogue_at and now - status.catalogue_at < every):
            return
        status.catalogue_at = now
    try:
        known = calls.catalogue()
    except BasketError:
        return
    with _locked_status() as status:
        resumed = sorted(status.unknown.intersection(known))
        _keep_paused(status, status.unknown.difference(known))
    for slug in resumed:
        logger.warning("Basket knows the newsletter %s: it goes on.", slug)
    # Contacts that waited for these newsletters, and not after a failure, go on at once.
    decisions = Decision.objects.filter(newsletter__in=resumed)
    rows = Subscription.objects.filter(newsletter__in=resumed)
    waiting = Contact.objects.filter(
        Q(pk__in=decisions.values("member__contact")) | Q(pk__in=rows.values("contact")),
        touched_at__isnull=False,
        attempts=0,
    )
    waiting.update(not_before=None)


def _keep_paused(status: Status, slugs: Collection[str]) -> None:
    status.unknown_newsletters = {
        slug: since for slug, since in status.unknown_newsletters.items() if slug in slugs
    }


def tell_admins(subject: str, text: str) -> None:
    """Mail ``BASKET_MANAGERS``, or else the site's admins."""
    try:
        if conf.MANAGERS:
            prefixed = f"{settings.EMAIL_SUBJECT_PREFIX}{subject}"
            send_mail(prefixed, text, settings.SERVER_EMAIL, list(conf.MANAGERS))
        else:
            mail_admins(subject, text)
    except Exception as error:  # noqa: BLE001 - a mail server that is away must not stop the worker
        logger.error("The admins could not be told (%s).", type(error).__qualname__)  # noqa: TRY400


def waiting_time(attempts: int, error: BasketError) -> timedelta:
    """
    Say how long to wait after the failure number ``attempts``, counted from 1.

    A fifth at random is added, so that what failed together does not come back together.
    """
    seconds: float = SCHEDULE[min(max(attempts, 1), len(SCHEDULE)) - 1]
    if isinstance(error, BasketUnavailable) and error.status == 429:
        seconds = max(seconds, SHORTEST_WAIT_AFTER_429)
    return _spread(seconds)


def _spread(seconds: float) -> timedelta:
    longer = 1 + random.random() / 5  # noqa: S311 - no secret
    return timedelta(seconds=seconds * conf.WAIT_FACTOR * longer)


def answer_of(error: BasketError, attempts: int) -> Answer:
    """
    Translate an error for the rules.

    :param attempts: how often the contact has failed in a row before this call.
    """
    wait = waiting_time(attempts + 1, error)
    match error:
        case BreakerOpen() | BasketSwitchedOff() | NewsletterNotFound():
            return Answer(Kind.NOT_DONE)
        case BasketRefused(code=code):
            return Answer(Kind.REFUSED, code=str(code))
        case BasketMisconfigured():
            return Answer(Kind.NOT_DONE, code=error.label)
        case BasketUnavailable(status=429):
            return Answer(Kind.NOT_DONE, code=error.label, wait=wait)
    return Answer(Kind.UNCLEAR, code=error.label, wait=wait)
