"""The docs show exactly the existing pictures."""

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"


def test_every_picture_is_there_and_is_shown_once() -> None:
    shown = [
        picture
        for page in DOCS.glob("*.md")
        for picture in re.findall(r"!\[[^\]]+\]\((images/[\w-]+\.\w+)\)", page.read_text())
    ]

    pictures = {file.relative_to(DOCS).as_posix() for file in (DOCS / "images").iterdir()}

    drawn = {picture for picture in pictures if picture.endswith(".svg")}
    assert pictures > drawn > set()
    assert set(shown) == pictures
    # The start page and an explanation show a drawing; a screenshot is shown once.
    assert sorted(set(shown) - drawn) == sorted(each for each in shown if each not in drawn)
