"""Follows the links of a part of a site, to one page of each kind."""

import re
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

from playwright.sync_api import Page

#: How many pages there may be: more are no kinds, but an endless supply of one kind.
MOST = 60


def pages_within(page: Page, start: str, part: str) -> Iterator[str]:
    """
    Go to each kind of page that links lead to, and say where the page is now.

    Numbers in a path, and what it is asked for, make no other kind. Downloads are left out.

    :param part: how the paths of the pages begin whose links are followed.
    """
    waiting, seen = [urljoin(page.url, start)], set[str]()
    while waiting:
        url = waiting.pop(0)
        if kind(url) in seen:
            continue
        seen.add(kind(url))
        assert len(seen) <= MOST, sorted(seen)
        page.goto(url)
        yield page.url
        if urlsplit(page.url).path.startswith(part):
            links = page.locator("a[href]:not([download])").evaluate_all(
                "links => links.map(link => link.href)"
            )
            waiting += [link for link in links if is_page(link, page.url, part)]


def kind(url: str) -> str:
    """What all pages of its kind have in common."""
    return re.sub(r"\d+", "N", urlsplit(url).path)


def is_page(link: str, here: str, part: str) -> bool:
    """Whether it leads to a page of this part of the site."""
    parts = urlsplit(link)
    return (
        parts.netloc == urlsplit(here).netloc
        and parts.path.startswith(part)
        and not parts.path.endswith(".csv")
    )
