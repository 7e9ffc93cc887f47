"""
Measure: ``python -m benchmarks``, or a part of it by ``--quick`` or ``--only NAME``.

Exits with 1 when a row could not be measured. A goal that is missed is shown, and no failure.
"""

import argparse
import sys
import time
import traceback
from collections.abc import Callable

from benchmarks import alone, bulk, large, profile
from benchmarks.bench import APP, NAIVE, Bench, Pool
from benchmarks.results import Findings, Results, moment
from tests.services.worker import ROOT

ROWS: dict[str, Callable[[Bench], Findings]] = {
    "bulk": bulk.run,
    "earlier": bulk.earlier,
    "alone": alone.run,
    "requests": alone.requests,
    "profile": profile.run,
    "bulk-request": large.bulk_request,
    "sweep": large.sweep,
    "reconcile": large.reconcile,
    "history": large.history,
    "memory": large.worker_memory,
    "pools": bulk.other_pools,
}


def main() -> int:
    """Run the rows that were asked for, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["profile"], help="profile one site and pool")
    parser.add_argument("--only", action="append", choices=[*ROWS], metavar="NAME",
                        help=", ".join(ROWS))  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="small numbers; docs are not written")
    parser.add_argument("--members", type=int, default=2_000, help="how many are vouched in bulk")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                        help="a variable of the sites' environment; no docs")  # fmt: skip
    parser.add_argument("--naive", action="store_true", help="profile: the naive baseline")
    parser.add_argument("--pool", default="", help="profile: a worker's pool, as threads:20")
    given = parser.parse_args()
    rows = {name: ROWS[name] for name in given.only or ROWS}
    if given.what == "profile":
        kind, _, number = given.pool.partition(":")
        pool, side = Pool(kind, int(number or 2)), NAIVE if given.naive else APP
        rows = {"profile": lambda bench: profile.run(bench, side, [pool])}
    members = min(given.members, 150) if given.quick else given.members
    aside = ROOT / "var" / "performance-quick.json"
    writes = not (given.quick or given.set or given.what)
    kept, failed = Results() if writes else Results(aside), []
    with Bench(given.quick, members, dict(pair.split("=", 1) for pair in given.set)) as bench:
        for name, measure in rows.items():
            about, began = moment(), time.monotonic()
            try:
                findings = measure(bench)
            except Exception:  # noqa: BLE001 - the other rows are measured all the same
                traceback.print_exc()
                failed.append(name)
                continue
            seconds = time.monotonic() - began
            print(kept.put(name, findings, **about, seconds=seconds, quick=given.quick))
            print(f"({seconds:.0f} s)\n", flush=True)
    if failed:
        print(f"could not be measured: {', '.join(failed)}", file=sys.stderr)
    if writes and kept.kept["rows"]:
        kept.write_page(ROWS)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
