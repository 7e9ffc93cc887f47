"""The findings of the rows: goals and tables, printed, kept as JSON, and in docs/performance.md."""

import json
import os
import platform
import re
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

from project.processes import ROOT
from tests.services.servers import PostgreSQL, program

JSON, PAGE = ROOT / "docs" / "performance.json", ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
PACKAGES = ("django", "celery", "kombu", "psycopg", "requests", "urllib3", "basket-client")

Cell: TypeAlias = str | float | None


@dataclass
class Table:
    """Figures side by side."""

    title: str
    columns: list[str]
    note: str = ""
    rows: list[list[Cell]] = field(default_factory=list)

    def add(self, *cells: Cell) -> None:
        """Add a row."""
        self.rows.append([*cells])


@dataclass
class Findings:
    """The findings of one row of the benchmark."""

    title: str
    goals: list[dict[str, Any]] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)

    def table(self, title: str, columns: str, note: str = "") -> Table:
        """Begin a table; its columns are given as ``"first | second"``."""
        self.tables.append(Table(title, columns.split(" | "), note))
        return self.tables[-1]

    def expect(
        self, figure: str, measured: str, goal: str, reached: object, why: object = ""
    ) -> None:
        """Add a figure with its goal, and an explanation in case the goal is missed."""
        goals = {"figure": figure, "measured": measured, "goal": goal, "reached": bool(reached)}
        self.goals.append(goals | {"why": "" if reached else str(why)})


class Results:
    """The findings of all rows at their last run; a run of some rows does not change the others."""

    def __init__(self, path: Path = JSON) -> None:
        self._path = path
        self.kept: dict[str, Any] = {"machine": {}, "rows": {}}
        if path.exists():
            self.kept = json.loads(path.read_text())

    def put(self, name: str, findings: Findings, machine: str, **about: Any) -> str:
        """Keep a row's findings, with the time and options of the run; return them as text."""
        self.kept["machine"] = machine
        self.kept["rows"][name] = {**asdict(findings), **about}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(self.kept, indent=1, ensure_ascii=False) + "\n")
        return as_text(self.kept["rows"][name])

    def write_page(self, order: Iterable[str], page: Path = PAGE) -> None:
        """Write the figures between the markers of the page; the rest of it stays."""
        head, _, rest = page.read_text().partition(BEGIN)
        rows = {name: self.kept["rows"][name] for name in order if name in self.kept["rows"]}
        lines = [self.kept["machine"], "", *goals(rows.values())]
        for name, row in rows.items():
            how = (
                f'`make bench ARGS="--only {name}"`, {row["at"]}, commit {row["commit"]}, '
                f"{row['seconds']:.0f} s, load {row['load']} at the start"
            )
            lines += ["", *tables(row), "", f"{how}{', a quick run' if row['quick'] else ''}."]
        page.write_text("\n".join([f"{head}{BEGIN}", *lines, f"{END}{rest.partition(END)[2]}"]))


def as_text(row: dict[str, Any]) -> str:
    """Format a row's findings for a terminal."""
    return "\n".join([*tables(row), "", *goals([row])])


def goals(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Return the goals of some rows, and the reasons for the missed ones."""
    found = [goal for row in rows for goal in row["goals"]]
    found.sort(key=lambda goal: not re.search("[×%/]", goal["goal"]))  # ratios first
    missed = [goal for goal in found if not goal["reached"]]
    lines = aligned(
        ["figure", "measured", "goal", ""],
        [
            [each["figure"], each["measured"], each["goal"],
             "reached" if each["reached"] else "**missed**"] for each in found
        ],
    )  # fmt: skip
    why = [f"- {each['figure']}: {each['measured']}. {each['why']}".strip() for each in missed]
    return [*lines, "", "Goals that are missed:", "", *why] if missed else lines if found else []


def tables(row: dict[str, Any]) -> list[str]:
    """Return the tables of a row."""
    lines = [f"### {row['title']}"]
    for table in row["tables"]:
        lines += ["", f"**{table['title']}**", "", *aligned(table["columns"], table["rows"])]
        lines += ["", table["note"]] if table["note"] else []
    return lines


def aligned(columns: list[str], rows: list[list[Cell]]) -> list[str]:
    """Return a table in Markdown with aligned columns."""
    cells = [columns, *([shown(cell) for cell in row] for row in rows)]
    widths = [max(3, *(len(row[index]) for row in cells)) for index in range(len(columns))]
    rules = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = []
    for first, *others in [cells[0], rules, *cells[1:]]:
        padded = [text.rjust(width) for text, width in zip(others, widths[1:], strict=True)]
        lines.append(f"| {' | '.join([first.ljust(widths[0]), *padded])} |")
    return lines


def shown(cell: Cell) -> str:
    """Return a cell as text; a number gets only as many digits as it needs."""
    if cell is None:
        return "-"
    if isinstance(cell, float):
        digits = 0 if abs(cell) >= 100 else 1 if abs(cell) >= 10 else 2
        return f"{cell:,.{digits}f}"
    return cell if isinstance(cell, str) else f"{cell:,}"


def said(*command: str) -> str:
    """Return the output of a command."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def machine() -> str:
    """Describe the machine and the versions."""
    lines = Path("/proc/cpuinfo").read_text().partition("model name")[2].splitlines()
    processor = lines[0].strip(" :\t") if lines else platform.machine()
    gigabytes = int(Path("/proc/meminfo").read_text().split()[1]) / 1024**2
    postgres = said(PostgreSQL.program("postgres"), "--version").split()[2]
    redis = said(program("redis-server"), "--version").partition("v=")[2].split()[0]
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{os.cpu_count()} cores ({processor}), {gigabytes:.0f} GB; Python "
        f"{platform.python_version()}, PostgreSQL {postgres}, Redis {redis}, {versions}."
    )


def moment() -> dict[str, Any]:
    """Return the time, the load of the machine and the commit."""
    changed = bool(said("git", "status", "--porcelain", "--untracked-files=no"))
    return {
        "at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "load": round(os.getloadavg()[0], 2),
        "commit": said("git", "rev-parse", "--short", "HEAD") + ("+" if changed else ""),
    }
