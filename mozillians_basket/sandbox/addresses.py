"""Email addresses: their check, their normal form and their masked form."""

from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

from mozillians_basket.sandbox import known


@lru_cache(maxsize=4096)
def normalised(address: str | None) -> str | None:
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


def normalised_unicode(address: str) -> str | None:
    """Return the address with its domain in lower case, or None. Other scripts are allowed."""
    try:
        return validate_email(address, check_deliverability=False).normalized
    except EmailNotValidError:
        return None


def in_ascii(address: str) -> str:
    """Return a valid address as it is stored, or unchanged if it has no ASCII form."""
    return normalised(address) or address


def masked(address: str) -> str:
    """Hide an address from callers without a key: ``a***b@e*****e.com``."""
    local, _, host = address.rpartition("@")
    domain, _, top = host.rpartition(".")
    return f"{_masked_word(local)}@{_masked_word(domain)}.{top}"


def _masked_word(word: str) -> str:
    if not word:
        return word
    return word[0] + "*" * (len(word) - 2) + word[-1]


def is_blocked(address: str) -> bool:
    """Tell whether the address ends in a blocked domain."""
    return any(address.endswith(domain) for domain in known.domains.now())
