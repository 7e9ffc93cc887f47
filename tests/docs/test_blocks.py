"""Code in the docs compiles, and every name in it is one that exists."""

import ast
import re
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from celery.app import defaults
from django.core.management import get_commands

from mozillians_basket.conf import SWITCH, Settings
from tests.docs.pages import PAGES, ROOT, Block, blocks, name_of

#: Celery's fixup for Django reads this one, beside those that Celery lists itself.
CELERY_NAMES = {"CELERY_DB_REUSE_MAX"} | {
    f"CELERY_{option[0]}".upper() for option in defaults.flatten(defaults.NAMESPACES)
}

#: The places that define settings and variables whose names begin with BASKET_.
DEFINED_IN = ("project/settings", "mozillians_basket/sandbox", "tests/contract")


@cache
def code_of(folder: str) -> str:
    return "".join(path.read_text() for path in (ROOT / folder).rglob("*.py"))


def basket_names() -> set[str]:
    text = "".join(map(code_of, DEFINED_IN))
    own = {f"BASKET_{name}" for name in vars(Settings) if name.isupper()}
    return own | {SWITCH} | set(re.findall(r"BASKET_[A-Z_]+[A-Z]", text))


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_compiles(block: Block) -> None:
    ast.parse(block.text)


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_imports_from_the_app_exist(block: Block) -> None:
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("mozillians_basket"):
            module = import_module(str(node.module))
            missing = {each.name for each in node.names if not hasattr(module, each.name)}
            assert not missing


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_settings_and_variables_exist(page: Path) -> None:
    named = set(re.findall(r"\bBASKET_[A-Z_]+[A-Z]\b", page.read_text()))

    assert named <= basket_names()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_settings_of_celery_exist(page: Path) -> None:
    named = set(re.findall(r"\bCELERY_[A-Z_]+[A-Z]\b", page.read_text()))

    assert named <= CELERY_NAMES


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_exist(page: Path) -> None:
    named = set(re.findall(r"manage\.py ([a-z_]+)\b", page.read_text()))

    assert named <= get_commands().keys() | {"runserver"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    named = set(re.findall(r"`make ([a-z-]+)\b", page.read_text()))

    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_dotted_names_of_the_app_exist(page: Path) -> None:
    named = set(re.findall(r"`(mozillians_basket(?:\.\w+)+)(?:\(|`)", page.read_text()))
    permissions = {"sync_members", "manage_basket", "export_addresses"}
    code = code_of("mozillians_basket")

    for name in named:
        parent, _dot, last = name.rpartition(".")
        is_logger = f'getLogger("{name}")' in code
        if re.fullmatch(r"[EWI]\d+", last) or last in permissions or is_logger:
            continue
        try:
            assert hasattr(import_module(parent), last) or import_module(name)
        except ModuleNotFoundError:
            owner, _dot, middle = parent.rpartition(".")
            assert hasattr(getattr(import_module(owner), middle), last), name
