"""Runs one act and prints its result as the last line."""

import importlib
import json
import sys

import django

from benchmarks.acts import MARK


def main(name: str, arguments: str) -> None:
    """Set Django up, run the act, print."""
    django.setup()
    module, _, function = name.rpartition(".")
    act = getattr(importlib.import_module(f"benchmarks.acts.{module}"), function)
    result = act(**json.loads(arguments))
    sys.stdout.write(f"\n{MARK}{json.dumps(result)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
