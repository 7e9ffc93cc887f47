"""Domains that are probably misspelled, and suggestions for them."""

from difflib import get_close_matches
from functools import lru_cache

WELL_KNOWN = (
    "aol.com",
    "gmail.com",
    "gmx.de",
    "googlemail.com",
    "hotmail.com",
    "icloud.com",
    "mozilla.com",
    "mozilla.org",
    "outlook.com",
    "protonmail.com",
    "yahoo.com",
)
REAL_NEIGHBOURS = {
    "email.com",
    "gmx.at",
    "gmx.ch",
    "gmx.net",
    "gmx.us",
    "mail.com",
    "protonmail.ch",
    "ymail.com",
}
OF_A_COUNTRY = tuple(f"{domain}." for domain in WELL_KNOWN)
"""The beginnings of well-known domains in other countries, such as outlook.com.br."""
LIKENESS = 0.86


def suggestion(address: str) -> str | None:
    """
    Return the address that was probably meant, or None if this one looks right.

    Only near misses of well-known domains count as misspelled, such as ``gmial.com``.
    """
    local, at, domain = address.strip().rpartition("@")
    domain = domain.lower()
    if not at or not local or domain in WELL_KNOWN or domain in REAL_NEIGHBOURS:
        return None
    if domain.startswith(OF_A_COUNTRY):
        return None
    meant = _meant(domain)
    return f"{local}@{meant}" if meant else None


@lru_cache(maxsize=4096)
def _meant(domain: str) -> str | None:
    found = get_close_matches(domain, WELL_KNOWN, n=1, cutoff=LIKENESS)
    return found[0] if found else None
