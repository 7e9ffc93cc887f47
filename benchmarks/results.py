"""Keeps what was found: as JSON, and in the generated part of docs/performance.md."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.report import Findings
from tests.services.worker import ROOT

JSON = ROOT / "docs" / "performance.json"
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


class Results:
    """What all rows found when they were last run; a run of some rows leaves the others."""

    def __init__(self, path: Path = JSON) -> None:
        self._path = path
        self.kept: dict[str, Any] = {"machine": {}, "rows": {}}
        if path.exists():
            self.kept = json.loads(path.read_text())

    def put(self, name: str, findings: Findings, machine: dict[str, Any], **about: Any) -> Any:
        """Keep what a row found, with when and how it was run; return it as it is kept."""
        self.kept["machine"] = machine
        self.kept["rows"][name] = {**asdict(findings), **about}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(self.kept, indent=1, ensure_ascii=False) + "\n")
        return self.kept["rows"][name]

    def write_page(self, order: list[str], page: Path = PAGE) -> None:
        """Write the figures between the markers of the page; the rest of it stays."""
        text = page.read_text()
        head, _, rest = text.partition(BEGIN)
        tail = rest.partition(END)[2]
        page.write_text(f"{head}{BEGIN}\n{self.as_markdown(order)}\n{END}{tail}")

    def as_markdown(self, order: list[str]) -> str:
        """All that is kept, the goals first."""
        rows = {name: self.kept["rows"][name] for name in order if name in self.kept["rows"]}
        machine = self.kept["machine"]
        versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
        lines = [
            (
                f"{machine['cores']} cores ({machine['processor']}), {machine['memory_mb']:,} MB, "
                f"Linux {machine['kernel']}; {versions}."
            ),
            "",
            "| figure | measured | goal | |",
            "| --- | --- | --- | --- |",
        ]
        for row in rows.values():
            lines += [
                f"| {goal['figure']} | {goal['measured']} | {goal['goal']} | "
                f"{'reached' if goal['reached'] else '**missed**'} |"
                for goal in row["goals"]
            ]
        for name, row in rows.items():
            quick = ", a quick run" if row["quick"] else ""
            lines += [
                "",
                f"### {row['title']}",
                (
                    f'`make bench ARGS="--only {name}"`, {row["at"]}, commit {row["commit"]}, '
                    f"{row['seconds']:.0f} s, load {row['load']} at the start{quick}."
                ),
            ]
            for table in row["tables"]:
                lines += ["", report.as_markdown(table)]
        return "\n".join(lines)
