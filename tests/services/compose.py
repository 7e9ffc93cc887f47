"""Reads compose.yaml and the Dockerfile, and makes plain processes of their services."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from project.processes import ROOT


def services() -> dict[str, dict[str, Any]]:
    """Return the services of compose.yaml."""
    found: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return dict(found["services"])


def stage(name: str) -> list[str]:
    """Return the instructions of one stage of the Dockerfile, each in one line."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line and not line.startswith("#")]
    start = next(n for n, line in enumerate(lines) if line.endswith(f" AS {name}"))
    end = next((n for n in range(start + 1, len(lines)) if lines[n].startswith("FROM")), len(lines))
    return lines[start:end]


def instruction(name: str, word: str) -> str:
    """Return the arguments of the last instruction of a kind in a stage."""
    return [line for line in stage(name) if line.startswith(f"{word} ")][-1].partition(" ")[2]


def environment(name: str) -> dict[str, str]:
    """Return the variables that a stage sets, but for PATH."""
    pairs = [
        pair
        for line in stage(name)
        if line.startswith("ENV ")
        for pair in shlex.split(line.removeprefix("ENV "))
    ]
    found = dict(pair.split("=", 1) for pair in pairs)
    found.pop("PATH", None)
    return found


def words(command: str | list[str]) -> list[str]:
    """Split a command as compose does; ``$$`` stands for a dollar sign."""
    if isinstance(command, str):
        command = shlex.split(command)
    return [word.replace("$$", "$") for word in command]


def health(service: Mapping[str, Any]) -> list[str]:
    """Return the command of a service's health check."""
    kind, *rest = words(service["healthcheck"]["test"])
    return ["sh", "-c", rest[0]] if kind == "CMD-SHELL" else rest


def bind(words: list[str], places: Mapping[str, str]) -> list[str]:
    """Put what this machine has, such as free ports, in the place of what a container has."""
    return [put(word, places) for word in words]


def put(text: str, places: Mapping[str, str]) -> str:
    """Replace each place in a text."""
    for place, actual in places.items():
        text = text.replace(place, actual)
    return text


#: Python's share of the name service of compose's network: its services are on this machine.
NAMES = """
import socket

_getaddrinfo = socket.getaddrinfo


def getaddrinfo(host, *args, **kwargs):
    here = host in {"postgres", "redis", "sandbox", "site", "localhost"}
    return _getaddrinfo("127.0.0.1" if here else host, *args, **kwargs)


socket.getaddrinfo = getaddrinfo
"""


def write_names(folder: Path) -> None:
    """Write the name service into a folder; it works for each Python that has it in its path."""
    (folder / "sitecustomize.py").write_text(NAMES)
