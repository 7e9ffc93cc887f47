"""
Change the rules in every small way that mutmut knows, and show what no test notices.

``make mutants``; ``ARGS="brake plan"`` for some modules. It works on a copy of the rules
and of their stories and properties, without the state machine. The command fails if a
change survives that is not explained in ``tests/rules/equivalents.py``.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.rules.equivalents import EQUIVALENTS

ROOT = Path(__file__).parent.parent.parent
RULES = ROOT / "mozillians_basket" / "rules"

SETTINGS = """
[tool.mutmut]
source_paths = ["mozillians_basket"]
only_mutate = {files}
pytest_add_cli_args_test_selection = ["tests/rules", "--ignore=tests/rules/test_machine.py"]
pytest_add_cli_args = ["-p", "no:randomly", "-p", "no:cacheprovider"]
use_git_change_detection = false
"""

#: Few examples, and the same ones each time: every change is tried with all of them.
PROFILE = """
from hypothesis import HealthCheck, settings

settings.register_profile(
    "mutants", max_examples=25, derandomize=True, database=None, deadline=None,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("mutants")
"""

NAME = re.compile(r"^ +(\S+): (.+)$", re.MULTILINE)
UNNOTICED = {"survived", "no tests"}


@dataclass(frozen=True)
class Mutant:
    """A changed line of a module, and what became of it."""

    module: str
    before: str
    after: str
    outcome: str

    def __str__(self) -> str:
        return f"{self.module}, {self.outcome}\n  - {self.before}\n  + {self.after}"


def prepare(folder: Path, modules: list[str]) -> None:
    """Copy the rules and their tests, with the settings for these modules."""
    for part in ("mozillians_basket/rules", "tests/rules"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    for package in ("mozillians_basket", "tests"):
        (folder / package / "__init__.py").touch()
    files = [f"mozillians_basket/rules/{module}.py" for module in modules]
    (folder / "pyproject.toml").write_text(SETTINGS.format(files=json.dumps(files)))
    (folder / "tests" / "conftest.py").write_text(PROFILE)


def mutmut(folder: Path, *arguments: str) -> str:
    """Run mutmut in the copy, without the app's own plugin, which needs more of the app."""
    done = subprocess.run(
        [sys.executable, "-m", "mutmut", *arguments],
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stdout[-5000:] + done.stderr)
    return done.stdout


def outcomes(folder: Path) -> dict[str, str]:
    """Return what became of each mutant, by its name."""
    return dict(NAME.findall(mutmut(folder, "results", "--all", "true")))


def survivors(folder: Path, found: dict[str, str]) -> Iterator[Mutant]:
    """Read the changes that no test noticed."""
    for name, outcome in found.items():
        if outcome in UNNOTICED:
            lines = mutmut(folder, "show", name).splitlines()
            changed = [line for line in lines if re.match(r"[-+](?![-+]{2})", line)]
            before, after = (
                " / ".join(line[1:].strip() for line in changed if line[0] == sign) for sign in "-+"
            )
            yield Mutant(name.split(".")[2], before, after, outcome)


def main() -> int:
    """Try the changes; print the counts and the survivors; return 1 if one is not explained."""
    parser = argparse.ArgumentParser(description=__doc__)
    everything = sorted(path.stem for path in RULES.glob("[a-z]*.py"))
    parser.add_argument("modules", nargs="*", choices=[*everything, []], default=[])
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    modules = options.modules or everything
    explained = {(each.module, each.before, each.after) for each in EQUIVALENTS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, modules)
        mutmut(folder, "run", "--max-children", str(options.processes))
        found = outcomes(folder)
        unnoticed = list(survivors(folder, found))
    unexplained = [m for m in unnoticed if (m.module, m.before, m.after) not in explained]
    for module in modules:
        counts = Counter(outcome for name, outcome in found.items() if name.split(".")[2] == module)
        told = ", ".join(f"{number} {outcome}" for outcome, number in counts.most_common())
        print(f"{module}: {counts.total()} changes: {told or 'none'}")
    print(
        f"{len(unnoticed) - len(unexplained)} survivors are explained, {len(unexplained)} are not"
    )
    for mutant in unexplained:
        print(mutant)
    return int(bool(unexplained))


if __name__ == "__main__":
    sys.exit(main())
