"""Each problem that can be stored or shown has a text of its own for an admin."""

import pytest
from django.template import Context, Template
from django.utils import translation

from mozillians_basket.admin.wording import CLASSES, WORDS, code_of, in_plain_words, listed
from mozillians_basket.exceptions import (
    BasketMisconfigured,
    BasketRefused,
    BasketUnavailable,
    StepFailed,
)
from mozillians_basket.models import BulkItem, Problem


@pytest.mark.parametrize("problem", Problem.values)
def test_every_problem_has_words_and_can_be_filtered_by(problem):
    assert (problem, None) in WORDS
    assert problem in CLASSES


@pytest.mark.parametrize("reason", BulkItem.Reason.values)
def test_every_reason_of_a_bulk_item_has_words(reason):
    assert in_plain_words(reason) != reason


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(BasketUnavailable(503), id="unavailable"),
        pytest.param(BasketUnavailable(429, 5), id="rate limit"),
        pytest.param(BasketMisconfigured(401, 7), id="misconfigured"),
        pytest.param(BasketRefused(5), id="refused"),
        pytest.param(StepFailed("somewhere"), id="unexpected"),
    ],
)
def test_every_error_that_a_page_can_meet_has_words(error):
    assert (error.label, None) in WORDS


@pytest.mark.parametrize(
    ("label", "code", "words"),
    [
        ("2", None, "Basket says the address is invalid."),
        (
            "blocked domain",
            None,
            "Basket takes no addresses of this domain: it is blocked there.",
        ),
        ("9", None, "Basket does not know one of their newsletters."),
        ("77", None, "Basket refuses this person."),
        ("refused", "2", "Basket says the address is invalid."),
        ("unavailable", 15, "Basket is in maintenance."),
        ("unavailable", None, "Basket fails: it gave no usable answer."),
        ("unavailable", "", "Basket fails: it gave no usable answer."),
        ("no address", None, "They have no e-mail address."),
        ("of a later version", 3, "of a later version"),
    ],
)
def test_a_code_without_words_falls_back_to_its_label_s(label, code, words):
    assert in_plain_words(label, code) == words


@pytest.mark.parametrize(
    ("label", "code", "shown"),
    [
        ("unavailable", None, "unavailable"),
        ("unavailable", "", "unavailable"),
        ("unavailable", 15, "unavailable, code 15"),
        ("2", None, "refused, code 2"),
        ("blocked domain", None, "refused, no token"),
    ],
)
def test_the_code_stands_beside_the_words(label, code, shown):
    assert code_of(label, code) == shown


@pytest.mark.parametrize(
    ("names", "text"),
    [([], ""), (["a"], "a"), (["b", "a"], "b and a"), (["a", "b", "c"], "a, b and c")],
)
def test_list_of_names_is_one_text(names, text):
    assert listed(names) == text
    assert (
        Template("{% load basket_banner %}{{ names|listed }}").render(Context({"names": names}))
        == text
    )


@pytest.mark.parametrize(
    ("language", "text"), [("de", "a, b und c"), ("ar", "\u200f\u2068a، b\u2069 و\u2068c\u2069")]
)
def test_list_is_joined_in_the_way_of_the_language(language, text):
    with translation.override(language):
        assert listed(["a", "b", "c"]) == text
