"""
Run the state machine of the rules for minutes, with new stories each time.

``make soak-rules MINUTES=10``. Prints the shortest failing story that was found;
Hypothesis keeps it in ``.hypothesis`` and plays it first in the next run.
"""

import argparse
import time

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.rules.machine import Story
from tests.rules.test_machine import SUITE

#: Stories between two looks at the clock; each is longer than the stories of the suite.
BATCH, STEPS = 200, 80


def main() -> None:
    """Play stories until the time is over; a failing story ends the run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=2)
    end, played = time.monotonic() + 60 * parser.parse_args().minutes, 0
    longer = settings(SUITE, max_examples=BATCH, stateful_step_count=STEPS, derandomize=False)
    while time.monotonic() < end:
        run_state_machine_as_test(Story, settings=longer)
        played += BATCH
        print(f"{played} stories of up to {STEPS} steps: all as promised", flush=True)


if __name__ == "__main__":
    main()
