"""The geometry of bar charts: where each bar and each word of an SVG goes. Draws nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

#: All lengths are in the SVG's own units; the page scales it to its width.
WIDTH = 720
PANEL = 96
GAP = 40
LEFT = 4
FOOT = 22

#: The width of a word: one that begins nearer to the edge would reach over it.
ROOM = 80

#: At most so many words below the bars, so that they do not run into each other.
WORDS = 8


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
    """One series above its own base line, with its own scale."""

    label: str
    css: str
    highest: int
    total: int
    label_y: str
    base_y: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Word:
    """A word below the bars; it begins where its bar does."""

    x: str
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Panels above each other, over one row of words."""

    width: str
    height: str
    words_y: str
    panels: tuple[Panel, ...]
    words: tuple[Word, ...]


def draw(moments: Sequence[str], series: Sequence[Series]) -> Chart:
    """
    Lay a chart out: for each series one panel, for each moment one bar in each.

    The panels have scales of their own: failures are few beside what was
    carried, and would not be seen on the same one. The position says which is
    which, so no colour has to.

    :param moments: the text below, and in the tip of, each bar.
    """
    step = (WIDTH - LEFT) / max(len(moments), 1)
    bottom = len(series) * (PANEL + GAP)
    every = -(-len(moments) // WORDS) or 1
    return Chart(
        width=str(WIDTH),
        height=str(bottom + FOOT),
        words_y=_length(bottom + FOOT / 2),
        panels=tuple(
            _panel(one, moments, step, top=number * (PANEL + GAP))
            for number, one in enumerate(series)
        ),
        words=tuple(
            Word(_length(LEFT + number * step), text)
            for number, text in enumerate(moments)
            if number % every == 0 and LEFT + number * step <= WIDTH - ROOM
        ),
    )


def _panel(series: Series, moments: Sequence[str], step: float, *, top: int) -> Panel:
    highest = max(series.numbers, default=0)
    base = top + GAP + PANEL - 8
    return Panel(
        label=series.label,
        css=series.css,
        highest=highest,
        total=sum(series.numbers),
        label_y=_length(top + GAP / 2),
        base_y=_length(base),
        bars=tuple(
            _bar(number, highest, when, x=LEFT + place * step, width=step, base=base)
            for place, (when, number) in enumerate(zip(moments, series.numbers, strict=True))
            if number
        ),
    )


def _bar(number: int, highest: int, when: str, *, x: float, width: float, base: float) -> Bar:
    # Not lower than two units: one failure among a thousand must be seen.
    height = max(2.0, (PANEL - 8) * number / highest)
    return Bar(
        x=_length(x + width * 0.1),
        y=_length(base - height),
        width=_length(width * 0.8),
        height=_length(height),
        number=number,
        when=when,
    )


def _length(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
