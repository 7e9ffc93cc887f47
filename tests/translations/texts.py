"""The texts on a page, for the tests of translations."""

import re
from html.parser import HTMLParser

import polib

from tests.translations.catalogues import PARTS

#: Names, addresses and codes in the rows of these tests, and numbers.
DATA = re.compile(r"\b(?:xx|user\d|mozilla-|mozillians-)[\w-]*(?:@[\w.-]+)?|\bBR\b|\d+")

#: The attributes that a person reads or hears.
READ = {"alt", "aria-label", "placeholder", "title"}

#: Words of Django's own catalogues that a language spells as English does.
DJANGOS = {"es": {"no"}}


class Texts(HTMLParser):
    """Collects what a person reads on a page, and where its links lead."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.direction = ""
        self.found: set[str] = set()
        self.links: list[str] = []
        self._inside: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "html":
            self.direction = named.get("dir") or ""
        if tag == "a" and named.get("href") and "download" not in named:
            self.links.append(named["href"] or "")
        if tag in {"script", "style", "option"}:
            self._inside.append(tag)
        for name in READ & named.keys():
            self._add(named[name] or "")

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self._add(data)

    def _add(self, text: str) -> None:
        for part in DATA.sub("", text).split(" – "):  # noqa: RUF001 - of titles
            left = " ".join(part.split()).rstrip(" :")
            if any(each.isalpha() for each in left):
                self.found.add(left)


def same_as_english(language: str) -> set[str]:
    """Return the texts that a translator left as they are in English, on purpose."""
    found = {
        entry.msgid
        for part in PARTS
        for entry in polib.pofile(str(part.catalogue(language)))
        if entry.msgstr == entry.msgid
    }
    return found | DJANGOS.get(language, set())
