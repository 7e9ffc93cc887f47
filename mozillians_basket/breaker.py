"""The breaker: while Basket fails everybody, one probe at a time calls it, and nobody else."""

import logging
import random
from datetime import timedelta

from django.conf import settings
from django.core.mail import mail_admins, send_mail
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from mozillians_basket.conf import conf
from mozillians_basket.exceptions import (
    BasketError,
    BasketMisconfigured,
    BasketUnavailable,
    BreakerOpen,
)
from mozillians_basket.models import Contact, Pulse

logger = logging.getLogger("mozillians_basket")

#: Seconds to the next probe after none, one, two, ... failed probes; the last one stays.
PROBE_SCHEDULE = (5, 10, 30, 60, 120, 300)

#: Seconds between probes at the least while Basket refuses the site itself.
MISCONFIGURED_FLOOR = 60

#: Admins are told of one misconfiguration at most this often.
NOTICE_EVERY = timedelta(hours=24)


def is_open() -> bool:
    """Whether only probes may call Basket now."""
    return Pulse.now().opened_at is not None


def enter(contact_id: int) -> Pulse:
    """
    Ask before a call for this contact; give the answer to :func:`note_success`.

    :raises BreakerOpen: when the breaker is open and this is not its probe.
    """
    pulse = Pulse.now()
    if pulse.opened_at is not None and pulse.probe_contact != contact_id:
        raise BreakerOpen
    return pulse


def note_success(pulse: Pulse | None, call: str) -> None:
    """
    Basket answered a call: the run of failures of that kind is over, and the breaker closes.

    A call of another kind says nothing: lookups may work while subscribes fail.

    :param pulse: what :func:`enter` returned; ``None`` when there was no trouble to ask about.
    """
    if pulse is not None and pulse.failures and pulse.failing_call in {call, ""}:
        close()


def close() -> None:
    """Let everybody call again."""
    closed = Pulse.objects.filter(pk=1, opened_at__isnull=False).update(
        opened_at=None, probe_contact=None, next_probe_at=None, probes=0
    )
    Pulse.objects.filter(pk=1).update(
        failures=0, failing_call="", failed_contacts=[], reason="", status=None, error_code=None
    )
    if closed:
        logger.warning("Basket answers again: the breaker is closed.")


def note_failure(error: BasketError, call: str, contact_id: int) -> bool:
    """
    Count a failure; return whether the breaker is open after it.

    A rate limit is one person's and counts for nothing here. A refusal of the
    site opens the breaker at once, and its admins are told.
    """
    if not counts(error):
        return False
    with transaction.atomic():
        Pulse.now()
        pulse = Pulse.objects.select_for_update().get(pk=1)
        misconfigured = isinstance(error, BasketMisconfigured)
        pulse.failures += 1
        pulse.failing_call = call
        pulse.failed_contacts = sorted({*pulse.failed_contacts, contact_id})[-100:]
        pulse.status = getattr(error, "status", None)
        pulse.error_code = getattr(error, "code", None)
        tell = False
        if pulse.opened_at is not None:
            if pulse.probe_contact == contact_id:
                _plan_probe(pulse)
        elif misconfigured or pulse.failures >= conf.BREAKER_FAILURES:
            _open(pulse, misconfigured=misconfigured)
            tell = misconfigured and _may_tell(pulse)
        pulse.save()
        if tell:
            transaction.on_commit(lambda: _tell_admins(pulse))
        return pulse.opened_at is not None


def counts(error: BasketError) -> bool:
    """Whether an error is Basket's or the site's, and not one person's."""
    if isinstance(error, BasketUnavailable):
        return error.status != 429
    return isinstance(error, BasketMisconfigured)


def _open(pulse: Pulse, *, misconfigured: bool) -> None:
    pulse.opened_at = timezone.now()
    pulse.reason = Pulse.Reason.MISCONFIGURED if misconfigured else Pulse.Reason.UNAVAILABLE
    pulse.probes = 0
    _plan_probe(pulse)
    # The failures that led here were the outage's: they use up no contact's attempts.
    failed = Contact.objects.filter(pk__in=pulse.failed_contacts)
    failed.filter(attempts__gt=0).update(attempts=F("attempts") - 1)
    failed.filter(parked_at__isnull=True).exclude(error="rate limit").update(not_before=None)
    logger.error(
        "The breaker is open (%s, HTTP %s, code %s): nothing but probes is sent to Basket.",
        pulse.reason,
        pulse.status,
        pulse.error_code,
    )


def _plan_probe(pulse: Pulse) -> None:
    seconds: float = PROBE_SCHEDULE[min(pulse.probes, len(PROBE_SCHEDULE) - 1)]
    if pulse.reason == Pulse.Reason.MISCONFIGURED:
        seconds = max(seconds, MISCONFIGURED_FLOOR)
    seconds *= conf.WAIT_FACTOR
    jitter = 1 + random.random() / 5  # noqa: S311 - no secret
    pulse.next_probe_at = timezone.now() + timedelta(seconds=seconds * jitter)
    pulse.probe_contact = None


def next_probe(due_ids: list[int]) -> int | None:
    """
    Which contact may try whether Basket answers again; ``None`` while it is not time.

    Only one caller gets it, and for the length of a lease nobody else does. A
    contact that failed is preferred, as it makes the call that failed.

    :param due_ids: due contacts, the longest waiting first.
    """
    pulse = Pulse.now()
    now = timezone.now()
    if pulse.opened_at is None or pulse.next_probe_at is None or pulse.next_probe_at > now:
        return None
    chosen = next((pk for pk in due_ids if pk in pulse.failed_contacts), next(iter(due_ids), None))
    if chosen is None:
        return None
    taken = Pulse.objects.filter(pk=1, next_probe_at=pulse.next_probe_at).update(
        probe_contact=chosen,
        probes=F("probes") + 1,
        next_probe_at=now + timedelta(seconds=conf.LEASE_SECONDS),
    )
    return chosen if taken else None


def note_sweep() -> None:
    """The sweeper runs: what the doctor tells beat's health by."""
    Pulse.objects.update_or_create(pk=1, defaults={"swept_at": timezone.now()})


def note_settled(contact_id: int) -> None:
    """A contact got through all its steps; if it was the probe, the breaker closes."""
    if Pulse.objects.filter(pk=1, opened_at__isnull=False, probe_contact=contact_id).exists():
        close()


def _may_tell(pulse: Pulse) -> bool:
    if pulse.notified_at is not None and pulse.notified_at > timezone.now() - NOTICE_EVERY:
        return False
    pulse.notified_at = timezone.now()
    return True


def _tell_admins(pulse: Pulse) -> None:
    subject = "Basket refuses this site"
    text = (
        f"Basket answered HTTP {pulse.status}, code {pulse.error_code}, to a {pulse.failing_call} "
        "call: every call would fail. Nothing more is sent until one gets through; nothing is "
        "lost meanwhile.\n\n"
        "Code 7: check BASKET_API_KEY. Code 8, or a redirect: check that BASKET_URL is https. "
        "Code 9: one of the site's newsletters is unknown to Basket. No code: check BASKET_URL.\n"
    )
    try:
        if conf.MANAGERS:
            prefixed = f"{settings.EMAIL_SUBJECT_PREFIX}{subject}"
            send_mail(prefixed, text, settings.SERVER_EMAIL, list(conf.MANAGERS))
        else:
            mail_admins(subject, text)
    except Exception as error:  # noqa: BLE001 - a mail server that is away must not stop the worker
        logger.error("The admins could not be told (%s).", type(error).__qualname__)  # noqa: TRY400
