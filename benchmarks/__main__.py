"""
Measure: ``python -m benchmarks``, or a part of it by ``--quick`` or ``--only NAME``.

Exits with 1 when a row could not be measured. A goal that is missed is shown, and no failure.
"""

import argparse
import sys
import time
import traceback
from pathlib import Path

from benchmarks import machine, report
from benchmarks.bench import Bench, Options
from benchmarks.profile import profile
from benchmarks.results import Results
from benchmarks.rows.registry import ROWS
from tests.services.worker import ROOT

QUICK = ROOT / "var" / "performance-quick.json"


def main() -> int:
    """Run the rows that were asked for, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["profile"], help="where the time goes")
    parser.add_argument("--only", action="append", choices=[*ROWS], metavar="NAME", help=f"{ROWS}")
    parser.add_argument("--quick", action="store_true", help="small numbers; nothing is written")
    parser.add_argument("--members", type=int, default=2_000, help="how many are vouched for")
    parser.add_argument("--fsync", action="store_true", help="let PostgreSQL wait for the disk")
    parser.add_argument("--write", type=Path, help="another file than docs/performance.json")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                        help="a variable of the environment of both sites' processes")  # fmt: skip
    parser.add_argument("--plain", action="store_true", help="profile: the plain way")
    given = parser.parse_args()
    options = Options(
        quick=given.quick,
        members=min(given.members, 150) if given.quick else given.members,
        fsync=given.fsync,
        environment=dict(pair.split("=", 1) for pair in given.set),
    )
    if given.what == "profile":
        with Bench(options) as bench:
            profile(bench, plain=given.plain)
        return 0
    return measure(options, given.only or [*ROWS], given.write)


def measure(options: Options, names: list[str], path: Path | None) -> int:
    """Return 1 if a row failed; what the others found is kept all the same."""
    results = Results(path or QUICK) if path or options.quick else Results()
    failed = []
    with Bench(options) as bench:
        for name in names:
            about, began = machine.moment(), time.monotonic()
            try:
                findings = ROWS[name](bench)
            except Exception:  # noqa: BLE001 - the other rows are measured all the same
                traceback.print_exc()
                failed.append(name)
                continue
            about |= {"seconds": time.monotonic() - began, "quick": options.quick}
            kept = results.put(name, findings, machine.described(), **about)
            print(f"{report.as_text(kept)}\n({about['seconds']:.0f} s)\n", flush=True)
    if failed:
        print(f"could not be measured: {', '.join(failed)}", file=sys.stderr)
    if not path and not options.quick and results.kept["rows"]:
        results.write_page([*ROWS])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
