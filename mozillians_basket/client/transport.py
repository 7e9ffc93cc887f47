"""Send calls to Basket over open connections, side by side, as long as the switch is on."""

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from functools import lru_cache
from queue import Empty, SimpleQueue
from traceback import walk_tb
from typing import Any, TypeVar
from urllib.parse import urlencode

import requests
import urllib3
import waffle
from django.db import router
from django.dispatch import Signal
from requests.adapters import HTTPAdapter
from requests.utils import check_header_validity, default_headers
from waffle import get_waffle_switch_model
from waffle.utils import get_setting

from mozillians_basket.conf import SWITCH, conf
from mozillians_basket.exceptions import (
    BasketError,
    BasketMisconfigured,
    BasketSwitchedOff,
    BasketUnavailable,
    BreakerOpen,
    StepFailed,
)
from mozillians_basket.signals import call_made

logger = logging.getLogger("mozillians_basket")

#: Seconds after which the switch is read again while calls run side by side.
SWITCH_EVERY = 0.05

#: Seconds for which a reading of the switch is valid, from its beginning.
SWITCH_SEEN = 0.1

#: Seconds for which it is valid at least from its end, where the database is slow.
SWITCH_GRACE = 0.02

Value = TypeVar("Value")

_timeout: ContextVar[float | None] = ContextVar("basket_timeout", default=None)
_fan_out: ContextVar["FanOut | None"] = ContextVar("basket_fan_out", default=None)


def switch_is_on() -> bool:
    """Whether Basket may be called, as waffle knows it: from its cache, where it has one."""
    return bool(waffle.switch_is_active(SWITCH))


def call_is_allowed() -> bool:
    """
    Whether a request may start now: waffle and the switch's own row must both say so.

    Waffle's cache can be behind the row: by a race, in another process, or
    after a ``QuerySet.update()``. The row is read where it is written.
    """
    return switch_is_on() and row_is_on()


def row_is_on() -> bool:
    """Whether the switch's own row says on, or waffle's default where there is no row."""
    model = get_waffle_switch_model()
    rows = model._default_manager.using(router.db_for_write(model)).filter(name=SWITCH)
    active = rows.values_list("active", flat=True).first()
    return bool(get_setting("SWITCH_DEFAULT") if active is None else active)


class ForeignReply(Exception):
    """
    HTML, a redirect or an error without a body.

    It comes from another server, or from a path that Basket does not have.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class Reply:
    """The parts of a response that basket-client reads."""

    status_code: int
    content: bytes = field(repr=False)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Shorten ``BASKET_TIMEOUT`` for calls that an admin's page waits for."""
    mark = _timeout.set(seconds)
    try:
        yield
    finally:
        _timeout.reset(mark)


def send_request(
    call: str,
    method: str,
    path: str,
    *,
    params: Mapping[str, str] | None,
    data: Mapping[str, str | None] | None,
    headers: Mapping[str, str] | None,
) -> Reply:
    """
    Send one request, if the switch and the share's breaker still allow it.

    :param call: the call's name, for ``call_made``.
    :raises BasketSwitchedOff: the switch is off.
    :raises BreakerOpen: others of the same share have failed too often.
    :raises ForeignReply: the answer is not Basket's.
    :raises BasketUnavailable: it is Basket's, but no JSON object.
    :raises requests.exceptions.RequestException: a setting is wrong: nothing was sent.
    :raises urllib3.exceptions.HTTPError: there is no answer.
    """
    with _making:
        connections, root = _connections(conf.URL)
    timeout = min(conf.TIMEOUT, _timeout.get() or conf.TIMEOUT)
    fan = _fan_out.get()
    if fan is not None:
        fan.wait_for_permission()
    elif not call_is_allowed():
        raise BasketSwitchedOff
    began, status = time.monotonic(), 0
    url = root + path + (f"?{urlencode(params)}" if params else "")
    sent, body = {**default_headers(), **(headers or {})}, None
    if data:
        body = urlencode({name: value for name, value in data.items() if value is not None})
        sent["Content-Type"] = "application/x-www-form-urlencoded"
    try:
        for header in sent.items():
            check_header_validity(header)
        # No cookies, and no redirects: one would send the key elsewhere, and make a GET of a POST.
        response = connections.urlopen(
            method.upper(),
            url,
            body,
            sent,
            timeout=timeout,
            retries=False,
            redirect=False,
            assert_same_host=False,
        )
        status = response.status
    finally:
        if call_made.has_listeners():
            seconds = time.monotonic() - began
            tell_receivers(call_made, None, call=call, status=status, seconds=seconds)
    with suppress(ValueError, RecursionError):
        if isinstance(json.loads(response.data), dict):
            return Reply(response.status, response.data)
    is_html = "html" in response.headers.get("Content-Type", "").lower()
    is_empty_error = response.status >= 400 and not response.data
    if is_html or is_empty_error or 300 <= response.status < 400:
        raise ForeignReply(response.status)
    raise BasketUnavailable(response.status)


def fan_out(
    function: Callable[..., Value], arguments: Iterable[Sequence[Any]]
) -> list[Value | BasketError]:
    """
    Call a function once for each tuple of arguments, side by side; return results in order.

    A ``BasketError`` is returned, not raised. The switch is read here, in the
    calling thread, before the first call and while calls run: no thread of the
    pool asks the database, and no request starts after the switch was seen
    off. None starts either once Basket has failed ``BASKET_BREAKER_FAILURES``
    times in a row, or has refused the site. Calls that were not made are
    ``BasketSwitchedOff`` or ``BreakerOpen``.
    """
    jobs = list(arguments)
    if len(jobs) < 2:
        return [outcome_of(function, *job) for job in jobs]
    fan = FanOut()
    futures: list[Future[Value | BasketError]] = []
    try:
        if fan.read_switch():
            with _making:
                pool = _pool()
            futures += [pool.submit(copy_context().run, fan.run, function, job) for job in jobs]
        fan.watch_switch(len(futures))
    finally:
        fan.stop(BasketSwitchedOff)
        wait(futures)
    return [each.result() for each in futures] or [BasketSwitchedOff() for _job in jobs]


def outcome_of(function: Callable[..., Value], *arguments: Any) -> Value | BasketError:
    """Return what a function returns, or the error that it raises, as a ``BasketError``."""
    try:
        return function(*arguments)
    except BasketError as error:
        return error.with_traceback(None)
    except Exception as error:  # noqa: BLE001 - a fault on this side concerns one contact only
        return unexpected(error)


def unexpected(error: Exception) -> StepFailed:
    """Log a fault of this side by its class and place alone: its text may quote an address."""
    text = f"{type(error).__module__}.{type(error).__qualname__}"
    for frame, line in [*walk_tb(error.__traceback__)][-1:]:
        module = frame.f_globals.get("__name__", "?")
        text += f" in {module}.{frame.f_code.co_name}, line {line}"
    logger.error("An error on this side: %s.", text)
    return StepFailed(text)


_telling: ContextVar[bool] = ContextVar("basket_tells_receivers", default=False)
# Django's own line about a receiver that failed quotes the text of the error.
logging.getLogger("django.dispatch").addFilter(lambda _record: not _telling.get())


def tell_receivers(signal: Signal, sender: Any, **told: Any) -> None:
    """Send a signal; errors of its receivers are logged by their class and place."""
    mark = _telling.set(True)
    try:
        answers = signal.send_robust(sender, **told)
    except Exception as error:  # noqa: BLE001 - Django cannot name each kind of receiver
        unexpected(error.__context__ if isinstance(error.__context__, Exception) else error)
        return
    finally:
        _telling.reset(mark)
    for _receiver, answer in answers:
        if isinstance(answer, Exception):
            unexpected(answer)


class FanOut:
    """Calls that run side by side, and whether another one may start."""

    _read_at = _on_at = float("-inf")
    """When any share of this process last began to read the switch, and when it was on then."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._on_until = float("-inf")
        self._stopped_by: type[BasketError] | None = None
        self._failures = 0
        self._done: SimpleQueue[None] = SimpleQueue()

    def read_switch(self, *, again: bool = False) -> bool:
        """
        Read the switch, and let calls start for a moment if it is on.

        :param again: not for the first time; another share's reading will do, if it has just begun.
        """
        if self._stopped_by is not None:
            return False
        began = time.monotonic()
        if again and began - FanOut._read_at < SWITCH_EVERY:
            on_until = FanOut._on_at + SWITCH_SEEN
        else:
            FanOut._read_at = began
            if not call_is_allowed():
                self.stop(BasketSwitchedOff)
                return False
            FanOut._on_at = began
            on_until = max(began + SWITCH_SEEN, time.monotonic() + SWITCH_GRACE)
        with self._changed:
            self._on_until = max(self._on_until, on_until)
            self._changed.notify_all()
        return True

    def watch_switch(self, number: int) -> None:
        """
        Read the switch again and again until so many jobs are done.

        ``concurrent.futures.wait`` must not be interrupted: a soft time limit that is raised
        while it has the locks of all futures would keep their threads waiting for ever.
        """
        read_again = time.monotonic() + SWITCH_EVERY
        while number:
            with suppress(Empty):
                self._done.get(timeout=max(read_again - time.monotonic(), 0.001))
                number -= 1
            if time.monotonic() >= read_again:
                self.read_switch(again=True)
                read_again = time.monotonic() + SWITCH_EVERY

    def stop(self, error: type[BasketError]) -> None:
        """Let no other call start; a call that tries raises this error."""
        with self._changed:
            self._stopped_by = self._stopped_by or error
            self._changed.notify_all()

    def wait_for_permission(self) -> None:
        """Return once a request may start; the calling thread of the share sees to that."""
        with self._changed:
            while self._stopped_by is None and time.monotonic() > self._on_until:
                self._changed.wait()
            if self._stopped_by is not None:
                raise self._stopped_by

    def run(self, function: Callable[..., Value], job: Sequence[Any]) -> Value | BasketError:
        """Run one job in a thread of the pool."""
        try:
            return self._run(function, job)
        finally:
            self._done.put(None)

    def _run(self, function: Callable[..., Value], job: Sequence[Any]) -> Value | BasketError:
        if self._stopped_by is not None:
            return self._stopped_by()
        _fan_out.set(self)  # each job runs in its own context
        outcome = outcome_of(function, *job)
        with self._changed:
            if isinstance(outcome, BasketUnavailable) and outcome.status != 429:
                self._failures += 1
            elif not isinstance(outcome, BasketError):
                self._failures = 0
            too_many = self._failures >= conf.BREAKER_FAILURES
        if too_many or isinstance(outcome, BasketMisconfigured):
            self.stop(BreakerOpen)
        return outcome


@lru_cache(maxsize=1)
def _connections(url: str) -> tuple[urllib3.HTTPConnectionPool, str]:
    """
    Return the connections that threads share, and what each path of a request begins with.

    requests reads proxies and certificates of the environment, once, and urllib3 sends: a
    whole call through requests takes 0.7 ms of CPU, and this 0.4 (measured).
    """
    adapter = HTTPAdapter(pool_maxsize=conf.CONCURRENCY)
    found = requests.Session().merge_environment_settings(url, {}, None, None, None)
    proxies, verify, cert = found["proxies"], found["verify"], found["cert"]
    root = requests.Request("GET", url).prepare()
    pool: Any = adapter.get_connection_with_tls_context(root, verify, proxies, cert)
    adapter.cert_verify(pool, url, verify, cert)  # type: ignore[no-untyped-call]
    # An HTTP proxy is asked for whole URLs.
    return pool, adapter.request_url(root, proxies).rstrip("/")


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    """Return the threads, made at the first call."""
    return ThreadPoolExecutor(conf.CONCURRENCY, thread_name_prefix="basket")


def _begin_process() -> None:
    """Share no sockets, threads or held lock with the parent process."""
    global _making
    _making = threading.Lock()
    _connections.cache_clear()
    _pool.cache_clear()


_making = threading.Lock()
os.register_at_fork(after_in_child=_begin_process)
