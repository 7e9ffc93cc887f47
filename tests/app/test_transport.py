"""How calls leave: as basket-client means them, by the environment's proxies and certificates."""

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import basket as basket_client
import pytest
from waffle.testutils import override_switch

from mozillians_basket import client, transport
from mozillians_basket.conf import SWITCH
from mozillians_basket.exceptions import BasketMisconfigured

EMAIL = "member+1@example.com"
TOKEN = "0a1b2c3d-0000-4000-8000-000000000000"
FOUND = f'{{"status": "ok", "email": "{EMAIL}", "token": "{TOKEN}", "newsletters": []}}'


class Recorder(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        size = int(self.headers.get("Content-Length") or 0)
        self.server.seen.append((self.requestline, self.headers, self.rfile.read(size).decode()))
        body = gzip.compress(FOUND.encode())
        self.send_response(self.server.status)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Location", "http://elsewhere.example.org/")
        self.send_header("Set-Cookie", "who=me")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer  # noqa: N815 - the names that the library looks for

    def log_message(self, *args):
        pass


@pytest.fixture
def server(settings, switch_on, monkeypatch):
    """A server that keeps what it is sent and knows everybody, as if it were Basket."""
    monkeypatch.setattr(transport, "_route", None)
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), Recorder) as server:
        server.daemon_threads = True
        server.seen, server.status = [], 200
        server.url = f"http://127.0.0.1:{server.server_port}"
        settings.BASKET_URL = server.url
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def test_a_lookup_is_a_get_with_the_key_in_a_header(server, settings):
    person = client.look_up(EMAIL)

    ((line, headers, body),) = server.seen
    assert line == "GET /api/v1/users/lookup/?email=member%2B1%40example.com HTTP/1.1"
    assert headers["X-Api-Key"] == settings.BASKET_API_KEY
    assert body == ""
    assert person.token == TOKEN  # from an answer that was packed


def test_a_subscribe_is_a_form(server):
    client.subscribe(EMAIL, ["mozilla-phone"])

    ((line, headers, body),) = server.seen
    assert line == "POST /news/subscribe/ HTTP/1.1"
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(body) == {
        "email": [EMAIL],
        "newsletters": ["mozilla-phone"],
        "optin": ["Y"],
        "sync": ["Y"],
        "trigger_welcome": ["N"],
    }


def test_no_cookie_is_sent_back(server):
    client.look_up(EMAIL)
    client.look_up(EMAIL)

    assert [headers["Cookie"] for _line, headers, _body in server.seen] == [None, None]


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirect_is_not_followed(server, status):
    server.status = status

    with pytest.raises(BasketMisconfigured):
        client.subscribe(EMAIL, ["mozilla-phone"])

    assert len(server.seen) == 1


def test_the_environment_s_proxy_is_used(server, settings, monkeypatch):
    settings.BASKET_URL = "http://basket.example.org"
    monkeypatch.setenv("http_proxy", server.url.replace("http://", "http://me:secret@"))

    client.look_up(EMAIL)

    ((line, headers, _body),) = server.seen
    assert line.startswith("GET http://basket.example.org/api/v1/users/lookup/?email=")
    assert headers["Proxy-Authorization"].startswith("Basic ")


def test_the_environment_may_leave_basket_out_of_the_proxy(server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    assert client.look_up(EMAIL).token == TOKEN


def test_certificates_are_checked_by_the_environment_s_authorities(tmp_path, monkeypatch):
    authorities = tmp_path / "authorities.pem"
    authorities.write_text("")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authorities))

    pool = transport._new_route("https://basket.example.org").pool

    assert (pool.scheme, pool.host, pool.cert_reqs) == (
        "https",
        "basket.example.org",
        "CERT_REQUIRED",
    )
    assert pool.ca_certs == str(authorities)


def test_another_url_is_another_route(server, settings):
    client.look_up(EMAIL)
    settings.BASKET_URL = server.url.replace("127.0.0.1", "localhost")

    client.look_up(EMAIL)

    hosts = [headers["Host"].partition(":")[0] for _line, headers, _body in server.seen]
    assert hosts == ["127.0.0.1", "localhost"]


def test_the_site_s_own_calls_are_its_own_business(server, monkeypatch):
    monkeypatch.setattr(basket_client.base, "BASKET_URL", server.url)

    with override_switch(SWITCH, active=False):
        found = basket_client.lookup_user(email=EMAIL, api_key="another")

    ((_line, headers, _body),) = server.seen
    assert headers["X-Api-Key"] == "another"
    assert found["token"] == TOKEN
