"""Findings are kept unchanged, and text that people wrote around them stays."""

import json
from pathlib import Path
from typing import Any

from benchmarks.results import BEGIN, END, Findings, Results

ABOUT: dict[str, Any] = {
    "at": "now", "commit": "abc", "load": 0.5, "seconds": 3.0, "quick": False,
}  # fmt: skip


def findings(rate: float) -> Findings:
    found = Findings("In bulk")
    found.table("Rates", "site | changes/s").add("this app", rate)
    found.expect("changes per second", f"{rate:.1f}", "≥ 100", rate >= 100, "It is a slow machine.")
    return found


def test_a_row_that_is_run_again_replaces_itself_and_leaves_the_others(tmp_path: Path) -> None:
    path = tmp_path / "performance.json"
    Results(path).put("one", findings(50.0), "a machine", **ABOUT)
    Results(path).put("two", findings(60.0), "a machine", **ABOUT)

    Results(path).put("one", findings(120.0), "a machine", **ABOUT)

    rows = json.loads(path.read_text())["rows"]
    assert rows["one"]["tables"][0]["rows"] == [["this app", 120.0]]
    assert rows["two"]["tables"][0]["rows"] == [["this app", 60.0]]


def test_the_page_keeps_what_people_wrote(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"# Before\n{BEGIN}\nold figures\n{END}\n## After\n")
    results = Results(tmp_path / "performance.json")
    results.put("one", findings(50.0), "a machine", **ABOUT)

    results.write_page(["one"], page)
    results.write_page(["one"], page)

    text = page.read_text()
    assert text.startswith(f"# Before\n{BEGIN}\n")
    assert text.endswith(f"{END}\n## After\n")
    assert text.count("| this app |      50.0 |") == 1
    assert "old figures" not in text


def test_a_goal_that_is_missed_is_called_missed_and_says_why(tmp_path: Path) -> None:
    results = Results(tmp_path / "performance.json")

    missed = results.put("one", findings(99.9), "a machine", **ABOUT)
    reached = results.put("two", findings(100.0), "a machine", **ABOUT)

    assert "| changes per second |     99.9 | ≥ 100 | **missed** |" in missed
    assert "- changes per second: 99.9. It is a slow machine." in missed
    assert "| changes per second |    100.0 | ≥ 100 | reached |" in reached
    assert "slow" not in reached
