"""How this app's calls leave: the switch asked last, over connections that stay open."""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import requests
import urllib3
from requests.adapters import HTTPAdapter

from mozillians_basket.conf import conf
from mozillians_basket.exceptions import BasketSwitchedOff
from mozillians_basket.switch import call_is_allowed

_ours: ContextVar[bool] = ContextVar("basket_call_of_this_app", default=False)
_patience: ContextVar[float | None] = ContextVar("basket_patience", default=None)
_lock = threading.Lock()
_route: "_Route | None" = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What basket-client reads of a response."""

    status_code: int
    content: bytes


@dataclass(frozen=True, slots=True)
class _Route:
    """The way to one Basket, for all of a process' threads."""

    url: str
    pool: urllib3.HTTPConnectionPool
    prefix: str
    """What a path is put behind: nothing, or for a proxy of plain HTTP the whole URL."""
    headers: Mapping[str, str]


@contextmanager
def own_call() -> Iterator[None]:
    """What basket-client sends within the block is a call of this app's."""
    mark = _ours.set(True)
    try:
        yield
    finally:
        _ours.reset(mark)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """For calls that a page waits for: a shorter timeout than ``BASKET_TIMEOUT``."""
    mark = _patience.set(seconds)
    try:
        yield
    finally:
        _patience.reset(mark)


def request(
    method: str,
    url: str,
    *,
    base: str,
    data: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Any:
    """
    What basket-client calls in place of ``requests.request``.

    The site's own use of the library is passed on as it is. The calls of this
    app ask the switch at the last moment, reuse connections, follow no
    redirect (it would carry the key elsewhere, and turn POST into GET), and
    take URL and timeout from the settings as they are now. They go by urllib3,
    on which requests stands: most of what that adds, for each call anew, is
    about cookies, redirects and sessions.

    :param base: the URL that basket-client has put the path behind.
    :raises BasketSwitchedOff: when nothing may leave.
    :raises requests.exceptions.ConnectionError: whatever went wrong on the way.
    """
    if not _ours.get():
        return requests.request(method, url, data=data, params=params, headers=headers, **more)  # noqa: S113 - the caller's timeout is among them
    if not call_is_allowed():
        raise BasketSwitchedOff
    route = _route_to(conf.URL)
    path = route.prefix + url.removeprefix(base)
    if query := _encoded(params):
        path = f"{path}?{query}"
    own = dict(route.headers)
    if data is not None:
        own["Content-Type"] = "application/x-www-form-urlencoded"
    timeout = min(conf.TIMEOUT, _patience.get() or conf.TIMEOUT)
    broken = False
    try:
        response = route.pool.urlopen(
            method.upper(),
            path,
            body=None if data is None else _encoded(data),
            headers={**own, **(headers or {})},
            timeout=urllib3.Timeout(connect=timeout, read=timeout),
            retries=False,
            redirect=False,
            assert_same_host=False,
        )
    except urllib3.exceptions.HTTPError:
        broken = True
    if broken:  # outside of the block, or that error, with the URL in it, would be its context
        raise requests.exceptions.ConnectionError
    return Answer(response.status, response.data)


def _encoded(values: Mapping[str, Any] | None) -> str:
    given = {name: value for name, value in (values or {}).items() if value is not None}
    return urlencode(given, doseq=True)


def _route_to(url: str) -> _Route:
    """This process's one way; made anew when ``BASKET_URL`` has changed."""
    global _route
    route = _route
    if route is None or route.url != url:
        with _lock:
            route = _route
            if route is None or route.url != url:
                route = _route = _new_route(url)
    return route


def _new_route(url: str) -> _Route:
    """By the rules of requests: proxies and certificates as the environment names them."""
    session = requests.Session()
    found = session.merge_environment_settings(url, {}, None, None, None)
    adapter = HTTPAdapter(pool_maxsize=conf.POOL_SIZE)
    example = requests.Request("GET", f"{url}/").prepare()
    pool: Any = adapter.get_connection_with_tls_context(
        example, found["verify"], proxies=found["proxies"], cert=found["cert"]
    )
    prefix = adapter.request_url(example, found["proxies"]).removesuffix("/")
    return _Route(url, pool, prefix, {name: str(each) for name, each in session.headers.items()})


def _forget_route() -> None:
    """A forked child must not share its parent's sockets, nor a lock that was held."""
    global _route, _lock
    _route, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget_route)
