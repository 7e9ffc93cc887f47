"""The languages of newsletters, and the choice of one for a person."""

import re
from collections.abc import Iterable, Mapping

from django.utils.translation.trans_real import parse_accept_lang_header

from mozillians_basket.sandbox import known

LANGUAGE_CODE = re.compile(r"[a-z]{2,3}(?:-[a-z]{2})?", re.IGNORECASE)
ACCEPTED_LANGUAGE = re.compile(r"([a-z]{2,3})(?:-([a-z]{2})(?:-[a-z0-9]+)?)?", re.IGNORECASE)
DEFAULT = "en"


def offered() -> list[str]:
    """Return the languages that any newsletter is written in."""
    found: set[str] = set()
    for newsletter in known.newsletters.now().values():
        found.update(newsletter.language_list)
    return sorted(found)


def choose(fields: Mapping[str, str], accept_header: str) -> str | None:
    """
    Return the language to store for a call, or None to leave it as it is.

    The field ``lang`` counts most, then ``accept_lang``, then the header.
    """
    if "lang" in fields:
        code = fields["lang"]
        if code and not LANGUAGE_CODE.fullmatch(code):
            code = DEFAULT
        return closest_offered(code)
    wanted = _best(_accepted(fields.get("accept_lang", accept_header)))
    return closest_offered(wanted) if wanted else None


def closest_offered(code: str) -> str:
    """Return the offered language closest to a code; English when none is close."""
    languages = offered()
    by_lower = {language.lower(): language for language in languages}
    if code.lower() in by_lower:
        return _spelled(code.lower())
    for language in languages:
        if language[:2].lower() == code[:2].lower():
            return _spelled(language.lower())
    return DEFAULT


def _spelled(code: str) -> str:
    language, dash, country = code.partition("-")
    return f"{language}{dash}{country.upper()}"


def _accepted(header: str) -> list[str]:
    languages = offered()
    found: list[str] = []
    for accepted, _quality in parse_accept_lang_header(header.replace("_", "-")):
        if match := ACCEPTED_LANGUAGE.fullmatch(accepted):
            code = match[1].lower()
            if match[2] and code not in languages:
                code += f"-{match[2].upper()}"
            found.append(code)
    return found


def _best(codes: Iterable[str]) -> str | None:
    codes = list(codes)
    languages = offered()
    for code in [*codes, *(code[:2] for code in codes)]:
        if code in languages:
            return code
    return codes[0] if codes else None
