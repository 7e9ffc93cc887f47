"""When two e-mail addresses are one mailbox in Basket's eyes."""

from contextlib import suppress


def normalized(address: str) -> str:
    """
    The address in the form that Basket matches by.

    Basket matches whatever the case and keeps international domains as
    punycode (measured on the real server).
    """
    local, _, domain = address.strip().rpartition("@")
    with suppress(UnicodeError):  # no domain name at all; Basket will refuse it
        domain = domain.encode("idna").decode("ascii")
    return f"{local}@{domain}".lower()


def same_address(one: str, other: str) -> bool:
    """Whether Basket would take both for the same person."""
    return normalized(one) == normalized(other)
