"""Email addresses: their check, their normal form, their masked form, and misspelled domains."""

from difflib import get_close_matches
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

from mozillians_basket.sandbox.answers import ServerFailure

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
SIMILAR_BUT_REAL = {
    "email.com",
    "gmx.at",
    "gmx.ch",
    "gmx.net",
    "gmx.us",
    "mail.com",
    "protonmail.ch",
    "ymail.com",
}
OTHER_COUNTRIES = tuple(f"{domain}." for domain in WELL_KNOWN)
"""The beginnings of well-known domains in other countries, such as outlook.com.br."""
SIMILARITY = 0.86


@lru_cache(maxsize=4096)
def normalise(address: str | None) -> str | None:
    """
    Return the address as Basket stores it, or None if it is not valid.

    The domain becomes lower-case ASCII (punycode); the local part stays as written.
    Delivery is not checked, so no request goes to the network.
    """
    if not address:
        return None
    try:
        found = validate_email(address, allow_smtputf8=False, check_deliverability=False)
    except EmailNotValidError:
        return None
    return found.ascii_email


def normalise_unicode(address: str) -> str | None:
    """Return the address with its domain in lower case, or None. Other scripts are allowed."""
    try:
        return validate_email(address, check_deliverability=False).normalized
    except EmailNotValidError:
        return None


def mask(address: str) -> str:
    """
    Hide an address from callers without a key: ``a***b@e*****e.com``.

    :raises ServerFailure: if the address has another form, as one that an unsubscribe wrote.
    """
    local, at, host = address.partition("@")
    domain, dot, top = host.rpartition(".")
    if not (local and at and domain and dot) or "@" in host:
        raise ServerFailure
    return f"{_mask_word(local)}@{_mask_word(domain)}.{top}"


def _mask_word(word: str) -> str:
    return word[0] + "*" * (len(word) - 2) + word[-1]


def suggest(address: str) -> str | None:
    """
    Return the address that was probably meant, or None if this one looks right.

    Only near misses of well-known domains count as misspelled, such as ``gmial.com``.
    """
    local, at, domain = address.strip().rpartition("@")
    domain = domain.lower()
    if not at or not local or domain in WELL_KNOWN or domain in SIMILAR_BUT_REAL:
        return None
    if domain.startswith(OTHER_COUNTRIES):
        return None
    similar = _well_known_domain(domain)
    return f"{local}@{similar}" if similar else None


@lru_cache(maxsize=4096)
def _well_known_domain(domain: str) -> str | None:
    found = get_close_matches(domain, WELL_KNOWN, n=1, cutoff=SIMILARITY)
    return found[0] if found else None
