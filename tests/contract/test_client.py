"""The same answers through basket-client, which sites use."""

import uuid

import basket as basket_client
import pytest
from basket import errors

from tests.contract.target import Target, eventually, new_address


@pytest.fixture
def client(basket: Target, monkeypatch: pytest.MonkeyPatch) -> Target:
    """Point basket-client at the Basket: it reads its settings once, at import."""
    monkeypatch.setattr("basket.base.BASKET_URL", basket.url)
    monkeypatch.setattr("basket.base.BASKET_API_KEY", basket.key)
    return basket


def refused_with(call: str, *arguments: object, **fields: object) -> tuple[int, int]:
    with pytest.raises(basket_client.BasketException) as caught:
        getattr(basket_client, call)(*arguments, **fields)
    return caught.value.status_code, caught.value.code


def test_a_whole_life(client: Target) -> None:
    email = new_address()

    subscribed = basket_client.subscribe(email, [client.single, client.private], sync="Y")
    found = basket_client.lookup_user(email=email)
    assert found["token"] == subscribed["token"]
    assert set(found["newsletters"]) == {client.single, client.private}

    basket_client.unsubscribe(found["token"], email, newsletters=[client.private])
    assert eventually(lambda: client.newsletters_of(email) == {client.single})

    basket_client.update_user(found["token"], newsletters=[client.double])
    assert eventually(lambda: client.newsletters_of(email) == {client.double})

    basket_client.unsubscribe(found["token"], email, optout=True)
    assert eventually(lambda: basket_client.user(found["token"])["optout"])


def test_without_sync_the_key_goes_into_the_form(client: Target) -> None:
    email = new_address()

    basket_client.subscribe(email, client.private, api_key=client.key)

    assert eventually(lambda: client.newsletters_of(email) == {client.private})


def test_without_sync_and_key_a_private_newsletter_is_refused(client: Target) -> None:
    refusal = refused_with("subscribe", new_address(), client.private)

    assert refusal == (401, errors.BASKET_AUTH_ERROR)


def test_looking_up_nobody(client: Target) -> None:
    by_email = refused_with("lookup_user", email=new_address())
    by_token = refused_with("lookup_user", token=str(uuid.uuid4()))

    assert by_email == (404, errors.BASKET_UNKNOWN_EMAIL)
    assert by_token == (404, errors.BASKET_UNKNOWN_TOKEN)


def test_pages_become_unknown_errors(client: Target) -> None:
    assert refused_with("user", "nope") == (404, errors.BASKET_UNKNOWN_ERROR)


def test_newsletters_and_recovery(client: Target) -> None:
    person = client.person()

    assert client.single in basket_client.get_newsletters()
    assert basket_client.send_recovery_message(person.email) == {"status": "ok"}
    assert basket_client.confirm(person.token) == {"status": "ok"}
