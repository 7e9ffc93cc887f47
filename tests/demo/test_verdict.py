"""The comparison in the demo, and its output."""

import pytest

from project.demo.stage import Expectation
from project.demo.table import table

ONE, OTHER = "member-01@example.com", "member-02@example.com"


@pytest.fixture
def expectation() -> Expectation:
    expectation = Expectation()
    expectation.gain(ONE, "mozilla-phone", "mozillians-nda")
    expectation.lose(ONE, "mozillians-nda")
    return expectation


def test_exactly_what_is_expected_is_no_difference(expectation: Expectation) -> None:
    assert expectation.differences({ONE: frozenset({"mozilla-phone"})}) == []


@pytest.mark.parametrize(
    ("held", "difference"),
    [
        pytest.param({}, f"{ONE}: Basket holds unknown", id="nobody"),
        pytest.param({ONE: frozenset()}, f"{ONE}: Basket holds nothing", id="too little"),
        pytest.param(
            {ONE: frozenset({"mozilla-phone", "mozillians-nda"})},
            f"{ONE}: Basket holds mozilla-phone, mozillians-nda",
            id="too much",
        ),
    ],
)
def test_less_and_more_than_expected_are_differences(
    expectation: Expectation, held: dict[str, frozenset[str]], difference: str
) -> None:
    assert expectation.differences(held) == [f"{difference}, it should be mozilla-phone"]


def test_a_person_that_nobody_expected_is_a_difference(expectation: Expectation) -> None:
    held = {ONE: frozenset({"mozilla-phone"}), OTHER: frozenset[str]()}

    assert expectation.differences(held) == [f"{OTHER}: Basket holds nothing, it should be unknown"]


def test_a_table_is_plain_text_in_straight_columns() -> None:
    assert table(["who", "what"], [["a member", "vouched"]], indent="").splitlines() == [
        "who       what",
        "--------  -------",
        "a member  vouched",
    ]
