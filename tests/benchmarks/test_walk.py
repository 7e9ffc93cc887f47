"""A walk through the app is counted in functions, files, jumps and returns."""

import re
import subprocess
import sys
import threading
from functools import cached_property
from types import CodeType
from typing import Any

import pytest

from benchmarks.size import ROOT
from benchmarks.walk import APP, Counts, Recorder, Step, count, step_of

SOURCE = """
class Contact:
    def email(self): return ""
    def decide(self):
        def rule(): ...
        return rule
    guess = lambda self: None
"""


def walk(*places: str) -> list[Step]:
    return [Step(*place.split()) for place in places]


def test_a_walk_down_through_files_has_no_returns() -> None:
    steps = walk("a.py f", "a.py g", "b.py f", "c.py f", "c.py g")

    assert count(steps) == Counts(functions=5, files=3, jumps=2, returns=0)


def test_a_jump_to_a_file_that_was_left_is_a_return() -> None:
    steps = walk("a.py f", "b.py f", "a.py g", "c.py f", "b.py g", "a.py h")

    assert count(steps) == Counts(functions=6, files=3, jumps=5, returns=3)


def test_an_empty_walk_has_no_jumps() -> None:
    assert count([]) == Counts(functions=0, files=0, jumps=0, returns=0)


def codes(code: CodeType) -> dict[str, CodeType]:
    """Return the code objects within a code object, by qualified name."""
    inner = [each for each in code.co_consts if isinstance(each, CodeType)]
    return {code.co_qualname: code} | {
        name: found for each in inner for name, found in codes(each).items()
    }


def step(file: str, name: str, **attributes: Any) -> Step | None:
    """Return the step of a function of SOURCE, as if SOURCE were a file of the app."""
    contact = type("Contact", (), attributes)
    found = codes(compile(SOURCE, str(APP / file), "exec"))
    return step_of(found[name], {"Contact": contact})


def test_methods_and_inner_functions_are_steps() -> None:
    assert step("sync.py", "Contact.email") == Step("sync.py", "Contact.email")
    assert step("a/b.py", "Contact.decide.<locals>.rule") == Step(
        "a/b.py", "Contact.decide.<locals>.rule"
    )


@pytest.mark.parametrize("kind", [property, cached_property])
def test_properties_are_no_steps(kind: type) -> None:
    assert step("sync.py", "Contact.email", email=kind(lambda self: "")) is None


@pytest.mark.parametrize("name", ["<module>", "Contact", "Contact.<lambda>"])
def test_code_without_a_name_of_its_own_is_no_step(name: str) -> None:
    assert step("sync.py", name) is None


@pytest.mark.parametrize("file", ["models/ledger.py", "models.py", "conf.py", "sandbox/news.py"])
def test_parts_that_a_walk_leaves_out_have_no_steps(file: str) -> None:
    assert step(file, "Contact.email") is None


def test_threads_of_the_block_are_recorded_until_the_last_write() -> None:
    names: dict[str, Any] = {}
    for file in ("sync.py", "tasks.py"):
        exec(compile(f"def {file[:-3]}(): ...", str(APP / file), "exec"), names)
    recorder = Recorder()
    execute = recorder.watch(frozenset({"contact"}))

    with recorder.recording():
        for function, sql in (
            (names["sync"], 'UPDATE "contact" SET email = %s'),
            (names["tasks"], 'SELECT email FROM "contact"'),
        ):
            thread = threading.Thread(target=function)
            thread.start()
            thread.join()
            execute(lambda *_: None, sql, (), False, {})

    assert recorder.steps == [Step("sync.py", "sync")]


@pytest.mark.programs
@pytest.mark.parametrize("options", [[], ["--worker"]], ids=["eager", "worker"])
def test_the_walk_of_a_vouch_is_printed(options: list[str]) -> None:
    command = [sys.executable, "-m", "benchmarks.walk", *options]

    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout

    assert printed.splitlines()[0].endswith(".py")
    assert "jumps from file to file" in printed


@pytest.mark.programs
def test_example_of_the_docs_names_its_functions_in_the_order_of_a_walk() -> None:
    text = (ROOT / "docs" / "how-it-works.md").read_text()
    example = text.partition("## Example: a member is vouched")[2].partition("\n## ")[0]
    named = re.findall(r"`((?:\w+\.)+\w+)`", example)

    command = [sys.executable, "-m", "benchmarks.walk"]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout

    walked, module = [], ""
    for line in printed.partition("###")[0].splitlines():
        if line.strip() and not line.startswith(" "):
            module = line.removesuffix(" (again)").removesuffix(".py").replace("/", ".")
        else:
            walked.append(f"{module}.{line.strip()}")
    assert len(named) > 10
    assert named == [each for each in walked if each in named]
