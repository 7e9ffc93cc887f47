"""The catalogues: complete, with the same placeholders, and compiled as they are written."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import polib
import pytest
from django.utils import translation

from tests.translations.catalogues import LANGUAGES, PARTS, Part

#: The parts of a text that the code or the markup needs as they are.
PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[a-z%]|<[^>]+>")

#: The form of a plural that each language uses for a number, by CLDR's rules for whole numbers.
FORMS = {
    "ar": {0: 0, 1: 1, 2: 2, 3: 3, 10: 3, 11: 4, 99: 4, 100: 5, 103: 3},
    "de": {0: 1, 1: 0, 2: 1, 60: 1},
    "es": {0: 2, 1: 0, 2: 2, 60: 2, 1_000_000: 1},
    "fr": {0: 0, 1: 0, 2: 1, 60: 1},
    "pt-br": {0: 0, 1: 0, 2: 1, 60: 1},
}

#: The forms that stand for one number only, so that a word can replace the number.
WORDS = {"ar": (1, 2)}

each_catalogue = pytest.mark.parametrize(
    ("part", "language"),
    [(part, language) for part in PARTS for language in LANGUAGES],
    ids=lambda value: value.folder if isinstance(value, Part) else value,
)


def entries(part: Part, language: str) -> "list[polib.POEntry]":
    return list(polib.pofile(str(part.catalogue(language))))


def texts(entry: "polib.POEntry") -> Iterator[tuple[str, str]]:
    """Return each translation of an entry with the text that it is a translation of."""
    if not entry.msgid_plural:
        yield entry.msgid, entry.msgstr
    for number, text in entry.msgstr_plural.items():
        yield (entry.msgid_plural if number else entry.msgid), text


def spelled_out(entry: "polib.POEntry", language: str) -> list[str]:
    """Return the forms of a plural that name their only number by a word: "two minutes"."""
    return [entry.msgstr_plural.get(form, "") for form in WORDS.get(language, ())]


@each_catalogue
def test_every_string_is_translated(part: Part, language: str) -> None:
    found = entries(part, language)

    assert found
    assert not [entry.msgid for entry in found if not entry.translated() or entry.obsolete]


@each_catalogue
def test_placeholders_and_markup_are_those_of_the_english_text(part: Part, language: str) -> None:
    differing = [
        (english, text)
        for entry in entries(part, language)
        for english, text in texts(entry)
        if sorted(PLACEHOLDER.findall(english)) != sorted(PLACEHOLDER.findall(text))
        and text not in spelled_out(entry, language)
    ]

    assert not differing


@each_catalogue
def test_texts_end_as_the_english_ones(part: Part, language: str) -> None:
    ends = (".", ":", "?")
    same = {"؟": "?"}

    def end(text: str) -> str:
        last = same.get(text[-1], text[-1])
        return last if last in ends else ""

    pairs = [pair for entry in entries(part, language) for pair in texts(entry)]

    assert not [text for english, text in pairs if end(english) != end(text)]


@each_catalogue
def test_strings_are_the_same_in_all_languages(part: Part, language: str) -> None:
    other = LANGUAGES[LANGUAGES.index(language) - 1]

    assert {entry.msgid for entry in entries(part, language)} == {
        entry.msgid for entry in entries(part, other)
    }


@each_catalogue
def test_compiled_catalogue_holds_what_is_written(part: Part, language: str) -> None:
    file = part.catalogue(language)

    def contents(catalogue: Iterable[Any]) -> dict[tuple[str, str], object]:
        return {
            (each.msgctxt or "", each.msgid): each.msgstr_plural
            if each.msgid_plural
            else each.msgstr
            for each in catalogue
        }

    compiled = polib.mofile(str(file.with_suffix(".mo")))

    assert contents(compiled) == contents(entries(part, language))
    assert compiled.metadata["Plural-Forms"] == polib.pofile(str(file)).metadata["Plural-Forms"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_number_has_the_form_of_its_language(language: str) -> None:
    text = "You have done this very often. Try again in %(count)d minute."
    plural = text.replace("minute.", "minutes.")
    app = next(part for part in PARTS if part.folder == "mozillians_basket")
    entry = next(each for each in entries(app, language) if each.msgid == text)
    with translation.override(language):
        found = {number: translation.ngettext(text, plural, number) for number in FORMS[language]}

    assert found == {number: entry.msgstr_plural[form] for number, form in FORMS[language].items()}
    assert len(entry.msgstr_plural) == max(FORMS[language].values()) + 1
