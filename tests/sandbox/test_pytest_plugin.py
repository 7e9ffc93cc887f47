"""The pytest plugin, as an adopter's suite uses it."""

import pytest
import waffle

from mozillians_basket.conf import SWITCH
from mozillians_basket.sandbox.site_tests import basket_ready, basket_settled
from mozillians_basket.sandbox.testing import SandboxServer
from tests.factories import VouchFactory

pytest_plugins = ["pytester"]

SUITE = """
    def test_one(basket_sandbox):
        basket_sandbox.put_person("ada@example.com", newsletters=["mozilla-phone"])

    def test_two(basket_sandbox):
        assert set(basket_sandbox.people) == {expected}
"""
ONLY_IT = ["-p", "no:django", "-p", "no:randomly", "-p", "mozillians_basket.sandbox.pytest_plugin"]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config) -> None:
    """Let the adopter's suite import this repository."""
    monkeypatch.setenv("PYTHONPATH", str(pytestconfig.rootpath))


@pytest.mark.parametrize(
    ("isolation", "expected"), [("test", set()), ("session", {"ada@example.com"})]
)
def test_isolation_is_by_test_or_session(
    pytester: pytest.Pytester, isolation: str, expected: set[str]
) -> None:
    pytester.makeini(f"[pytest]\nbasket_sandbox_isolation = {isolation}\n")
    pytester.makepyfile(SUITE.replace("{expected}", repr(expected)))

    pytester.runpytest_subprocess(*ONLY_IT).assert_outcomes(passed=2)


def test_newsletters_come_from_the_adopters_file(pytester: pytest.Pytester) -> None:
    pytester.makefile(".json", ours='{"newsletters": {"our-news": {"title": "Ours"}}}')
    pytester.makeini("[pytest]\nbasket_sandbox_newsletters = ours.json\n")
    pytester.makepyfile("""
        def test_it(basket_sandbox):
            person = basket_sandbox.put_person("ada@example.com", newsletters=["our-news"])
            assert person.newsletters == {"our-news"}
    """)

    pytester.runpytest_subprocess(*ONLY_IT).assert_outcomes(passed=1)


def test_plugin_imports_no_django_by_itself(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import sys

        def test_it():
            assert "django" not in sys.modules
            assert not [name for name in sys.modules if name.endswith("sandbox.models")]
    """)

    pytester.runpytest_subprocess(*ONLY_IT).assert_outcomes(passed=1)


@pytest.mark.django_db
def test_switch_is_on_even_if_waffle_has_cached_that_it_is_off(
    basket_sandbox: SandboxServer,
) -> None:
    assert not waffle.switch_is_active(SWITCH)

    with basket_ready(basket_sandbox):
        VouchFactory.create(vouchee__user__email="ada@example.com")
        basket_settled()

    assert set(basket_sandbox.people) == {"ada@example.com"}
