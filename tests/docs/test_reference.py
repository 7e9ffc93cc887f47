"""The reference lists what the code has: no more, and no less."""

import re
from collections.abc import Callable, Iterable
from inspect import getmembers, isclass, isfunction
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import load_command_class
from django.dispatch import Signal

from mozillians_basket import api, beat, exceptions, signals, site, tasks
from mozillians_basket.sandbox import pytest_plugin
from tests.docs.pages import DOCS, ROOT, rows

REFERENCE = DOCS / "reference"
COMMANDS = sorted(
    path.stem
    for path in (ROOT / "mozillians_basket/management/commands").glob("*.py")
    if path.stem != "__init__"
)


def directives(page: str, name: str) -> list[str]:
    text = (REFERENCE / page).read_text()
    return [each.rpartition(".")[2] for each in re.findall(rf"\.\. {name}:: (\S+)", text)]


def members(page: str, module: str) -> list[str]:
    """Return the names that an automodule directive shows."""
    text = (REFERENCE / page).read_text()
    found = re.search(rf"automodule:: {re.escape(module)}\n(?:   :.*\n)*?   :members: (.+)", text)
    assert found
    return found[1].split(", ")


def own(module: Any, is_kind: Callable[[Any], bool]) -> Iterable[str]:
    """Return the public names that a module defines itself."""
    for name, value in getmembers(module, is_kind):
        if value.__module__ == module.__name__ and not name.startswith("_"):
            yield name


def test_each_model_is_described() -> None:
    models = apps.get_app_config("mozillians_basket").get_models()

    assert sorted(directives("models.md", "django-model")) == sorted(
        model.__name__ for model in models if not model._meta.proxy
    )


def test_each_task_is_described() -> None:
    names = [
        name.rpartition(".")[2]
        for name, task in vars(tasks).items()
        if str(getattr(task, "name", "")).startswith("mozillians_basket.tasks.") and name[0] != "_"
    ]

    assert sorted(directives("tasks.md", "autotask")) == sorted(names)


def test_each_function_for_sites_is_described() -> None:
    assert sorted(members("api.md", "mozillians_basket.api")) == sorted(own(api, isfunction))
    assert (
        ":members:\n" in (REFERENCE / "api.md").read_text().partition("mozillians_basket.beat")[2]
    )
    assert set(own(beat, isfunction)) == {"add_periodic_tasks", "basket_beat_schedule"}


def test_each_signal_is_described() -> None:
    defined = [name for name, value in vars(signals).items() if isinstance(value, Signal)]

    assert sorted(members("signals.md", "mozillians_basket.signals")) == sorted(defined)


def test_each_exception_is_described() -> None:
    text = (REFERENCE / "exceptions.md").read_text()

    assert "automodule:: mozillians_basket.exceptions\n   :members:\n" in text
    assert set(own(exceptions, isclass)).isdisjoint(re.findall(r":exclude-members: (\w+)", text))


def test_each_part_of_a_description_is_described() -> None:
    described = members_of_class("BasketSite")
    attributes = {name for name in vars(site.BasketSite) if not name.startswith("_")}
    internal = {
        "rows",
        "entitled",
        "with_email",
        "members_at",
        "fields_of",
        "standings",
        "standings_between",
    }

    assert described == attributes - internal
    assert {"BasketSite", "Policy", "Trigger"} == set(directives("site.md", "autoclass"))
    assert {"BasketSite", "Policy", "Trigger", "Standing"} == set(own(site, isclass))


def members_of_class(name: str) -> set[str]:
    text = (
        (REFERENCE / "site.md").read_text().partition(f"autoclass:: mozillians_basket.site.{name}")
    )
    return set(text[2].splitlines()[1].partition(":members: ")[2].split(", "))


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_described_with_its_options(name: str) -> None:
    parser = load_command_class("mozillians_basket", name).create_parser("manage.py", name)
    common = {
        "--help", "--version", "--verbosity", "--settings", "--pythonpath", "--traceback",
        "--no-color", "--force-color", "--skip-checks",
    }  # fmt: skip
    options = {
        option for action in parser._actions for option in action.option_strings if option[1] == "-"
    }

    if name == "basket_sandbox":
        described = {row[0].strip("`") for row in rows("sandbox.md", "Options")[2:]}
    else:
        table = [row for row in rows("reference/commands.md", name) if row[0].startswith("`--")]
        described = {row[0].strip("`") for row in table}

    assert described == options - common
    assert [f"`{name}`" for row in rows("reference/commands.md", "Commands") if f"`{name}`" in row]


def test_each_fixture_is_described() -> None:
    described = {row[0].strip("`") for row in rows("reference/testing.md", FIXTURES)[2:]}
    text = Path(str(pytest_plugin.__file__)).read_text()
    fixtures = set(re.findall(r"@pytest\.fixture.*\ndef (\w+)", text))

    assert described == fixtures


FIXTURES = "Fixtures of the pytest plugin"
