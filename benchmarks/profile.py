"""Where a worker's CPU goes: sampled by py-spy while it carries changes, sorted by layer."""

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.carrying import Case, measure
from benchmarks.processes import Pool, Worker
from benchmarks.servers import WORKER
from benchmarks.sides import APP, PLAIN

RATE = 200
"""Samples a second."""

#: Layers by what a frame's file has in its path. A frame counts for the innermost layer around
#: it, so what ``json`` does for requests is HTTP, but anything below waffle is waffle's.
LAYERS = (
    ("own code", ("mozillians_basket/", "benchmarks/plain/", "project/")),
    ("HTTP", ("requests/", "urllib3/", "http/client.py", "http/cookiejar.py", "basket/")),
    ("SQL", ("django/db/", "psycopg/", "psycopg_pool/", "psycopg_binary/")),
    ("results", ("django_celery_results/",)),
    ("Celery, kombu, Redis", ("celery/", "kombu/", "redis/", "vine/", "billiard/")),
    ("Django, otherwise", ("django/",)),
)
ABOVE_ALL = ("waffle", ("waffle/",))


def layer(frames: list[str]) -> str:
    """Which layer a stack belongs to, given from the outermost frame to the innermost."""
    if any(name in frame for frame in frames for name in ABOVE_ALL[1]):
        return ABOVE_ALL[0]
    for frame in reversed(frames):
        for name, parts in LAYERS:
            if any(f"({part}" in frame or f"/{part}" in frame for part in parts):
                return name
    return "the rest"


def sorted_out(stacks: Iterable[str]) -> tuple[Counter[str], Counter[str]]:
    """Samples by layer, and below each of the app's functions, from py-spy's raw output."""
    layers: Counter[str] = Counter()
    places: Counter[str] = Counter()
    for line in stacks:
        text, _, number = line.rpartition(" ")
        frames = text.split(";")
        layers[layer(frames)] += int(number)
        own = [frame for frame in frames if layer([frame]) == "own code"]
        for place in {frame.rpartition(":")[0] for frame in own}:
            places[place] += int(number)
    return layers, places


@contextmanager
def sampled(workers: list[Worker], raw: Path) -> Iterator[None]:
    """Have py-spy look at a worker for as long as the body runs."""
    spy = subprocess.Popen(
        [
            str(Path(sys.executable).with_name("py-spy")), "record", "--pid", str(workers[0].pid),
            "--rate", str(RATE), "--format", "raw", "--output", str(raw), "--full-filenames",
            "--nonblocking", "--duration", "3600",
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
