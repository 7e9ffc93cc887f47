"""Source URLs: the check of the address at which a person subscribed."""

import re

URL = re.compile(r"([a-z][a-z0-9+.-]*):(.*)", re.IGNORECASE | re.DOTALL)
AUTHORITY = re.compile(r"[/\\]*(?:[^/\\?#]*@)?([^/\\?#@]*)")
HOST = re.compile(
    r"(?:\[[0-9a-f:.]+\]|[^\s:<>\[\]^|%\x00-\x1f\x7f]+)(?::[0-9]{0,5})?", re.IGNORECASE
)
WITH_HOST = {"ftp", "http", "https", "ws", "wss"}


def is_url(text: str) -> bool:
    """Tell whether this is an absolute URL of any scheme; nothing is fetched."""
    found = URL.fullmatch(text.strip())
    if found is None:
        return False
    scheme, rest = found.groups()
    if scheme.lower() not in WITH_HOST:
        return True
    authority = AUTHORITY.match(rest)
    return authority is not None and HOST.fullmatch(authority[1]) is not None
