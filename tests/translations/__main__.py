"""Collects the strings of the code in the catalogues, and compiles these: ``make messages``."""

import os
import re
import sys
from contextlib import chdir
from pathlib import Path

import django
import polib

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings.test")
django.setup()

from django.core.management import call_command  # noqa: E402

from project.demo.table import say  # noqa: E402
from tests.services.packages import Packages, provide  # noqa: E402
from tests.services.servers import program  # noqa: E402
from tests.translations.catalogues import LANGUAGES, LOCALES, PARTS, ROOT, Part  # noqa: E402

GETTEXT: Packages = {"gettext": ("xgettext", program)}

#: A line of a catalogue that changes each time, even if no string does.
MOMENT = re.compile(r'^"POT-Creation-Date: .*\n', re.MULTILINE)


def main(arguments: list[str]) -> int:
    """
    Bring all catalogues up to date, and print how many texts each of them lacks.

    Return 1 if a text is lacking, and with ``--check`` also if a catalogue was out of date.
    """
    provide(GETTEXT)
    before = contents()
    for part in PARTS:
        with chdir(ROOT / part.folder):
            collect(part)
            call_command("compilemessages", locale=list(LOCALES.values()), verbosity=0)
    changed = [file for file, text in contents().items() if before.get(file) != text]
    for file in changed:
        say(f"{file.relative_to(ROOT)} has changed.")
    lacking = [file for file in before if report(file)]
    return int(bool(lacking or (changed and "--check" in arguments)))


def contents() -> dict[Path, str]:
    """Return the text of each catalogue that exists."""
    files = [part.catalogue(language) for part in PARTS for language in LANGUAGES]
    return {file: file.read_text() for file in files if file.exists()}


def report(file: Path) -> int:
    """Print how many texts a catalogue lacks, if it does, and return the number."""
    catalogue = polib.pofile(str(file))
    number = len(catalogue.untranslated_entries()) + len(catalogue.fuzzy_entries())
    if number:
        say(f"{file.relative_to(ROOT)} lacks {number} of {len(catalogue)} texts.")
    return number


def collect(part: Part) -> None:
    """Write the strings of a part's code into its catalogues; translations stay."""
    call_command(
        "makemessages",
        locale=list(LOCALES.values()),
        add_location="file",
        no_wrap=True,
        no_obsolete=True,
        ignore_patterns=list(part.ignored),
        verbosity=0,
    )
    for language in LANGUAGES:
        file = part.catalogue(language)
        file.write_text(MOMENT.sub("", file.read_text()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
