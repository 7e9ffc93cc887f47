"""Each error that can be stored has words of its own for an admin."""

import pytest

from mozillians_basket.admin.plain_words import CLASSES, WORDS, code_of, in_plain_words
from mozillians_basket.client import BLOCKED
from mozillians_basket.exceptions import (
    BasketMisconfigured,
    BasketRefused,
    BasketUnavailable,
    StepFailed,
    label_of,
)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(BasketUnavailable(503), id="unavailable"),
        pytest.param(BasketUnavailable(429, 5), id="rate limit"),
        pytest.param(BasketMisconfigured(401, 7), id="misconfigured"),
        pytest.param(BasketRefused(5), id="refused by Basket"),
        pytest.param(StepFailed("somewhere"), id="unexpected"),
    ],
)
def test_every_label_has_words_and_can_be_filtered_by(error):
    label = label_of(error)

    assert (label, None) in WORDS
    assert label in CLASSES


@pytest.mark.parametrize(
    ("label", "code", "words"),
    [
        ("refused", 2, "Basket says the address is invalid."),
        ("refused", BLOCKED, "Basket takes no addresses of this domain: it is blocked there."),
        ("refused", 77, "Basket refuses this person."),
        ("unavailable", 15, "Basket is in maintenance."),
        ("unavailable", None, "Basket is broken: it gave no usable answer."),
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
        ("refused", 2, "refused, code 2"),
        ("refused", BLOCKED, "refused, no token"),
    ],
)
def test_the_code_stands_beside_the_words(label, code, shown):
    assert code_of(label, code) == shown
