"""What a row of the benchmark found, as tables to print and to keep."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

Cell = str | int | float | None


@dataclass
class Goal:
    """A figure of the issue's, and whether it is reached."""

    figure: str
    measured: str
    goal: str
    reached: bool


@dataclass
class Table:
    """Figures side by side."""

    title: str
    columns: Sequence[str]
    rows: list[list[Cell]] = field(default_factory=list)
    note: str = ""

    def add(self, *cells: Cell) -> None:
        """Add a row."""
        self.rows.append(list(cells))


@dataclass
class Findings:
    """What one row of the benchmark found."""

    title: str
    goals: list[Goal] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)

    def table(self, title: str, *columns: str, note: str = "") -> Table:
        """Begin a table."""
        table = Table(title, columns, note=note)
        self.tables.append(table)
        return table

    def expect(self, figure: str, measured: Cell, goal: str, reached: object) -> None:
        """Put a figure beside its goal."""
        self.goals.append(Goal(figure, shown(measured), goal, bool(reached)))


def shown(cell: Cell) -> str:
    """A number with as many digits as it is good for."""
    if cell is None:
        return "-"
    if isinstance(cell, float):
        size = abs(cell)
        digits = 0 if size >= 100 else 1 if size >= 10 else 2
        return f"{cell:,.{digits}f}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def as_text(findings: dict[str, Any]) -> str:
    """Tables for a terminal."""
    lines = [f"== {findings['title']}"]
    for table in findings["tables"]:
        cells = [[shown(cell) for cell in row] for row in [table["columns"], *table["rows"]]]
        widths = [max(len(row[index]) for row in cells) for index in range(len(cells[0]))]
        lines += ["", table["title"]]
        lines += ["  ".join(_aligned(row, widths)).rstrip() for row in cells]
        lines += [table["note"]] if table["note"] else []
    if findings["goals"]:
        lines.append("")
    for goal in findings["goals"]:
        mark = "reached" if goal["reached"] else "MISSED"
        lines.append(f"{mark:8} {goal['figure']}: {goal['measured']} (goal: {goal['goal']})")
    return "\n".join(lines)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> Iterable[str]:
    first, *others = zip(row, widths, strict=True)
    yield first[0].ljust(first[1])
    for text, width in others:
        yield text.rjust(width)


def as_markdown(table: dict[str, Any]) -> str:
    """A table for the documentation."""
    columns = table["columns"]
    lines = [
        f"**{table['title']}**",
        "",
        f"| {' | '.join(columns)} |",
        f"| --- |{' ---: |' * (len(columns) - 1)}",
        *(f"| {' | '.join(shown(cell) for cell in row)} |" for row in table["rows"]),
    ]
    if table["note"]:
        lines += ["", table["note"]]
    return "\n".join(lines)
