"""The progress of bulk requests, in numbers and in words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mozillians_basket import bulk
from mozillians_basket.models import BulkItem, BulkRequest

#: The stretch of time whose finished items tell the rate.
LATELY = timedelta(minutes=1)

#: Rates over less than this many seconds are no rates.
SHORTEST = 2.0

State = BulkItem.State


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of one request."""

    state: BulkRequest.State
    total: int
    begun: int
    done: int = 0
    failed: int = 0
    skipped: int = 0
    over: bool = False
    rate: float | None = None
    """Members a second, of late; ``None`` while that cannot be told."""

    @property
    def closed(self) -> int:
        """The number of members whose order has ended."""
        return self.done + self.failed + self.skipped + self.left_out

    @property
    def left_out(self) -> int:
        """The number of members not begun when the request was cancelled."""
        return self.total - self.begun if self.state == BulkRequest.State.CANCELLED else 0

    @property
    def waiting(self) -> int:
        """The number of members whose order has not ended."""
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
        return self.state == BulkRequest.State.RUNNING and self.begun < self.total

    @property
    def may_retry(self) -> bool:
        """Whether there is anything to try again."""
        return self.failed > 0 and self.state in {
            BulkRequest.State.RUNNING,
            BulkRequest.State.FINISHED,
        }

    @property
    def sentence(self) -> str:
        """The progress in words, for people who do not see the bar."""
        numbers = {"closed": shown(self.closed), "total": shown(self.total)}
        if self.state == BulkRequest.State.CANCELLED:
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


def progress_of(row: BulkRequest) -> Progress:
    """Say how far a request got: two queries, read off an index; none when it is over."""
    counts = bulk.progress(row)
    if row.finished_at is not None:
        return _progress(row, counts)
    now = timezone.now()
    # The rate is that of the last minute, or of the time since the order if that is shorter.
    since = max(row.created_at, now - LATELY)
    seconds = (now - since).total_seconds()
    if seconds < SHORTEST:
        return _progress(row, counts)
    ended = [State.DONE, State.FAILED, State.SKIPPED]
    lately = BulkItem.objects.filter(request=row, state__in=ended, finished_at__gte=since)
    return _progress(row, counts, lately.count() / seconds)


def progress_of_all(rows: Iterable[BulkRequest]) -> dict[int, Progress]:
    """Say how far these got, without rates: one query for those that are not over."""
    rows = list(rows)
    counts = bulk.progress_of_all(rows)
    return {row.pk: _progress(row, counts[row.pk]) for row in rows}


def _progress(row: BulkRequest, counts: Mapping[str, int], rate: float | None = None) -> Progress:
    return Progress(
        state=BulkRequest.State(row.state),
        total=row.total,
        begun=row.position,
        done=counts.get(State.DONE, 0),
        failed=counts.get(State.FAILED, 0),
        skipped=counts.get(State.SKIPPED, 0),
        over=row.finished_at is not None,
        rate=rate,
    )
