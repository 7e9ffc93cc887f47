"""Throughput and failures for the overview, as charts and as tables."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.http import urlencode
from django.utils.translation import gettext, gettext_lazy

from mozillians_basket.admin.charts import Chart, Series, draw
from mozillians_basket.admin.progress import shown
from mozillians_basket.models import Event
from mozillians_basket.upkeep import retention
from mozillians_basket.upkeep.retention import Numbers

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
class Row:
    """One hour or day of a table."""

    when: str
    query: str
    """The history page's parameters for this time."""

    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Activity:
    """A chart with its table."""

    key: str
    """The prefix of its ids in the page."""

    title: str
    description: str
    chart: Chart
    headings: tuple[str, ...]
    rows: tuple[Row, ...]


def activities() -> tuple[Activity, ...]:
    """The last 24 hours by hour, and the last 30 days by day."""
    latest = retention.not_counted()
    hours = retention.by_hour(24, latest)
    days = retention.by_day(30, latest)
    return (
        _activity(
            "hours",
            gettext("The last 24 hours"),
            hours,
            [date_format(timezone.localtime(hour), "H:i") for hour in hours],
            [hour + timedelta(hours=1) for hour in hours],
        ),
        _activity(
            "days",
            gettext("The last 30 days"),
            days,
            [date_format(day, "MONTH_DAY_FORMAT") for day in days],
            [*list(days)[1:], timezone.now() + timedelta(days=1)],
        ),
    )


def _activity(
    key: str, title: str, numbers: Numbers, names: list[str], ends: Iterable[datetime]
) -> Activity:
    carried = [sum(counted[kind] for kind in CARRIED) for counted in numbers.values()]
    failed = [sum(counted[kind] for kind in FAILED) for counted in numbers.values()]
    return Activity(
        key=key,
        title=title,
        description=gettext(
            "%(carried)s carried to Basket, %(failed)s failed. The numbers are in the table below."
        )
        % {"carried": shown(sum(carried)), "failed": shown(sum(failed))},
        chart=draw(
            names,
            [
                Series(gettext("Carried to Basket"), "basket-carried", carried),
                Series(gettext("Refused, parked or missing"), "basket-failed", failed),
            ],
        ),
        headings=tuple(str(heading) for _kind, heading in COLUMNS),
        rows=tuple(
            Row(
                name,
                urlencode(
                    {"created_at__gte": start.isoformat(), "created_at__lt": end.isoformat()}
                ),
                tuple(counted[kind] for kind, _heading in COLUMNS),
            )
            for name, end, (start, counted) in zip(names, ends, numbers.items(), strict=True)
        ),
    )
