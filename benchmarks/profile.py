"""Where a worker's CPU goes: sampled by py-spy while it carries changes, sorted by layer."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.carrying import Case, measure
from benchmarks.layers import sorted_out
from benchmarks.processes import Pool, Worker
from benchmarks.servers import WORKER
from benchmarks.sides import APP, PLAIN

RATE = 200
"""Samples a second."""


@contextmanager
def sampled(workers: list[Worker], raw: Path) -> Iterator[None]:
    """Have py-spy look at a worker for as long as the body runs."""
    spy = subprocess.Popen(
        [
            str(Path(sys.executable).with_name("py-spy")), "record", "--pid", str(workers[0].pid),
            "--rate", str(RATE), "--format", "raw", "--output", str(raw),
            # Only who holds the interpreter's lock: who waits for it, or for a socket, uses no CPU.
            "--gil", "--nonblocking", "--duration", "3600",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        spy.send_signal(signal.SIGINT)
        spy.wait(60)


def profile(bench: Bench, *, plain: bool) -> None:
    """Measure a run under py-spy; print where its CPU went, and its statements."""
    case = Case(PLAIN if plain else APP, Pool(), bench.options.members)
    raw = bench.folder / "stacks"
    measured = measure(bench, case, watch=lambda workers: sampled(workers, raw))
    layers, places = sorted_out(raw.read_text().splitlines())
    total = layers.total()
    print(f"{case.side.title}: {measured.worker:.1f} ms of CPU per change, {measured.rate:.0f}/s")
    for name, samples in layers.most_common():
        share = samples / total
        print(f"  {share * measured.worker:6.2f} ms  {100 * share:4.0f}%  {name}")
    print("\nBelow the site's own functions, all that they call included:")
    for name, samples in places.most_common(40):
        print(f"  {samples / total * measured.worker:6.2f} ms  {name}")
    print("\nThe worker's statements, per change:")
    for calls, text in bench.postgres.most_frequent(WORKER):
        print(f"  {calls / case.members:6.2f}  {text[:150]}")
