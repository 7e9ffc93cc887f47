"""
Plant faults where brakes and losses meet the database, and show which test finds each.

``make planted-faults`` runs it after the faults of the rules. Each fault is tried on a
copy of the repository with the tests that should find it. The command fails if one of
them finds nothing.
"""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree, ignore_patterns

ROOT = Path(__file__).parent.parent.parent

TOUCHES, DECISIONS, BULK = "ledger/touches", "ledger/decisions", "bulk"
RECONCILE, VERIFICATION, APPROVALS = "upkeep/reconcile", "upkeep/verification", "upkeep/approvals"


@dataclass(frozen=True)
class Fault:
    """A text of a module of the app, its wrong replacement, and the tests that should find it."""

    name: str
    module: str
    text: str
    by: str
    file: str
    """A file of this folder."""
    tests: str = ""
    """An expression for pytest's ``-k``."""


ON_EVERY_PATH = "brake_holds_on_every_path"

FAULTS = (
    Fault(
        "members who are deleted or have no address pass the brake",
        TOUCHES,
        "            suspects += before.members[member.pk].contact_id is not None\n",
        "            suspects += False\n",
        "test_brakes",
        ON_EVERY_PATH,
    ),
    Fault(
        "policies that end pass the brake",
        TOUCHES,
        "            suspects += bool(ended(before, member, outcomes))\n",
        "            suspects += False\n",
        "test_brakes",
        ON_EVERY_PATH,
    ),
    Fault(
        "touches pass the brake",
        TOUCHES,
        "drained_members(found, status=status)",
        "drained_members(found, status=status, approved={(each.member_id, name) for each in found "
        "for name in get_site().newsletters})",
        "test_brakes",
        ON_EVERY_PATH,
    ),
    Fault(
        "reconciliation passes the brake",
        RECONCILE,
        "keys, context=CONTEXT)",
        "keys, context=CONTEXT, approved={(key, name) for key in keys "
        "for name in get_site().newsletters})",
        "test_brakes",
        ON_EVERY_PATH,
    ),
    Fault(
        "changes that an order drains pass the brake",
        DECISIONS,
        "drained_members(locked_touches(keys), keys, context=context)",
        "drained_members(locked_touches(keys), keys, context=context, "
        "approved={(key, name) for key in keys for name in get_site().newsletters})",
        "test_brakes",
        "an_order_drains",
    ),
    Fault(
        "changes that a member's own choice drains pass the brake",
        DECISIONS,
        "drained_members(locked_touches([key]), [key], context=context)",
        "drained_members(locked_touches([key]), [key], context=context, "
        "approved={(key, name) for name in get_site().newsletters})",
        "test_brakes",
        "an_order_drains",
    ),
    Fault(
        "changes that an unsubscribe by address drains pass the brake",
        DECISIONS,
        "passed=earlier, context=context)",
        "passed=earlier, context=context, "
        "approved={(key, name) for key in found for name in get_site().newsletters})",
        "test_brakes",
        "an_order_drains",
    ),
    Fault(
        "changes that a bulk request drains pass the brake",
        BULK,
        "drained_members(waiting, keys, context=context)",
        "drained_members(waiting, keys, context=context, "
        "approved={(key, name) for key in keys for name in get_site().newsletters})",
        "test_brakes",
        "an_order_drains",
    ),
    Fault(
        "removals within the hour do not add up",
        TOUCHES,
        "    if counts != status.removals:\n",
        "    if False:\n",
        "test_brakes",
        "add_up",
    ),
    Fault(
        "a brake that is on is not read",
        TOUCHES,
        "on=name in held_back)",
        "on=False)",
        "test_approvals",
        "brake or covered or deleted or later or asked_about",
    ),
    Fault(
        "admins are not asked about removals that are held back",
        TOUCHES,
        "        if evaluated.held_back[name]:\n",
        "        if False:\n",
        "test_brakes",
        ON_EVERY_PATH,
    ),
    Fault(
        "an approval covers removals that came later",
        APPROVALS,
        '        shown_at__gte=OuterRef("held_back_at"),\n',
        "",
        "test_approvals",
        "after_the_admin_looked",
    ),
    Fault(
        "of two brakes on one member, the first approval is forgotten",
        "rules/evaluate",
        "if name in kept or (since and name not in waiting):",
        "if name in kept or since:",
        "test_approvals",
        "two_brakes",
    ),
    Fault(
        "admins are not mailed",
        "tasks",
        "    approvals.tell_admins_of_questions()\n",
        "",
        "test_approvals",
        "mailed_once",
    ),
    Fault(
        "admins are mailed again and again",
        APPROVALS,
        "        if not untold.filter(pk=approval.pk).update(told_at=timezone.now()):\n",
        "        if False:\n",
        "test_approvals",
        "mailed_once",
    ),
    Fault(
        "a missing subscription is concluded without a sample",
        VERIFICATION,
        "    match verdict(found, rules_settings()):",
        "    match Verdict.OPTED_OUT:",
        "test_verification",
        "total_loss or nothing_is_concluded",
    ),
    Fault(
        "the sample names nobody to look up",
        VERIFICATION,
        "    return control_sample(settings, since, near, seen=seen, gone=gone)",
        "    return control_sample(settings, since, [], seen=seen, gone=gone)",
        "test_verification",
        "same_in_sql or nothing_is_concluded",
    ),
    Fault(
        "the contacts of the sample are not looked up",
        VERIFICATION,
        "            _look_up_first(found)\n",
        "            pass\n",
        "test_verification",
        "own_unsubscribe",
    ),
    Fault(
        "opt-outs inferred before a loss are not reopened",
        APPROVALS,
        "            write(before, reopen(before, question, ids), _context(approval))\n",
        "            pass\n",
        "test_approvals",
        "inferred_before",
    ),
    Fault(
        "opt-outs that a question reopened look like another loss",
        APPROVALS,
        "filter(missing_at__gte=moment, opted_out_at=None)",
        "filter(missing_at__gte=moment)",
        "test_verification",
        "same_in_sql",
    ),
    Fault(
        "what a restored backup brings back is not verified",
        VERIFICATION,
        "known | Q(removed_at__isnull=False)",
        "known",
        "test_verification",
        "same_in_sql",
    ),
    Fault(
        "members who moved after an inferred opt-out are not restored",
        APPROVALS,
        "end_copies(before, question, ending, ids)",
        "before",
        "test_approvals",
        "inferred_before",
    ),
    Fault(
        "contacts that opted out are not verified",
        VERIFICATION,
        "Q(state__in=[State.LOST, State.OPTED_OUT])",
        "Q(state__in=[State.LOST])",
        "test_verification",
        "came_back",
    ),
    Fault(
        "a bulk request is done before the answer",
        DECISIONS,
        "            pending = asked = True\n",
        "            pass\n",
        "test_losses",
        "bulk_request_waits",
    ),
)


def try_out(fault: Fault) -> int:
    """Run the tests on a copy of the repository with this fault; return how many failed."""
    with tempfile.TemporaryDirectory() as folder:
        for part in ("mozillians_basket", "project", "tests"):
            copytree(ROOT / part, Path(folder, part), ignore=ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "manage.py"):
            Path(folder, name).write_bytes((ROOT / name).read_bytes())
        module = Path(folder, "mozillians_basket", f"{fault.module}.py")
        source = module.read_text()
        if fault.text not in source:
            raise SystemExit(f"{fault.name}: its text is not in {fault.module}")
        module.write_text(source.replace(fault.text, fault.by))
        program = [sys.executable, "-m", "pytest", f"tests/upkeep/{fault.file}.py", "-k"]
        options = [fault.tests, "-m", "", "-q", "-x", "-rf", "-n", "0"]
        done = subprocess.run(
            [*program, *options], cwd=folder, capture_output=True, text=True, check=False
        )
        if done.returncode not in {0, 1}:
            raise SystemExit(f"{fault.name}: its tests could not run.\n{done.stdout[-2000:]}")
        return done.stdout.count("\nFAILED ")


def main() -> int:
    """Print whether each fault was found; return 1 if one was not."""
    missed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for fault, failed in zip(FAULTS, pool.map(try_out, FAULTS), strict=True):
            missed += not failed
            print(f"{fault.name:66} {'found' if failed else 'not found'}", flush=True)
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
