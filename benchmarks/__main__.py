"""
Measure: ``python -m benchmarks``, or a part of it by ``--quick`` or ``--only NAME``.

Exits with 1 when a row could not be measured. A goal that is missed is shown, and no failure.
"""

import argparse
import sys
import time
import traceback

from benchmarks import alone, bulk, large, profile
from benchmarks.bench import APP, NAIVE, Bench, Pool
from benchmarks.results import Findings, Results, machine, moment
from project.processes import ROOT

ROWS = {
    "bulk": ("In bulk", bulk.run),
    "alone": ("One change alone", alone.run),
    "requests": ("The cost for a request", alone.requests),
    "profile": ("The profile of one change", profile.run),
    "bulk-request": ("A bulk request by “select all”", large.bulk_request),
    "sweep": ("The sweep", large.sweep),
    "reconcile": ("Reconciliation", large.reconcile),
    "history": ("Pages over a long history", large.history),
    "memory": ("Memory of a worker", large.worker_memory),
    "pools": ("This app in other pools", bulk.other_pools),
}


def main(*arguments: str) -> int:
    """Run the requested rows, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("what", nargs="?", choices=["profile"], help="profile one site in one pool")
    add("--only", action="append", choices=[*ROWS], metavar="NAME", help=", ".join(ROWS))
    add("--quick", action="store_true", help="small numbers; docs are not written")
    add("--members", type=int, default=2_000, help="how many are vouched in bulk")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="a variable of the "
        "environment of the sites' processes; docs are not written")  # fmt: skip
    add("--naive", action="store_true", help="profile: the naive baseline")
    add("--pool", default="", help="profile: a worker's pool, as threads:20")
    given = parser.parse_args(arguments)
    kind, _, number = given.pool.partition(":")
    pools = {"side": NAIVE if given.naive else APP, "pools": [Pool(kind, int(number or 2))]}
    members = min(given.members, 150) if given.quick else given.members
    writes = not (given.quick or given.set or given.what)
    kept = Results() if writes else Results(ROOT / "var" / "performance-quick.json")
    failed = []
    with Bench(given.quick, members, dict(pair.split("=", 1) for pair in given.set)) as bench:
        for name in [given.what] if given.what else given.only or ROWS:
            title, measure = ROWS[name]
            found, about, began = Findings(title), moment(), time.monotonic()
            try:
                measure(bench, found, **(pools if given.what else {}))
            except Exception:  # noqa: BLE001 - the other rows are measured all the same
                traceback.print_exc()
                failed.append(name)
            about |= {"seconds": time.monotonic() - began, "quick": given.quick}
            if found.tables:
                print(kept.put(name, found, machine(), **about))
                print(f"({about['seconds']:.0f} s)\n", flush=True)
    if failed:
        print(f"could not be measured: {', '.join(failed)}", file=sys.stderr)
    if writes and kept.kept["rows"]:
        kept.write_page(ROWS)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
