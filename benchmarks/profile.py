"""A worker's CPU by layer and function: py-spy samples it while it carries changes."""

import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.bench import APP, Bench, NotMeasured, Pool, Side, Worker
from benchmarks.bulk import DEFAULT, ONE, Case, measure
from benchmarks.results import Findings
from benchmarks.servers import WORKER

#: Layers by parts of a file's path. A frame counts for the innermost layer around it, so
#: ``json`` called by requests is HTTP. All frames below waffle count for the switch.
SWITCH, REST = "the switch", "the rest"
LAYERS = {
    "own code": ("mozillians_basket/", "benchmarks/naive/", "project/"),
    "HTTP": ("requests/", "urllib3/", "http/client.py", "http/cookiejar.py", "basket/"),
    "SQL": ("django/db/", "psycopg/", "psycopg_pool/", "psycopg_binary/"),
    "results": ("django_celery_results/",),
    "Celery, kombu, Redis": ("celery/", "kombu/", "redis/", "vine/", "billiard/"),
    "Django, otherwise": ("django/",),
}


def layer(frames: list[str]) -> str:
    """Return the layer of a stack, which is given from the outermost frame to the innermost."""
    if any("waffle/" in frame or "row_is_on (" in frame for frame in frames):
        return SWITCH
    for frame in reversed(frames):
        for name, parts in LAYERS.items():
            if any(f"({part}" in frame or f"/{part}" in frame for part in parts):
                return name
    return REST


def sorted_out(stacks: Iterable[str]) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Count the samples in py-spy's output by layer, by function, and below each own function."""
    layers, functions, below = Counter[str](), Counter[str](), Counter[str]()
    for line in stacks:
        text, _, number = line.rpartition(" ")
        frames = [re.sub(r":\d+\)$", ")", frame) for frame in text.split(";")]
        layers[layer(frames)] += int(number)
        functions[re.sub(r"\(/.*(?:python3\.\d+|site-packages)/", "(", frames[-1])] += int(number)
        for name in {frame for frame in frames if layer([frame]) == "own code"}:
            below[re.sub(r"\(/.*?/(?=mozillians_basket/|benchmarks/)", "(", name)] += int(number)
    return layers, functions, below


@contextmanager
def sampled(workers: list[Worker], raw: Path) -> Iterator[None]:
    """Let py-spy sample a worker and its pool's processes during the block."""
    spy = subprocess.Popen(
        [
            str(Path(sys.executable).with_name("py-spy")), "record", "--pid", str(workers[0].pid),
            "--rate", "200", "--format", "raw", "--output", str(raw), "--subprocesses",
            # Only threads that hold the interpreter's lock: others wait, and use no CPU.
            "--gil", "--nonblocking", "--duration", "3600",
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        spy.send_signal(signal.SIGINT)
        spy.wait(60)


def run(
    bench: Bench, found: Findings, side: Side = APP, pools: Iterable[Pool] = (DEFAULT, ONE)
) -> None:
    """Sample a site in some pools."""
    raw, columns, shares = bench.folder / "stacks", list[str](), list[dict[str, float]]()
    for pool in pools:
        case = Case(side, pool, bench.members)
        measured = measure(bench, case, lambda workers: sampled(workers, raw))
        layers, functions, below = sorted_out(raw.read_text().splitlines())
        if not layers:
            raise NotMeasured("py-spy took no samples; may it trace processes here?")
        each = measured.worker / layers.total()
        columns.append(f"{pool}: ms")
        shares.append({name: number * each for name, number in layers.items()})
        for title, counted in (
            ("Functions, without what they call", functions),
            ("The site's own functions, with what they call", below),
        ):
            table = found.table(f"{title}: {side.title}, {pool}", "function | ms")
            for name, number in counted.most_common(20):
                table.add(f"`{name}`", number * each)
    statements = found.table("The worker's statements in the last of these", "like | per change")
    shapes = Counter[str]()
    for calls, text in bench.postgres.most_frequent(WORKER):
        shapes[f"`{text.split('(', 1)[0][:30]} … {text[-60:]}`".replace("|", "")] += calls
    for text, calls in shapes.most_common(20):
        statements.add(text, calls / bench.members)
    table = found.table(
        f"CPU of the worker per change, by layer: {side.title}",
        " | ".join(["layer", *columns]),
        "In bulk, Basket at 50 ms, while py-spy samples, which costs some itself: compare shares. "
        "The kernel's work for a thread is in all rows, by their shares.",
    )
    for name in (*LAYERS, SWITCH, REST):
        table.add(name, *(share.get(name, 0.0) for share in shares))
    table.add("all", *(sum(share.values()) for share in shares))
    found.tables.insert(0, found.tables.pop())
