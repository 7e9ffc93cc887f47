"""The workflow of GitHub Actions runs what .ci/run runs."""

import re
import tomllib
from pathlib import Path

import yaml
from django.conf import settings
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(settings.BASE_DIR)
MAKEFILE = (ROOT / "Makefile").read_text()


def targets_of_ci() -> set[str]:
    found = re.search(r'^targets="(.+)"$', (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert found is not None
    return set(found[1].split())


def test_workflow_and_ci_run_the_same_targets() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    targets = workflow["jobs"]["make"]["strategy"]["matrix"]["targets"]

    assert {target for each in targets for target in each.split()} == targets_of_ci()


def test_targets_of_ci_are_those_of_the_makefile() -> None:
    known = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))

    assert targets_of_ci() <= known
    assert "every-pair" in known


def test_ci_tests_what_pyproject_promises_at_least() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    promised = {
        each.name: each.specifier
        for extra, group in (
            ("", project["dependencies"]),
            *project["optional-dependencies"].items(),
        )
        if extra != "docs"
        for each in map(Requirement, group)
    }
    pins = re.findall(
        r"^([a-z0-9-]+)==([\w.]+)", (ROOT / "requirements" / "lowest.txt").read_text(), re.MULTILINE
    )
    lowest = {name: Version(version) for name, version in pins if name in promised}

    assert lowest.keys() == promised.keys()
    for name, specifiers in promised.items():
        assert [Version(each.version) for each in specifiers] == [lowest[name]], name
