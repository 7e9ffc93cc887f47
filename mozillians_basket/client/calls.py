"""Calls to Basket through basket-client. No other module calls it."""

import re
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import basket
import basket.base
import requests
import urllib3
from basket import errors

from mozillians_basket.client import transport
from mozillians_basket.conf import conf
from mozillians_basket.exceptions import (
    BasketError,
    BasketMisconfigured,
    BasketRefused,
    BasketUnavailable,
    NewsletterNotFound,
    StepFailed,
)
from mozillians_basket.redaction import protect_logs
from mozillians_basket.rules.answers import BLOCKED_DOMAIN, Person
from mozillians_basket.rules.evaluate import contact_key

_TEMPORARY_CODES = {
    errors.BASKET_NETWORK_FAILURE,
    errors.BASKET_EMAIL_PROVIDER_AUTH_FAILURE,
    errors.BASKET_MAINTENANCE_ERROR,
}
_TEMPORARY_STATUSES = {0, 408, 425, 429}
_CONFIGURATION_CODES = {errors.BASKET_AUTH_ERROR, errors.BASKET_SSL_REQUIRED}
_UNKNOWN_PERSON_CODES = {errors.BASKET_UNKNOWN_EMAIL, errors.BASKET_UNKNOWN_TOKEN}

#: Errors about a wrong BASKET_URL, BASKET_API_KEY or proxy; nothing was sent.
_WRONG_SETTINGS = (requests.exceptions.RequestException, urllib3.exceptions.LocationValueError)

#: Tokens that fit into the path of a call and into the ledger's column.
_TOKEN = re.compile(r"[0-9A-Za-z_-]{1,64}")

#: The name of the call of this app that is being made; empty for calls of the site's own.
_call: ContextVar[str] = ContextVar("basket_call_of_this_app", default="")


def look_up(email: str) -> Person | None:
    """
    Return the person that Basket has under this address; ``None`` for nobody.

    One GET of ``/api/v1/users/lookup/``, with the API key.

    :raises BasketSwitchedOff: the switch is off; the request was not sent.
    :raises BasketUnavailable: Basket is out of reach or fails.
    :raises BasketMisconfigured: Basket refuses this site, or ``BASKET_URL`` is not Basket's.
    :raises BasketRefused: Basket refuses this address.
    :raises StepFailed: something is wrong on this side.
    """
    answer = _ask_basket(
        "lookup",
        lambda: basket.lookup_user(email=email, api_key=conf.API_KEY),
        may_be_nobody=True,
        shows_wrong_url=True,
    )
    person = _person(answer)
    if person is not None and contact_key(person.email) != contact_key(email):
        raise StepFailed("Basket answered for another address.")  # concerns this contact only
    return person


def look_up_token(token: str) -> Person | None:
    """
    Return the person with this token, under any address; ``None`` for nobody.

    One GET of ``/api/v1/users/lookup/``. basket-client sends no key with a
    token; it is added, as Basket masks the address without one (measured).

    :raises BasketError: as :func:`look_up`.
    """
    answer = _ask_basket("lookup", lambda: basket.lookup_user(token=token), may_be_nobody=True)
    person = _person(answer)
    if person is not None and "*" in person.email.rpartition("@")[2]:
        raise BasketUnavailable(200)
    return person


def subscribe(email: str, newsletters: Iterable[str], fields: Mapping[str, str]) -> str:
    """
    Subscribe one address to newsletters, in one call; return the person's token.

    With ``sync=Y``, so the call is done when it answers, but for read-only
    maintenance (Newsletter API, /news/subscribe).

    :param fields: more of Basket's fields, such as ``country`` and ``lang``.
    :raises NewsletterNotFound: Basket does not know one of the newsletters.
    :raises BasketRefused: also for a blocked domain: Basket says "ok", sends no token
        and stores nothing (measured).
    :raises BasketError: as :func:`look_up`.
    """
    sent = dict(fields)
    sent["optin"] = "Y" if conf.OPTIN else "N"
    sent["trigger_welcome"] = "Y" if conf.TRIGGER_WELCOME else "N"
    if conf.SOURCE_URL:
        sent.setdefault("source_url", conf.SOURCE_URL)
    sent |= {"sync": "Y", "api_key": conf.API_KEY}
    names = ",".join(sorted(newsletters))
    answer = _expected(_ask_basket("subscribe", lambda: basket.subscribe(email, names, **sent)))
    if not answer.get("token"):
        raise BasketRefused(BLOCKED_DOMAIN)
    return _token(answer)


def unsubscribe(token: str, newsletters: Iterable[str]) -> None:
    """
    Unsubscribe the person with this token from newsletters, in one call. Basket queues it.

    No address is sent: Basket would write it into the person's record, unchecked
    (measured).

    :raises NewsletterNotFound: Basket does not know one of the newsletters.
    :raises BasketError: as :func:`look_up`.
    """
    names = ",".join(sorted(newsletters))
    _expected(_ask_basket("unsubscribe", lambda: basket.unsubscribe(token, None, names)))


def recover(email: str) -> bool:
    """
    Have Basket mail a person its link to their subscriptions; false if it knows nobody.

    One POST of ``/news/recover/``. Basket says "ok" for a blocked domain too, and
    sends nothing (measured).

    :raises BasketError: as :func:`look_up`.
    """
    answer = _ask_basket("recover", lambda: basket.send_recovery_message(email), may_be_nobody=True)
    return answer is not None and bool(_expected(answer))


def catalogue() -> dict[str, dict[str, Any]]:
    """
    Return Basket's newsletters by slug, private and inactive ones included.

    One GET of ``/api/v1/news/newsletters/``. The fields worth knowing are
    ``title``, ``active``, ``private`` and ``requires_double_optin``.

    :raises BasketError: as :func:`look_up`.
    """
    answer = _ask_basket(
        "newsletters", lambda: basket.base.request("get", "news.newsletters"), shows_wrong_url=True
    )
    match answer:
        case {"newsletters": dict(newsletters)}:
            if all(isinstance(each, dict) for each in newsletters.values()):
                return newsletters
    raise BasketUnavailable(200)


def _ask_basket(
    name: str,
    call: Callable[[], Any],
    *,
    may_be_nobody: bool = False,
    shows_wrong_url: bool = False,
) -> Any:
    """
    Call basket-client, and return the answer; ``None`` where Basket knows nobody.

    The library sends its requests by :func:`_request`. The app's own error is raised outside
    of the ``except`` block. Otherwise the library's error, which contains Basket's reply,
    would be kept as its context.
    """
    mark = _call.set(name)
    try:
        return call()
    except BasketError as error:
        failure: BasketError = error.with_traceback(None)
    except basket.BasketException as error:
        if may_be_nobody and error.status_code == 404 and error.code in _UNKNOWN_PERSON_CODES:
            return None
        failure = _classified(name, error.status_code, _code_of(error))
    except transport.ForeignReply as error:
        failure = _classified(name, error.status, None, wrong_url=shows_wrong_url)
    except _WRONG_SETTINGS:
        failure = BasketMisconfigured()
    except urllib3.exceptions.HTTPError:
        failure = BasketUnavailable(0, errors.BASKET_NETWORK_FAILURE)
    except Exception as error:  # noqa: BLE001 - this side's fault is not taken for Basket's
        failure = transport.unexpected(error)
    finally:
        _call.reset(mark)
    raise failure


def _code_of(error: basket.BasketException) -> int | None:
    """Return Basket's own code: basket-client makes one up where there is none."""
    if error.code == errors.BASKET_UNKNOWN_ERROR and "code" not in error.result:
        return None
    return error.code if type(error.code) is int and error.code in range(1000) else None


def _classified(
    call: str, status: int, code: int | None, *, wrong_url: bool = False
) -> BasketError:
    """
    Choose this app's error for an answer, by status and code alone.

    The rules are those measured on the real server: 429 comes with code 5, and a
    back end that fails with 400 and code 1.
    """
    if code in _CONFIGURATION_CODES:
        return BasketMisconfigured(status, code)
    if code == errors.BASKET_INVALID_NEWSLETTER and call in {"subscribe", "unsubscribe"}:
        return NewsletterNotFound()
    if status in _TEMPORARY_STATUSES or status >= 500 or code in _TEMPORARY_CODES:
        return BasketUnavailable(status, code)
    if wrong_url:
        return BasketMisconfigured(status)
    if status < 400:
        return BasketUnavailable(status, code)
    return BasketRefused(errors.BASKET_UNKNOWN_ERROR if code is None else code)


def _expected(answer: Any) -> dict[str, Any]:
    """Return an answer with the status "ok"; any other answer means that Basket is broken."""
    if not isinstance(answer, dict) or answer.get("status") != "ok":
        raise BasketUnavailable(200)
    return answer


def _person(answer: Any) -> Person | None:
    if answer is None:
        return None
    found = _expected(answer)
    match found:
        case {"email": str(email), "newsletters": list(names)}:
            if all(isinstance(name, str) for name in names):
                optout, optin = bool(found.get("optout")), bool(found.get("optin", True))
                return Person(email, _token(found), frozenset(names), optout=optout, optin=optin)
    raise BasketUnavailable(200)


def _token(answer: Mapping[str, Any]) -> str:
    token = answer.get("token")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise BasketUnavailable(200)
    return token


def _request(method: str, url: str, **given: Any) -> Any:
    """
    Stand in basket-client where ``requests.request`` does.

    The site's own use of the library passes through. URL and timeout of this
    app's calls are those of the settings now: the library reads them at import.
    """
    call = _call.get()
    if not call:
        return _site_requests.request(method, url, **given)
    del given["timeout"]
    path = url.removeprefix(str(basket.base.BASKET_URL))
    if path.startswith(basket.base.URLS["users.lookup"]):
        given["headers"] = given["headers"] or {"X-Api-Key": conf.API_KEY}
    return transport.send_request(call, method, path, **given)


_site_requests: Any = basket.base.requests
basket.base.requests = SimpleNamespace(request=_request, exceptions=requests.exceptions)
protect_logs()
