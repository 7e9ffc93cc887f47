"""
What is done within one of the sites: each act in a fresh process, with that site's settings.

An act takes and returns what JSON can hold.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from benchmarks.sides import Side
from tests.services.worker import ROOT

MARK = "result: "


class ActFailed(Exception):
    """An act ended with an error; the text is the end of what it said."""


def run(
    side: Side, environment: Mapping[str, str], name: str, timeout: float, **arguments: Any
) -> Any:
    """
    Run an act as ``python -m benchmarks.acts module.function '{"its": "arguments"}'``.

    :raises ActFailed: when it fails, or takes longer than ``timeout`` seconds.
    """
    command = [sys.executable, "-m", "benchmarks.acts", name, json.dumps(arguments)]
    given = {**environment, "DJANGO_SETTINGS_MODULE": side.settings, "PYTHONPATH": str(ROOT)}
    try:
        done = subprocess.run(
            command, env=given, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        raise ActFailed(f"{name} of {side.title}: not within {timeout:g} s") from None
    lines = done.stdout.splitlines()
    if done.returncode or not lines or not lines[-1].startswith(MARK):
        said = (done.stdout + done.stderr)[-3000:]
        raise ActFailed(f"{name} of {side.title}: {said}")
    return json.loads(lines[-1].removeprefix(MARK))
