"""Basket tokens as callers write them."""

import re
import uuid

HEX = "[0-9a-fA-F]"
HYPHENATED = f"{HEX}{{8}}(?:-{HEX}{{4}}){{3}}-{HEX}{{12}}"
UUID_FORMS = re.compile(
    rf"{HEX}{{32}}|{HYPHENATED}|\{{{HYPHENATED}\}}|urn:uuid:{HYPHENATED}",
)
LOOKS_LIKE_A_TOKEN = re.compile(r"[0-9a-fA-F-]{36}")


def parsed(token: str) -> uuid.UUID | None:
    """Return the token in any form of a UUID, or None if it is none."""
    return uuid.UUID(token) if UUID_FORMS.fullmatch(token) else None


def looks_like_token(text: str) -> bool:
    """Apply the first check of ``/news/subscribe/``: 36 hexadecimal digits and dashes, any case."""
    return LOOKS_LIKE_A_TOKEN.fullmatch(text) is not None
