"""How far bulk requests got, in numbers and in words."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, Q
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mozillians_basket.ledger.endings import count_items
from mozillians_basket.models import Batch, BatchItem

#: The stretch of time whose finished items tell the rate.
LATELY = timedelta(minutes=1)

#: Rates over less than this many seconds are no rates.
SHORTEST = 2.0

State = BatchItem.State


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one request got."""

    state: Batch.State
    total: int
    done: int = 0
    failed: int = 0
    skipped: int = 0
    cancelled: int = 0
    over: bool = False
    rate: float | None = None
    """Members a second, of late; ``None`` while that cannot be told."""

    @property
    def closed(self) -> int:
        """How many need nothing more."""
        return self.done + self.failed + self.skipped + self.cancelled

    @property
    def waiting(self) -> int:
        """How many are still to come."""
        return max(self.total - self.closed, 0)

    @property
    def percent(self) -> int:
        """Whole percents, and 100 only when nobody waits."""
        if self.over or not self.total:
            return 100 if self.over else 0
        return min(100 * self.closed // self.total, 99 if self.waiting else 100)

    @property
    def may_cancel(self) -> bool:
        """Whether there is anything to stop."""
        return self.state in {Batch.State.EXPANDING, Batch.State.RUNNING}

    @property
    def may_retry(self) -> bool:
        """Whether there is anything to try again."""
        return self.failed > 0 and self.state in {Batch.State.RUNNING, Batch.State.FINISHED}

    @property
    def sentence(self) -> str:
        """Where it stands, for people who do not see the bar."""
        numbers = {"closed": shown(self.closed), "total": shown(self.total)}
        if self.state == Batch.State.CANCELLED:
            return _("Cancelled: %(closed)s of %(total)s members are through or left out.") % (
                numbers
            )
        if self.over:
            return _("Finished: %(closed)s of %(total)s members.") % numbers
        return _("%(closed)s of %(total)s members are through (%(percent)s %%).") % {
            **numbers,
            "percent": self.percent,
        }

    @property
    def pace(self) -> str:
        """Rate and time left."""
        if self.over or self.rate is None:
            return ""
        if not self.rate:
            return _("Nothing was finished in the last minute.")
        rate = _("%(rate)s members a second") % {
            "rate": formats.number_format(round(self.rate, 1), 1)
        }
        return f"{rate}, {_('about %(time)s left') % {'time': duration(self.waiting / self.rate)}}"


def shown(number: int) -> str:
    """A number with its thousands apart."""
    return formats.number_format(number, force_grouping=True)


def duration(seconds: float) -> str:
    """A time to wait, as exact as it is worth."""
    if seconds < 60:
        number = max(round(seconds), 1)
        return ngettext("%(number)d second", "%(number)d seconds", number) % {"number": number}
    if seconds < 5400:
        number = round(seconds / 60)
        return ngettext("%(number)d minute", "%(number)d minutes", number) % {"number": number}
    number = round(seconds / 3600)
    return ngettext("%(number)d hour", "%(number)d hours", number) % {"number": number}


def progress_of(batch: Batch) -> Progress:
    """How far a request got: one query, read off an index; none when it is over."""
    if batch.finished_at is not None:
        return _progress(batch, batch.counts)
    now = timezone.now()
    lately = Q(finished_at__gte=now - LATELY) & ~Q(state=State.CANCELLED)
    rows = (
        BatchItem.objects.filter(batch=batch)
        .values("state")
        .annotate(number=Count("pk"), lately=Count("pk", filter=lately))
    )
    counts, number = {}, 0
    for row in rows:
        counts[row["state"]] = row["number"]
        number += row["lately"]
    # What was finished in the last minute; for a request that is younger, since its order.
    since = max(batch.created_at, batch.retried_at or batch.created_at, now - LATELY)
    seconds = (now - since).total_seconds()
    return _progress(batch, counts, number / seconds if seconds >= SHORTEST else None)


def progress_of_all(batches: Iterable[Batch]) -> dict[int, Progress]:
    """How far these got, without rates: one query for those that are not over."""
    rows = list(batches)
    running = count_items([batch.pk for batch in rows if batch.finished_at is None])
    return {batch.pk: _progress(batch, running.get(batch.pk, batch.counts)) for batch in rows}


def _progress(batch: Batch, counts: dict[str, int], rate: float | None = None) -> Progress:
    return Progress(
        state=Batch.State(batch.state),
        total=batch.total,
        done=counts.get(State.DONE, 0),
        failed=counts.get(State.FAILED, 0),
        skipped=counts.get(State.SKIPPED, 0),
        cancelled=counts.get(State.CANCELLED, 0),
        over=batch.finished_at is not None,
        rate=rate,
    )
