"""Calls one by one and in parallel, and the errors that stop the calls of a share."""

import gzip
import os
import signal
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import basket as basket_client
import pytest
from django.db import connection, connections
from waffle import get_waffle_switch_model
from waffle.testutils import override_switch

from mozillians_basket.client import calls, transport
from mozillians_basket.conf import SWITCH, conf
from mozillians_basket.exceptions import (
    BasketError,
    BasketMisconfigured,
    BasketRefused,
    BasketSwitchedOff,
    BasketUnavailable,
    BreakerOpen,
    StepFailed,
)
from mozillians_basket.rules.answers import Person
from mozillians_basket.sandbox.testing import SandboxServer
from project.processes import wait_until
from tests.client.conftest import EMAIL, FOUND, TOKEN, Server

#: A self-signed certificate for 127.0.0.1, with its key.
CERTIFICATE = Path(__file__).with_name("certificate.pem")


def emails(count: int) -> list[tuple[str]]:
    return [(f"member{number}@example.com",) for number in range(count)]


def kinds(results: Iterable[object]) -> set[type]:
    return {type(each) for each in results}


@contextmanager
def switch_row_turned_off_once(condition: Callable[[], object]) -> Iterator[list[float]]:
    """
    Turn the switch's row off before its next reading, once the condition is true.

    Waffle's cache does not notice. The returned list gets the time of the change.
    """
    done: list[float] = []

    def before(execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        if "waffle_switch" in sql and sql.startswith("SELECT") and not done and condition():
            execute("UPDATE waffle_switch SET active = %s", [False], False, context)
            done.append(time.monotonic())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(before):
        yield done


def test_lookup_is_a_get_with_the_key_in_a_header(server: Server) -> None:
    server.answers(200, gzip.compress(FOUND.encode()), Content_Encoding="gzip")

    person = calls.look_up(EMAIL)

    [request] = server.received
    assert request.line == "GET /api/v1/users/lookup/?email=member%2B1%40example.com HTTP/1.1"
    assert (request.headers["X-Api-Key"], request.body) == ("a-key", "")
    assert person == Person(EMAIL, TOKEN)


def test_lookup_by_token_has_the_key_in_a_header(server: Server) -> None:
    calls.look_up_token(TOKEN)

    [request] = server.received
    assert request.line == f"GET /api/v1/users/lookup/?token={TOKEN} HTTP/1.1"
    assert request.headers["X-Api-Key"] == "a-key"


def test_unsubscribe_sends_no_address(server: Server) -> None:
    calls.unsubscribe(TOKEN, ["b", "a"])

    [request] = server.received
    assert request.line == f"POST /news/unsubscribe/{TOKEN}/ HTTP/1.1"
    assert parse_qs(request.body, keep_blank_values=True) == {"newsletters": ["a,b"]}


def test_no_cookie_is_kept(server: Server) -> None:
    server.answers(200, FOUND, Set_Cookie="who=me")

    calls.look_up(EMAIL)
    calls.look_up(EMAIL)

    assert [request.headers["Cookie"] for request in server.received] == [None, None]


@pytest.mark.parametrize("status", [301, 302, 307])
@pytest.mark.parametrize("location", ["/elsewhere/", "http://[not-a-host"])
def test_redirect_is_not_followed(server: Server, status: int, location: str) -> None:
    server.answers(status, "", Location=location)

    with pytest.raises(BasketMisconfigured):
        calls.look_up(EMAIL)
    with pytest.raises(BasketUnavailable):
        calls.subscribe(EMAIL, ["mozilla-phone"], {})

    assert len(server.received) == 2


def test_nothing_is_tried_twice(basket: SandboxServer) -> None:
    basket.fail(kind="drop", times=2)

    with pytest.raises(BasketUnavailable):
        calls.look_up(EMAIL)
    with pytest.raises(BasketUnavailable):
        calls.subscribe(EMAIL, ["mozilla-phone"], {})

    assert [request.endpoint for request in basket.requests] == ["lookup", "subscribe"]


def test_one_connection_serves_many_calls(basket: SandboxServer) -> None:
    calls.look_up(EMAIL)
    basket.clear_requests()

    for _ in range(5):
        calls.look_up(EMAIL)

    assert [request.new_connection for request in basket.requests] == [False] * 5


def test_calls_side_by_side_keep_their_connections(server: Server) -> None:
    server.hold(until=20)
    transport.fan_out(calls.look_up, emails(20))
    known = {request.client for request in server.received}

    transport.fan_out(calls.look_up, emails(20))

    assert len(known) == 20
    assert len(server.received) == 40
    assert {request.client for request in server.received} == known


def test_proxy_of_the_environment_is_used(
    server: Server, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.BASKET_URL = "http://basket.example.org"
    monkeypatch.setenv("http_proxy", server.url.replace("http://", "http://me:secret@"))

    calls.look_up(EMAIL)

    [request] = server.received
    assert request.line.startswith("GET http://basket.example.org/api/v1/users/lookup/?email=")
    assert request.headers["Proxy-Authorization"].startswith("Basic ")


def test_environment_may_leave_basket_out_of_the_proxy(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    assert calls.look_up(EMAIL) == Person(EMAIL, TOKEN)


def test_authorities_of_the_environment_are_used(
    server: Server, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings.BASKET_URL = "https://127.0.0.1:1"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))

    with pytest.raises(StepFailed, match="OSError"):
        calls.look_up(EMAIL)


@pytest.fixture
def secure_server(server: Server, settings: Any) -> Server:
    """The server behind TLS, with a certificate that only the tests know."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    settings.BASKET_URL = server.url.replace("http://", "https://")
    return server


def test_certificate_of_an_unknown_authority_is_not_trusted(secure_server: Server) -> None:
    with pytest.raises(BasketUnavailable):
        calls.look_up(EMAIL)

    assert secure_server.received == []


def test_certificate_of_an_authority_of_the_environment_is_trusted(
    secure_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))

    assert calls.look_up(EMAIL) == Person(EMAIL, TOKEN)


def test_another_url_is_used_at_once(server: Server, settings: Any) -> None:
    calls.look_up(EMAIL)
    settings.BASKET_URL = server.url.replace("127.0.0.1", "localhost")

    calls.look_up(EMAIL)

    hosts = [request.headers["Host"].partition(":")[0] for request in server.received]
    assert hosts == ["127.0.0.1", "localhost"]


def test_site_s_own_calls_pass_through(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(basket_client.base, "BASKET_URL", server.url)

    with override_switch(SWITCH, active=False):
        found = basket_client.lookup_user(email=EMAIL, api_key="another")

    [request] = server.received
    assert request.headers["X-Api-Key"] == "another"
    assert found["token"] == TOKEN


def test_results_come_in_order_whatever_happens_to_each(basket: SandboxServer) -> None:
    for number, (email,) in enumerate(emails(30)):
        basket.put_person(email, newsletters=["mozilla-phone"] if number % 2 else [])
    basket.fail("lookup", email="member3@example.com", status=400, code=2)

    results = transport.fan_out(calls.look_up, emails(30))

    assert isinstance(results[3], BasketRefused)
    found = {number: each.email for number, each in enumerate(results) if isinstance(each, Person)}
    assert found == {number: email for number, (email,) in enumerate(emails(30)) if number != 3}


def test_calls_run_side_by_side(server: Server) -> None:
    server.hold(until=20)

    transport.fan_out(calls.look_up, emails(20))

    assert server.answering.is_set()
    assert len(server.received) == 20


def test_nothing_to_do_is_no_call(basket: SandboxServer) -> None:
    assert transport.fan_out(calls.look_up, []) == []
    assert basket.requests == []


@pytest.mark.parametrize("count", [1, 2])
def test_fault_of_this_side_fails_one_contact_only(
    basket: SandboxServer, caplog: pytest.LogCaptureFixture, count: int
) -> None:
    def look_up(email: str) -> Person | None:
        if email == "member0@example.com":
            raise KeyError(email)
        return calls.look_up(email)

    results = transport.fan_out(look_up, emails(count))

    assert isinstance(results[0], StepFailed)
    assert results[1:] == [None] * (count - 1)
    assert "builtins.KeyError" in caplog.text
    assert "member0" not in caplog.text + str(results[0])


def test_threads_open_no_database_connection(basket: SandboxServer) -> None:
    def look_up(email: str) -> tuple[bool, list[Any]]:
        calls.look_up(email)
        here = threading.current_thread() is threading.main_thread()
        return here, [c.alias for c in connections.all() if c.connection is not None]

    results = transport.fan_out(look_up, emails(5))

    assert results == [(False, [])] * 5


def test_page_s_patience_holds_side_by_side_too(server: Server) -> None:
    server.hold()
    began = time.monotonic()

    with transport.within(0.1):
        results = transport.fan_out(calls.look_up, emails(2))

    assert kinds(results) == {BasketUnavailable}
    assert time.monotonic() - began < conf.TIMEOUT / 2


@pytest.mark.parametrize("count", [1, 2])
def test_switch_that_is_off_lets_no_call_start(basket: SandboxServer, count: int) -> None:
    with override_switch(SWITCH, active=False):
        results = transport.fan_out(calls.look_up, emails(count))

    assert kinds(results) == {BasketSwitchedOff}
    assert basket.requests == []


@pytest.mark.parametrize("count", [1, 2])
def test_switch_row_that_is_off_counts_whatever_the_cache_says(
    basket: SandboxServer, settings: Any, count: int
) -> None:
    settings.WAFFLE_CACHE_NAME = "default"  # a cache that does not forget within the test
    assert transport.switch_is_on()

    with switch_row_turned_off_once(lambda: True):
        results = transport.fan_out(calls.look_up, emails(count))

    assert transport.switch_is_on()
    assert kinds(results) == {BasketSwitchedOff}
    assert basket.requests == []


@pytest.fixture
def answers_after_the_stop(server: Server, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return a function that holds the server's answers back until a share is stopped."""
    stop = transport.FanOut.stop

    def stop_and_answer(fan: transport.FanOut, error: type[BasketError]) -> None:
        stop(fan, error)
        server.answering.set()

    monkeypatch.setattr(transport.FanOut, "stop", stop_and_answer)
    return server.hold


def test_switch_turned_off_during_a_share_stops_further_calls(
    server: Server, answers_after_the_stop: Callable[[], None]
) -> None:
    answers_after_the_stop()

    with switch_row_turned_off_once(lambda: len(server.received) == 20):
        results = transport.fan_out(calls.look_up, [(EMAIL,)] * 60)

    assert results[:20] == [Person(EMAIL, TOKEN)] * 20
    assert kinds(results[20:]) == {BasketSwitchedOff}
    assert len(server.received) == 20


@pytest.mark.parametrize("count", [1, 2])
def test_switch_turned_off_during_the_first_call_stops_the_second_of_the_same_job(
    server: Server, answers_after_the_stop: Callable[[], None], count: int
) -> None:
    if count > 1:  # a call alone is no share
        answers_after_the_stop()

    def look_up_twice(email: str) -> Person | None:
        calls.look_up_token(TOKEN)
        return calls.look_up(email)

    with switch_row_turned_off_once(lambda: len(server.received) == count):
        results = transport.fan_out(look_up_twice, emails(count))

    assert kinds(results) == {BasketSwitchedOff}
    assert [request.line.split("=")[0][-5:] for request in server.received] == ["token"] * count


class Clock:
    """Notes which reading of the clock allowed each call of a share, and those of this thread."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.allowed: list[float] = []
        self.here: list[float] = []
        self._last = threading.local()
        wait_for_permission = transport.FanOut.wait_for_permission

        def wait_and_note(fan: transport.FanOut) -> None:
            wait_for_permission(fan)
            self.allowed.append(self._last.reading)

        monkeypatch.setattr(transport.FanOut, "wait_for_permission", wait_and_note)
        monkeypatch.setattr(transport, "time", self)

    def monotonic(self) -> float:
        self._last.reading = reading = time.monotonic()
        if threading.current_thread() is threading.main_thread():
            self.here.append(reading)
        return reading


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Clock:
    """
    The clock that decides when calls may start.

    A busy machine may carry out a call long after it was allowed.
    """
    settings.WAFFLE_CACHE_NAME = "default"  # filled once: each further reading is one of the row
    return Clock(monkeypatch)


def test_no_call_starts_later_than_a_tenth_of_a_second_after_the_switch_was_turned_off(
    server: Server, clock: Clock
) -> None:
    server.seconds = 0.02
    began = time.monotonic()
    turned_off: list[float] = []

    def right_after_it_was_read(execute: Any, sql: str, params: Any, *more: Any) -> Any:
        read = execute(sql, params, *more)
        if "waffle_switch" in sql and not turned_off and time.monotonic() > began + 0.3:
            turned_off.append(time.monotonic())
            get_waffle_switch_model().objects.update(active=False)
        return read

    with connection.execute_wrapper(right_after_it_was_read):
        results = transport.fan_out(calls.look_up, [(EMAIL,)] * 2000)

    [moment] = turned_off
    seen_on = next(reading for reading in clock.here if reading > moment)
    latest = max(moment + 0.1, seen_on + transport.SWITCH_GRACE)  # if this thread was held up
    assert BasketSwitchedOff in kinds(results)
    assert moment < max(clock.allowed) <= latest
    assert len(server.received) == len(clock.allowed)


def test_calls_wait_while_the_switch_cannot_be_read(server: Server, clock: Clock) -> None:
    """A database that answers late may be about to say that the switch is off."""
    server.seconds = 0.02
    reads: list[float] = []

    def slow_once(execute: Any, sql: str, params: Any, *more: Any) -> Any:
        if "waffle_switch" in sql and not reads and server.received:
            reads.append(time.monotonic())
            time.sleep(0.5)
        return execute(sql, params, *more)

    with connection.execute_wrapper(slow_once):
        transport.fan_out(calls.look_up, [(EMAIL,)] * 600)

    moments = [moment - reads[0] for moment in clock.allowed]
    assert [moment for moment in moments if 0.1 < moment < 0.5] == []
    assert min(moments) < 0 < 0.5 < max(moments)
    assert len(moments) == len(server.received) == 600


def test_database_that_fails_during_a_share_ends_it_after_the_calls_under_way(
    server: Server, answers_after_the_stop: Callable[[], None]
) -> None:
    answers_after_the_stop()
    ended: list[str] = []

    def look_up(email: str) -> None:
        calls.look_up(email)
        ended.append(email)

    def failing(execute: Any, sql: str, params: Any, *more: Any) -> Any:
        if "waffle_switch" in sql and len(server.received) == 20:
            raise OSError
        return execute(sql, params, *more)

    with connection.execute_wrapper(failing), pytest.raises(OSError, match=r"^$"):
        transport.fan_out(look_up, [(EMAIL,)] * 60)

    assert len(ended) == len(server.received) == 20


def test_failures_in_a_row_stop_a_share(basket: SandboxServer, settings: Any) -> None:
    settings.BASKET_BREAKER_FAILURES = 3
    basket.fail("lookup", status=500, code=6)

    results = transport.fan_out(calls.look_up, emails(200))

    failed = [each for each in results if isinstance(each, BasketUnavailable)]
    assert kinds(results) == {BasketUnavailable, BreakerOpen}
    assert len(failed) == len(basket.requests) < 60


def test_some_failures_among_others_do_not_stop_a_share(
    basket: SandboxServer, settings: Any
) -> None:
    settings.BASKET_BREAKER_FAILURES = 5
    basket.fail("lookup", email="*7@example.com", status=500, code=6)

    results = transport.fan_out(calls.look_up, emails(100))

    assert kinds(results[7::10]) == {BasketUnavailable}
    assert kinds(results) == {BasketUnavailable, type(None)}


@pytest.mark.parametrize(
    ("status", "code", "expected"), [(429, 5, BasketUnavailable), (400, 2, BasketRefused)]
)
def test_answers_that_concern_one_contact_do_not_stop_a_share(
    basket: SandboxServer, status: int, code: int, expected: type[BasketError]
) -> None:
    basket.fail("lookup", status=status, code=code)

    results = transport.fan_out(calls.look_up, emails(60))

    assert kinds(results) == {expected}
    assert len(basket.requests) == 60


def test_wrong_key_stops_a_share_at_once(basket: SandboxServer, settings: Any) -> None:
    settings.BASKET_API_KEY = "wrong"

    results = transport.fan_out(calls.look_up, emails(200))

    assert kinds(results) == {BasketMisconfigured, BreakerOpen}
    assert len(basket.requests) < 60


def test_several_threads_share_the_calls_of_a_process(basket: SandboxServer) -> None:
    basket.latency = 0.02
    found: dict[str, Any] = {}
    shares = {name: [(f"{name}{number}@example.com",) for number in range(30)] for name in "abc"}

    def echo(email: str) -> tuple[str, Person | None]:
        return email, calls.look_up(email)

    def allowed(name: str) -> None:
        found[name] = transport.fan_out(echo, shares[name])
        connection.close()

    with pytest.MonkeyPatch.context() as patch:
        # The switch is on in this test's own transaction, which other threads cannot see.
        patch.setattr(transport, "call_is_allowed", lambda: True)
        threads = [threading.Thread(target=allowed, args=(name,)) for name in shares]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

    assert found == {name: [(email, None) for (email,) in share] for name, share in shares.items()}


def test_shares_of_a_process_take_turns_to_read_the_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    readings: list[float] = []
    is_on = [True]
    clock = SimpleNamespace(now=time.monotonic() - 10)
    clock.monotonic = lambda: clock.now
    monkeypatch.setattr(transport, "time", clock)

    def read() -> bool:
        readings.append(clock.now)
        return is_on[0]

    monkeypatch.setattr(transport, "call_is_allowed", read)
    one, other = transport.FanOut(), transport.FanOut()
    began = clock.now
    assert one.read_switch()
    assert other.read_switch()
    clock.now = began + 0.06
    assert one.read_switch(again=True)
    assert other.read_switch(again=True)

    is_on[0] = False
    clock.now = began + 0.12
    assert not one.read_switch(again=True)
    assert other.read_switch(again=True)  # it learns that a little later
    other.wait_for_permission()
    clock.now = began + 0.18
    assert not other.read_switch(again=True)

    assert [round(moment - began, 2) for moment in readings] == [0, 0, 0.06, 0.12, 0.18]
    with pytest.raises(BasketSwitchedOff):
        other.wait_for_permission()


PROGRAM = """
    import os, sys
    import django
    from django.conf import settings
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "waffle"],
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        BASKET_URL=sys.argv[1],
        BASKET_API_KEY="a-key",
    )
    django.setup()
    from django.core.management import call_command
    call_command("migrate", verbosity=0)
    from waffle.models import Switch
    Switch.objects.create(name="BASKET_SWITCH_ENABLED", active=True)
    from mozillians_basket.client import calls, transport

    def look_up_some():
        people = transport.fan_out(calls.look_up, [("member+1@example.com",)] * 30)
        assert len({person.token for person in people}) == 1, people
        os.write(1, f"found {len(people)}\\n".encode())  # as a whole: processes share the pipe
"""


@contextmanager
def started(program: str, url: str, before: str = "") -> Iterator[subprocess.Popen[str]]:
    """Run a program in a process of its own, which ends with the block."""
    code = textwrap.dedent(before) + textwrap.dedent(PROGRAM) + textwrap.dedent(program)
    process = subprocess.Popen(
        [sys.executable, "-c", code, url],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def printed_by(process: subprocess.Popen[str]) -> list[str]:
    """Wait for the end of a program; return its output."""
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return out.split("\n")[:-1]


def run(program: str, url: str, before: str = "") -> list[str]:
    """Run a program to its end; return its output."""
    with started(program, url, before) as process:
        return printed_by(process)


def test_forked_process_makes_calls_of_its_own(server: Server) -> None:
    printed = run(
        """
        look_up_some()
        child = os.fork()
        look_up_some()
        if not child:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        """,
        server.url,
    )

    assert printed == ["found 30"] * 3


def test_process_ends_although_calls_are_left(server: Server) -> None:
    server.seconds = 2
    program = """
        import signal
        signal.signal(signal.SIGALRM, lambda *_: sys.exit(0))
        transport.fan_out(calls.look_up, [("member+1@example.com",)] * 1000)
    """

    with started(program, server.url) as process:
        wait_until(lambda: len(server.received) == 20, timeout=60, what="the first calls")
        process.send_signal(signal.SIGALRM)
        asked_at = time.monotonic()
        printed = printed_by(process)

    assert printed == []
    assert len(server.received) == 20
    assert time.monotonic() - asked_at < 15


@pytest.mark.services  # it takes seconds: in thousands of jobs, the signal hits one at work
def test_error_raised_by_a_signal_leaves_no_thread_waiting(server: Server) -> None:
    program = """
        import random, signal, time
        from django.db import connection
        signal.signal(signal.SIGALRM, lambda *_: 1 / 0)  # as Celery raises a soft time limit
        for _ in range(6):
            readings = 0
            def interrupt(execute, *query):
                global readings
                readings += 1
                if readings == 3:  # not the first reading, which comes before the jobs
                    signal.setitimer(signal.ITIMER_REAL, random.uniform(0.001, 0.06))
                return execute(*query)
            try:
                with connection.execute_wrapper(interrupt):
                    transport.fan_out(time.sleep, [(0.2,)] * 20_000)
            except ZeroDivisionError:
                print("interrupted")
    """

    assert run(program, server.url) == ["interrupted"] * 6


@pytest.mark.services  # `make test` installs no gevent
def test_calls_run_side_by_side_under_gevent(server: Server) -> None:
    server.hold(until=20)

    printed = run("look_up_some()", server.url, "from gevent.monkey import patch_all; patch_all()")

    assert printed == ["found 30"]
    assert server.answering.is_set()
