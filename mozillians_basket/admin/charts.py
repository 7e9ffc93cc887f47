"""Throughput and failures for the overview, as charts and as tables."""

from collections.abc import Sequence
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
from mozillians_basket.upkeep import statistics
from mozillians_basket.upkeep.statistics import Numbers

#: All lengths are in the units of the SVG in ``chart.html``, which leaves 20 below for words.
#: The page scales it up to twice, and two fit on a phone.
WIDTH, PANEL = 180, 60

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
COLUMNS: dict[Event.Kind, Any] = {
    Kind.SUBSCRIBED: gettext_lazy("Subscribed"),
    Kind.UNSUBSCRIBED: gettext_lazy("Unsubscribed"),
    Kind.MOVED: gettext_lazy("Address changed"),
    Kind.OPTED_OUT: gettext_lazy("Opted out"),
    Kind.REFUSED: gettext_lazy("Refused"),
    Kind.PARKED: gettext_lazy("Parked"),
    Kind.MISSING: gettext_lazy("Missing at Basket"),
}


def panel(
    label: str, css: str, moments: Sequence[str], numbers: Sequence[int], highest: int
) -> dict[str, Any]:
    """
    Lay one row of bars out. The panel says what it is, so no colour has to.

    Coordinates are text, as no language's decimal comma may get into them.

    :param css: the class of the bars, which colours them.
    :param moments: the text in the tip of each bar.
    :param highest: the number whose bar fills a panel: charts with the same one can be compared.
    """
    step, bars = WIDTH / max(len(moments), 1), []
    for place, (when, number) in enumerate(zip(moments, numbers, strict=True)):
        if number:
            # Not lower than two units: one failure among a thousand must be seen.
            height = max(2.0, (PANEL - 4) * number / highest)
            bars.append(
                {
                    "x": _length((place + 0.1) * step),
                    "y": _length(PANEL - height),
                    "width": _length(0.8 * step),
                    "height": _length(height),
                    "number": number,
                    "when": when,
                }
            )
    return {
        "label": label,
        "css": css,
        "highest": max(numbers, default=0),
        "total": sum(numbers),
        "bars": bars,
    }


def words(moments: Sequence[str]) -> list[tuple[str, str]]:
    """The words below the bars, and where each begins: where its bar does."""
    step, every = WIDTH / max(len(moments), 1), -(-len(moments) // MOST_WORDS) or 1
    return [
        (_length(place * step), text)
        for place, text in enumerate(moments)
        if place % every == 0 and place * step <= WIDTH - ROOM
    ]


def _length(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def activities() -> list[dict[str, Any]]:
    """The last 24 hours by hour, and the last 30 days by day."""
    latest = statistics.not_counted()
    hours = statistics.by_hour(24, latest)
    days = statistics.by_day(30, latest)
    return [
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
    ]


def _activity(
    key: str, title: str, numbers: Numbers, moments: list[str], ends: list[datetime]
) -> dict[str, Any]:
    """The charts and tables of a period, for all newsletters and each. They have one scale."""

    def of(newsletter: str, kinds: tuple[Event.Kind, ...]) -> list[int]:
        return [sum(counted[newsletter, kind] for kind in kinds) for counted in numbers.values()]

    newsletters = ["", *sorted(get_site().newsletters)]
    both = [of(newsletter, kinds) for newsletter in newsletters for kinds in (CARRIED, FAILED)]
    highest = max((max(row, default=0) for row in both), default=0)
    groups = []
    for place, newsletter in enumerate(newsletters):
        # An address is parked, not one of its newsletters.
        failed = _("Refused or missing") if newsletter else _("Refused, parked or missing")
        panels = [
            panel(label, css, moments, of(newsletter, kinds), highest)
            for label, css, kinds in (
                (_("Carried to Basket"), "basket-carried", CARRIED),
                (failed, "basket-failed", FAILED),
            )
        ]
        about, rows = {"newsletter": newsletter} if newsletter else {}, []
        for when, end, (start, counted) in zip(moments, ends, numbers.items(), strict=True):
            period = {"created_at__gte": start.isoformat(), "created_at__lt": end.isoformat()}
            cells = [counted[newsletter, kind] for kind in COLUMNS]
            rows.append((when, urlencode({**about, **period}), cells))
        description = _(
            "%(carried)s carried to Basket, %(failed)s failed. The numbers are in the table below."
        ) % {"carried": grouped(panels[0]["total"]), "failed": grouped(panels[1]["total"])}
        groups.append(
            {
                "key": f"{key}-{place}",
                "title": newsletter or _("All newsletters"),
                "description": description,
                "panels": panels,
                "words": words(moments),
                "rows": rows,
            }
        )
    return {"key": key, "title": title, "headings": list(COLUMNS.values()), "groups": groups}
