"""Which rows there are."""

from collections.abc import Callable

from benchmarks.bench import Bench
from benchmarks.report import Findings
from benchmarks.rows import (
    bulk,
    catch_up,
    history,
    per_change,
    pools,
    reconciler,
    requests,
    sweeper,
    throughput,
)

Row = Callable[[Bench], Findings]

ROWS: dict[str, Row] = {
    "throughput": throughput.run,
    "per-change": per_change.run,
    "requests": requests.run,
    "pools": pools.run,
    "bulk": bulk.run,
    "sweeper": sweeper.run,
    "reconciler": reconciler.run,
    "catch-up": catch_up.run,
    "history": history.run,
}
