"""Which rows there are."""

from collections.abc import Callable

from benchmarks.bench import Bench
from benchmarks.report import Findings
from benchmarks.rows import per_change, requests, throughput

Row = Callable[[Bench], Findings]

ROWS: dict[str, Row] = {
    "throughput": throughput.run,
    "per-change": per_change.run,
    "requests": requests.run,
}
