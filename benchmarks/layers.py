"""Sorts samples of a worker's CPU by the layer in which they were spent."""

from collections import Counter
from collections.abc import Iterable

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
