"""
Plant faults in the rules, one at a time, and show how the suite finds each.

``make planted-faults``. Each fault is tried on a copy of the rules: with the
examples that the suite plays of the state machine, and with the suite's stories
and properties. The command fails if neither finds a fault.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.rules.machine import Story
from tests.rules.test_machine import SUITE

#: Seconds for the examples of one fault; they take less than a minute on a quiet machine.
PATIENCE = 150

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Fault:
    """A text of a module of the rules, and its wrong replacement."""

    name: str
    module: str
    text: str
    by: str


FAULTS = (
    Fault(
        "the target of a move does not wait for its source",
        "plan",
        "if not waits(rows, member, contact, name)",
        "if True",
    ),
    Fault(
        "a newsletter leaves the source before it arrived",
        "plan",
        "return there or not rows.wants(",
        "return True or not rows.wants(",
    ),
    Fault(
        "the rate limit is not counted",
        "plan",
        "contact.subscribe_calls]",
        "()]",
    ),
    Fault(
        "a member who moves takes no opt-outs along",
        "evaluate",
        "    take_along(rows, member, contact)\n",
        "",
    ),
    Fault(
        "an opt-out that is found after the move does not reach the member who moved",
        "vetoes",
        "or member.contact_id != contact.id",
        "",
    ),
    Fault(
        "an address that was left during a loss is forgotten",
        "answers",
        "rows.question(row.newsletter) or at - row.missing_at < rows.settings.queue_time",
        "False",
    ),
    Fault(
        "a renamed person is forgotten when somebody has the address again",
        "answers",
        "contact.renamed_people = {**contact.renamed_people, contact.token: None}",
        "pass",
    ),
    Fault(
        "a renamed person loses what a member still wants",
        "plan",
        "            if not _is_wished(rows, contact, name)\n            and all",
        "            if all",
    ),
    Fault(
        "an undecided opt-out of a deleted member is forgotten",
        "vetoes",
        "doubt(rows.record(contact, name), min(moments))",
        "pass",
    ),
    Fault(
        "members who moved after an inferred opt-out are not restored",
        "sample",
        "            decision.inferred = False\n            if ending",
        "            if False and ending",
    ),
    Fault(
        "a deleted member's opt-outs do not stay with the mailbox",
        "evaluate",
        "        leave_behind(rows, member, contact, arrived, left_at)\n",
        "        pass\n",
    ),
    Fault(
        "a newer policy decision ends a deleted member's opt-out",
        "vetoes",
        "    if after(decision.decided_at, left_at) and decision.decided_at != rows.now:\n",
        "    if False:\n",
    ),
    Fault(
        "an order for an old address keeps what is to leave it",
        "answers",
        "there = [member for member in rows.at(contact) if member.key]",
        "there = [*rows.at(contact)]",
    ),
    Fault(
        "a decision of the next owner keeps a newsletter from moving along",
        "answers",
        "[m for m in moves if _had(rows, m, contact, row, before)]",
        "[]",
    ),
    Fault(
        "a newsletter of the next owner moves along",
        "answers",
        "if row.decided or not known or after(before, move.moved_at):",
        "if row.decided:",
    ),
    Fault(
        "the contact of the last member who goes is not cleared",
        "evaluate",
        "        contact.clear = True\n",
        "        pass\n",
    ),
    Fault(
        "what somebody who was there decided is forgotten",
        "evaluate",
        "            rows.record(contact, name).decided = True\n",
        "            pass\n",
    ),
    Fault(
        "a person with optout is taken for one without newsletters",
        "answers",
        "if found and found.optout and not despite:",
        "if False:",
    ),
    Fault(
        "coming back is told before our own open calls",
        "answers",
        "if row.requested_at or row.unanswered_at:",
        "if False:",
    ),
    Fault(
        "a removal that is carried out late is not expected",
        "answers",
        "if row.removal_pending or (row.removed_at and _struck(",
        "if row.removal_pending and (row.removed_at and not _struck(",
    ),
    Fault(
        "a subscribe that was only queued is not waited for",
        "answers",
        "if row.requested_at or unseen(row):\n        if",
        "if row.requested_at and not wanted and False:\n        if",
    ),
    Fault(
        "a subscribe call is not written down before it is made",
        "answers",
        "            row.requested_at = rows.now\n",
        "",
    ),
    Fault(
        "a loss is not told from opt-outs",
        "sample",
        "if too_many and",
        "if False and",
    ),
    Fault(
        "the sample is not looked up before anything is concluded",
        "sample",
        "return Verdict.LOOK_UP if found.look_up else",
        "return",
    ),
    Fault(
        "a lookup from before the end of a loss is concluded from",
        "answers",
        "if rows.closed_since(newsletter, lookup.began_at):",
        "if False:",
    ),
    Fault(
        "opt-outs of the day before a loss stay",
        "sample",
        "if row.state == State.OPTED_OUT and after(moment, since):",
        "if False:",
    ),
    Fault(
        "a person who is back without a newsletter stays lost",
        "answers",
        "row.state == State.LOST and row.seen_at is not None and found is not None",
        "False",
    ),
    Fault(
        "a subscription that is lost while undecided belongs to no question",
        "answers",
        "row.state, row.missing_at = State.LOST, at",
        "row.state, row.missing_at = State.LOST, row.missing_at or at",
    ),
    Fault(
        "policies may remove any number within an hour",
        "brake",
        "not self.on and self.removed + more <= limit",
        "not self.on",
    ),
    Fault(
        "a brake that is on lets a few more go",
        "brake",
        "not self.on and self",
        "self",
    ),
    Fault(
        "the brake does not see deleted members and emptied addresses",
        "evaluate",
        "losses = rows.settings.newsletters if goes else flips",
        "losses = set() if goes else flips",
    ),
    Fault(
        "the brake does not see policies that end",
        "evaluate",
        "losses = rows.settings.newsletters if goes else flips",
        "losses = rows.settings.newsletters if goes else set()",
    ),
    Fault(
        "the brake does not see the clearing of what nobody decided on",
        "brake",
        "cleared = goes and not",
        "cleared = False and not",
    ),
    Fault(
        "a removal that is held back is applied",
        "evaluate",
        "elif name in kept:",
        "elif False:",
    ),
    Fault(
        "a member whose removal is held back leaves their address",
        "evaluate",
        "if not (kept and goes) and _place(",
        "if _place(",
    ),
    Fault(
        "an order made since a removal was held back does not stand",
        "brake",
        "decision.wanted and decision.decided_by == DecidedBy.POLICY",
        "decision.held_back_at is not None",
    ),
    Fault(
        "a brake leaves its mark on members who are entitled again",
        "evaluate",
        "if kept or member.held_back_at:",
        "if kept:",
    ),
    Fault(
        "a late subscribe of ours is taken for a return",
        "answers",
        "row.unanswered_at = row.requested_at or row.unanswered_at",
        "row.unanswered_at = None",
    ),
)


def examples_until_found() -> int:
    """Run the suite's examples; return the number of the one that failed, or 0."""
    count = 0

    class Counted(Story):
        def __init__(self) -> None:
            nonlocal count
            count += 1
            super().__init__()

    # The sequence of examples depends on the name of the class.
    Counted.__name__, Counted.__qualname__ = Story.__name__, Story.__qualname__
    try:
        run_state_machine_as_test(
            Counted, settings=settings(SUITE, phases=[Phase.generate], database=None)
        )
    except Exception:  # noqa: BLE001 - any error shows the fault
        return count
    return 0


def try_out(fault: Fault) -> tuple[int, int]:
    """Run the suite on a copy of the rules with this fault; return examples and failed tests."""
    with tempfile.TemporaryDirectory() as folder:
        for part in ("mozillians_basket/rules", "tests/rules"):
            shutil.copytree(ROOT / part, Path(folder, part))
        for package in ("mozillians_basket", "tests"):
            Path(folder, package, "__init__.py").touch()
        module = Path(folder, "mozillians_basket/rules", f"{fault.module}.py")
        source = module.read_text()
        if source.count(fault.text) != 1:
            raise SystemExit(f"{fault.name}: its text is not in {fault.module} exactly once")
        module.write_text(source.replace(fault.text, fault.by))
        program = [sys.executable, "-m", "tests.rules.planted_faults", "--count"]
        try:
            done = subprocess.run(
                program, cwd=folder, capture_output=True, text=True, check=True, timeout=PATIENCE
            )
            examples = int(done.stdout.split()[-1])
        except subprocess.TimeoutExpired:  # the fault keeps the worker busy for ever
            examples = 0
        stories = [sys.executable, "-m", "pytest", "tests/rules", "-q", "-rf", "-c", os.devnull]
        options = ["--ignore", "tests/rules/test_machine.py"]
        # The app's own plugin needs more of the app than the copy has.
        plain = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        tests = subprocess.run(
            [*stories, *options], cwd=folder, env=plain, capture_output=True, text=True, check=False
        )
        return examples, tests.stdout.count("\nFAILED ")


def main() -> int:
    """Print how each fault was found; return 1 if one was not."""
    missed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for fault, (examples, tests) in zip(FAULTS, pool.map(try_out, FAULTS), strict=True):
            missed += not (examples or tests)
            said = f"found by example {examples}" if examples else "not found"
            print(f"{fault.name:58} {said} of {SUITE.max_examples}, {tests} tests", flush=True)
    return int(missed > 0)


if __name__ == "__main__":
    if "--count" in sys.argv:
        print(examples_until_found())
    else:
        sys.exit(main())
