"""The catalogues: their languages, their places, and the code that is translated in each."""

from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)

#: The languages besides English, as Django names them.
LANGUAGES = [code for code, _name in settings.LANGUAGES if code != "en"]

#: The languages as gettext's folders name them.
LOCALES = {"ar": "ar", "de": "de", "es": "es", "fr": "fr", "pt-br": "pt_BR"}


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the repository with catalogues of its own."""

    folder: str

    ignored: tuple[str, ...] = ()
    """Patterns of files, in the folder, whose strings are not translated yet."""

    def catalogue(self, language: str) -> Path:
        """Return the path of a language's catalogue."""
        return ROOT / self.folder / "locale" / LOCALES[language] / "LC_MESSAGES" / "django.po"


PARTS = (
    Part("mozillians_basket"),
    Part("project"),
)
