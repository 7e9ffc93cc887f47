"""Follows the links of a part of a site, to one page of each kind."""

import re
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

from playwright.sync_api import Page

#: The highest number of pages: more of them would mean that pages of one kind differ without end.
MOST = 60


def pages_within(page: Page, start: str, part: str) -> Iterator[str]:
    """
    Go to each kind of page that links lead to, and yield the page's present address.

    Numbers in a path and the query make no difference in kind. Downloads are left out.

    :param part: the beginning of the paths of pages whose links are followed.
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
    """Return the part of the address that pages of one kind share."""
    return re.sub(r"\d+", "N", urlsplit(url).path)


def is_page(link: str, here: str, part: str) -> bool:
    """Whether the link leads to a page of this part of the site."""
    parts = urlsplit(link)
    return (
        parts.netloc == urlsplit(here).netloc
        and parts.path.startswith(part)
        and not parts.path.endswith(".csv")
    )
