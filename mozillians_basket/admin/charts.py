"""Throughput and failures for the overview, as charts and as tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mozillians_basket.admin.wording import grouped
from mozillians_basket.models import Event
from mozillians_basket.site import get_site
from mozillians_basket.upkeep import retention
from mozillians_basket.upkeep.retention import Numbers

#: All lengths are in the SVG's own units. The page scales it up to twice, and two fit on a phone.
WIDTH = 180
PANEL = 60
FOOT = 20

#: The width of a word: one that begins nearer to the edge would reach over it.
ROOM = 64

#: At most so many words below the bars, so that they do not run into each other.
MOST_WORDS = 2

Kind = Event.Kind

#: Calls that Basket carried out.
CARRIED = (Kind.SUBSCRIBED, Kind.UNSUBSCRIBED)

#: Events after which an admin may have something to do.
FAILED = (Kind.REFUSED, Kind.PARKED, Kind.MISSING)

#: The columns of the tables, each with its heading.
COLUMNS: tuple[tuple[Event.Kind, Any], ...] = (
    (Kind.SUBSCRIBED, gettext_lazy("Subscribed")),
    (Kind.UNSUBSCRIBED, gettext_lazy("Unsubscribed")),
    (Kind.MOVED, gettext_lazy("Address changed")),
    (Kind.OPTED_OUT, gettext_lazy("Opted out")),
    (Kind.REFUSED, gettext_lazy("Refused")),
    (Kind.PARKED, gettext_lazy("Parked")),
    (Kind.MISSING, gettext_lazy("Missing at Basket")),
)


@dataclass(frozen=True, slots=True)
class Series:
    """One row of bars."""

    label: str
    css: str
    """The class of its bars, which colours them."""

    numbers: Sequence[int]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar; the coordinates are text, as no language's decimal comma may get into them."""

    x: str
    y: str
    width: str
    height: str
    number: int
    when: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One series above its base line."""

    label: str
    css: str
    highest: int
    total: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Word:
    """A word below the bars; it begins where its bar does."""

    x: str
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Panels, each of which stands over the same words."""

    width: str
    height: str
    base_y: str
    words_y: str
    panels: tuple[Panel, ...]
    words: tuple[Word, ...]


def draw(moments: Sequence[str], series: Sequence[Series], highest: int) -> Chart:
    """
    Lay a chart out: for each series one panel, for each moment one bar in each.

    The panel says which series it is, so no colour has to.

    :param moments: the text below, and in the tip of, each bar.
    :param highest: the number whose bar fills a panel: charts with the same one can be compared.
    """
    step = WIDTH / max(len(moments), 1)
    every = -(-len(moments) // MOST_WORDS) or 1
    return Chart(
        width=str(WIDTH),
        height=str(PANEL + FOOT),
        base_y=str(PANEL),
        words_y=_length(PANEL + 0.75 * FOOT),
        panels=tuple(
            Panel(
                label=one.label,
                css=one.css,
                highest=max(one.numbers, default=0),
                total=sum(one.numbers),
                bars=tuple(
                    _bar(number, highest, when, x=place * step, width=step)
                    for place, (when, number) in enumerate(zip(moments, one.numbers, strict=True))
                    if number
                ),
            )
            for one in series
        ),
        words=tuple(
            Word(_length(number * step), text)
            for number, text in enumerate(moments)
            if number % every == 0 and number * step <= WIDTH - ROOM
        ),
    )


def _bar(number: int, highest: int, when: str, *, x: float, width: float) -> Bar:
    # Not lower than two units: one failure among a thousand must be seen.
    height = max(2.0, (PANEL - 4) * number / highest)
    return Bar(
        x=_length(x + width * 0.1),
        y=_length(PANEL - height),
        width=_length(width * 0.8),
        height=_length(height),
        number=number,
        when=when,
    )


def _length(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True)
class TableRow:
    """One hour or day of a table."""

    when: str
    query: str
    """The history page's parameters for this time."""

    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """The charts of one newsletter, or of all of them together, with their table."""

    key: str
    """The prefix of its ids in the page."""

    title: str
    description: str
    chart: Chart
    rows: tuple[TableRow, ...]


@dataclass(frozen=True, slots=True)
class Activity:
    """A period, with the charts of each newsletter. All of them have one scale."""

    key: str
    title: str
    headings: tuple[str, ...]
    groups: tuple[Group, ...]


def activities() -> tuple[Activity, ...]:
    """The last 24 hours by hour, and the last 30 days by day."""
    latest = retention.not_counted()
    hours = retention.by_hour(24, latest)
    days = retention.by_day(30, latest)
    return (
        _activity(
            "hours",
            _("The last 24 hours"),
            hours,
            [date_format(timezone.localtime(hour), "H:i") for hour in hours],
            [hour + timedelta(hours=1) for hour in hours],
        ),
        _activity(
            "days",
            _("The last 30 days"),
            days,
            [date_format(day, "MONTH_DAY_FORMAT") for day in days],
            [*list(days)[1:], timezone.now() + timedelta(days=1)],
        ),
    )


def _activity(
    key: str, title: str, numbers: Numbers, names: list[str], ends: list[datetime]
) -> Activity:
    # The parts of all newsletters together come first, and no other has a higher bar.
    newsletters = ["", *sorted(get_site().newsletters)]
    series = {newsletter: _series(newsletter, numbers) for newsletter in newsletters}
    highest = max((n for both in series.values() for one in both for n in one.numbers), default=0)
    return Activity(
        key=key,
        title=title,
        headings=tuple(str(heading) for _kind, heading in COLUMNS),
        groups=tuple(
            Group(
                key=f"{key}-{place}",
                title=newsletter or _("All newsletters"),
                description=_described(*series[newsletter]),
                chart=draw(names, series[newsletter], highest),
                rows=_rows(newsletter, numbers, names, ends),
            )
            for place, newsletter in enumerate(newsletters)
        ),
    )


def _series(newsletter: str, numbers: Numbers) -> tuple[Series, Series]:
    def of(kinds: tuple[Event.Kind, ...]) -> list[int]:
        return [sum(counted[newsletter, kind] for kind in kinds) for counted in numbers.values()]

    # An address is parked, not one of its newsletters.
    failed = _("Refused or missing") if newsletter else _("Refused, parked or missing")
    return (
        Series(_("Carried to Basket"), "basket-carried", of(CARRIED)),
        Series(failed, "basket-failed", of(FAILED)),
    )


def _described(carried: Series, failed: Series) -> str:
    text = _(
        "%(carried)s carried to Basket, %(failed)s failed. The numbers are in the table below."
    )
    numbers = {"carried": sum(carried.numbers), "failed": sum(failed.numbers)}
    return text % {name: grouped(number) for name, number in numbers.items()}


def _rows(
    newsletter: str, numbers: Numbers, names: list[str], ends: list[datetime]
) -> tuple[TableRow, ...]:
    about = {"newsletter": newsletter} if newsletter else {}
    rows = []
    for name, end, (start, counted) in zip(names, ends, numbers.items(), strict=True):
        period = {"created_at__gte": start.isoformat(), "created_at__lt": end.isoformat()}
        cells = tuple(counted[newsletter, kind] for kind, _heading in COLUMNS)
        rows.append(TableRow(name, urlencode({**about, **period}), cells))
    return tuple(rows)
