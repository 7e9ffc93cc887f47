"""The guide to the admin's pages shows the pictures that there are."""

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"


def test_every_picture_of_the_guide_is_there_and_is_shown() -> None:
    shown = re.findall(r"!\[[^\]]+\]\((images/[\w-]+\.png)\)", (DOCS / "admin.md").read_text())

    pictures = {file.relative_to(DOCS).as_posix() for file in (DOCS / "images").iterdir()}

    assert pictures
    assert sorted(shown) == sorted(pictures)
