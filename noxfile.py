"""The test suite on every supported pair of Python and Django: ``python -m nox``."""

import nox

nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False

PAIRS = [
    ("3.11", "5.2"),
    *[(python, django) for python in ("3.12", "3.13") for django in ("5.2", "6.0", "6.1")],
]


@nox.session
@nox.parametrize(("python", "django"), PAIRS)
def tests(session: nox.Session, django: str) -> None:
    """Run the tests on one pair."""
    session.install("--require-hashes", "-r", "requirements/dev.txt")
    session.install("--no-deps", "--no-build-isolation", "--editable", ".")
    session.install(f"django~={django}.0")
    session.run("python", "-m", "pytest", "-n", "2", *session.posargs)
