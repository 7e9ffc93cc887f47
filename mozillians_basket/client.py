"""Basket over HTTP, through basket-client: the only module that knows that library."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import basket
import basket.base
import requests
from basket import errors

from mozillians_basket import transport
from mozillians_basket.addresses import same_address
from mozillians_basket.conf import conf
from mozillians_basket.exceptions import (
    BasketError,
    BasketMisconfigured,
    BasketRefused,
    BasketSwitchedOff,
    BasketUnavailable,
)
from mozillians_basket.plan import Person
from mozillians_basket.redaction import protect_logs

#: This app's own code for a subscribe that Basket answers "ok" without a token:
#: a blocked domain, for which it stores nothing (measured).
BLOCKED = -1

_TEMPORARY_CODES = frozenset(
    {
        errors.BASKET_NETWORK_FAILURE,
        errors.BASKET_EMAIL_PROVIDER_AUTH_FAILURE,
        errors.BASKET_MAINTENANCE_ERROR,
    }
)
_CONFIGURATION_CODES = frozenset(
    {errors.BASKET_AUTH_ERROR, errors.BASKET_SSL_REQUIRED, errors.BASKET_INVALID_NEWSLETTER}
)
_UNKNOWN_PERSON_CODES = frozenset({errors.BASKET_UNKNOWN_EMAIL, errors.BASKET_UNKNOWN_TOKEN})


def look_up(email: str) -> Person | None:
    """
    Who Basket has under this address; ``None`` when nobody.

    One GET of ``/api/v1/users/lookup/``, with the API key.

    :raises BasketError: any of its subclasses but ``LeaseLost``.
    """
    answer: dict[str, Any] | None = None
    with _translated_errors() as failure:
        try:
            answer = basket.lookup_user(email=email, api_key=conf.API_KEY)
        except basket.BasketException as error:
            if error.status_code != 404 or error.code not in _UNKNOWN_PERSON_CODES:
                raise
            return None
    failure.reraise()
    if answer is None or answer.get("status") != "ok" or not answer.get("token"):
        raise BasketUnavailable(200)
    address = str(answer.get("email", ""))
    newsletters = answer.get("newsletters")
    if not same_address(address, email) or not isinstance(newsletters, list):
        raise BasketUnavailable(200)
    return Person(
        email=address,
        token=str(answer["token"]),
        newsletters=frozenset(newsletters),
        opted_out=bool(answer.get("optout")),
        confirmed=bool(answer.get("optin", True)),
    )


def knows(token: str) -> bool:
    """
    Whether Basket still has the person with this token, under whatever address.

    One GET of ``/api/v1/users/lookup/``, without the key: what it shows is masked.

    :raises BasketError: as :func:`look_up`.
    """
    answer: dict[str, Any] = {}
    with _translated_errors() as failure:
        try:
            answer = basket.lookup_user(token=token)
        except basket.BasketException as error:
            if error.status_code != 404 or error.code not in _UNKNOWN_PERSON_CODES:
                raise
            return False
    failure.reraise()
    if answer.get("status") != "ok":
        raise BasketUnavailable(200)
    return True


def subscribe(email: str, newsletters: Iterable[str]) -> str:
    """
    Subscribe one address to newsletters, in one call; return the person's token.

    With ``sync=Y``, so it is done when it answers (Newsletter API, /news/subscribe).

    :raises BasketRefused: the address is invalid, or its domain blocked (``BLOCKED``).
    :raises BasketError: as :func:`look_up`.
    """
    fields = {"optin": "Y" if conf.OPTIN else "N"}
    fields["trigger_welcome"] = "Y" if conf.TRIGGER_WELCOME else "N"
    if conf.SOURCE_URL:
        fields["source_url"] = conf.SOURCE_URL
    answer: dict[str, Any] = {}
    with _translated_errors() as failure:
        answer = basket.subscribe(
            email, ",".join(sorted(newsletters)), sync="Y", api_key=conf.API_KEY, **fields
        )
    failure.reraise()
    if answer.get("status") != "ok":
        raise BasketUnavailable(200)
    if not answer.get("token"):
        raise BasketRefused(BLOCKED)
    return str(answer["token"])


def unsubscribe(person: Person, newsletters: Iterable[str]) -> None:
    """
    Unsubscribe somebody from newsletters, in one call. Basket queues it.

    Takes the person as :func:`look_up` returned them: Basket writes the address
    that comes with the call into its record, unchecked (measured).

    :raises BasketError: as :func:`look_up`.
    """
    answer: dict[str, Any] = {}
    with _translated_errors() as failure:
        answer = basket.unsubscribe(person.token, person.email, ",".join(sorted(newsletters)))
    failure.reraise()
    if answer.get("status") != "ok":
        raise BasketUnavailable(200)


def catalogue() -> dict[str, dict[str, Any]]:
    """
    Basket's newsletters by slug, private and inactive ones included.

    One GET of ``/api/v1/news/newsletters/``. The fields worth knowing are
    ``title``, ``active``, ``private`` and ``requires_double_optin``.

    :raises BasketError: as :func:`look_up`.
    """
    answer: Any = None
    with _translated_errors() as failure:
        answer = basket.get_newsletters()
    failure.reraise()
    if not isinstance(answer, dict):
        raise BasketUnavailable(200)
    return answer


class _Failure:
    """
    Carries an error out of the block in which the library's own one is alive.

    Raised there, it would keep that one, and Basket's reply in it, as its context.
    """

    def __init__(self) -> None:
        self.error: BasketError | None = None

    def reraise(self) -> None:
        if self.error is not None:
            raise self.error


@contextmanager
def _translated_errors() -> Iterator[_Failure]:
    """Hold this app's error in place of basket-client's, requests' and urllib3's."""
    failure = _Failure()
    try:
        with transport.own_call():
            yield failure
    except BasketSwitchedOff:
        failure.error = BasketSwitchedOff()
    except basket.BasketException as error:
        failure.error = _classified(int(error.status_code or 0), int(error.code))
    except Exception:  # noqa: BLE001 - a reply that no library foresaw: broken on Basket's side
        failure.error = BasketUnavailable()


def _classified(status: int, code: int) -> BasketError:
    """
    Which of this app's errors an answer is, told by status and code alone.

    The rules are those measured on the real server: 429 comes with code 5, and a
    back end that fails with 400 and code 1.
    """
    known = None if code == errors.BASKET_UNKNOWN_ERROR else code
    if code in _CONFIGURATION_CODES:
        return BasketMisconfigured(status, known)
    if status in {0, 408, 425, 429} or status >= 500 or code in _TEMPORARY_CODES:
        return BasketUnavailable(status, known)
    if code == errors.BASKET_UNKNOWN_ERROR:
        # HTML where JSON belongs: 2xx is a broken proxy, all else a wrong URL.
        return BasketUnavailable(status) if status < 300 else BasketMisconfigured(status)
    return BasketRefused(code)


def _request(method: str, url: str, **kwargs: Any) -> Any:
    """Stands in basket-client where ``requests.request`` does."""
    return transport.request(method, url, base=str(basket.base.BASKET_URL), **kwargs)


basket.base.requests = SimpleNamespace(request=_request, exceptions=requests.exceptions)
protect_logs()
