"""The tests on other pairs of Python and Django than the development environment's."""

import os
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv"
# A pair whose Python is missing fails; it is never skipped, and no Python is downloaded.
nox.options.error_on_missing_interpreters = True
os.environ["UV_PYTHON_DOWNLOADS"] = "never"
# pyenv's shims answer for its chosen version only; its folders have all of them.
pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
folders = [str(each) for each in sorted(pyenv.glob("3.1[1-9].*/bin"))]
os.environ["PATH"] = os.pathsep.join([*folders, os.environ["PATH"]])

PAIRS = [
    ("3.11", "5.2"),
    *[(python, django) for python in ("3.12", "3.13") for django in ("5.2", "6.0", "6.1")],
]

#: Old releases may break the calls to Basket, the steps of a share, and a site that adopts the app.
WITH_OLD_RELEASES = ("tests/adoption", "tests/client", "tests/contrib", "tests/sync")

#: A new Django may break the pages of the site, and the queries of a share.
WITH_NEW_DJANGO = ("tests/adoption", "tests/contrib", "tests/people", "tests/sync")


@nox.session
@nox.parametrize(("python", "django"), PAIRS)
def tests(session: nox.Session, django: str) -> None:
    """Run the whole test suite on one pair, with the latest releases."""
    prepare(session)
    session.install(f"django~={django}.0")
    run(session, *session.posargs)


@nox.session(python="3.11")
def lowest(session: nox.Session) -> None:
    """Run a part of the tests on the lowest versions that pyproject.toml promises."""
    prepare(session)
    session.install("--require-hashes", "--no-deps", "-r", "requirements/lowest.txt")
    run(session, *(session.posargs or WITH_OLD_RELEASES))


@nox.session(python="3.13")
def newest(session: nox.Session) -> None:
    """Run a part of the tests on the newest Python and Django."""
    prepare(session)
    run(session, *(session.posargs or WITH_NEW_DJANGO))


def prepare(session: nox.Session) -> None:
    """Install what development does, and the app itself."""
    session.install("--require-hashes", "-r", "requirements/dev.txt")
    session.install("--no-deps", "--no-build-isolation", "--editable", ".")


def run(session: nox.Session, *arguments: str) -> None:
    """Print the versions, then run these tests."""
    names = ("django", "celery", "basket-client", "requests")
    code = "from importlib.metadata import version as v; import sys; print(sys.version.split()[0], "
    session.run("python", "-c", f"{code}{', '.join(f'{name!r}, v({name!r})' for name in names)})")
    marked = ("-m", "not services and not browser")
    session.run("python", "-m", "pytest", "-n", "2", "--dist", "worksteal", *marked, *arguments)
