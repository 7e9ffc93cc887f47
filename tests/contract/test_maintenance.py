"""The answers of a Basket in maintenance, and in read-only maintenance."""

import uuid

import pytest

from tests.contract.target import Target, code, eventually, new_address

SUBSCRIBE = "/news/subscribe/"


def test_lookups_are_refused_before_anything_else(maintained: Target) -> None:
    for path in ("/news/lookup-user/", "/api/v1/users/lookup/"):
        answer = maintained.get(path, params={"email": "ada"})
        assert (answer.status_code, code(answer)) == (400, 15)


def test_a_person_is_not_shown(maintained: Target) -> None:
    answer = maintained.get(f"/news/user/{uuid.uuid4()}/")

    assert (answer.status_code, code(answer)) == (400, 1)


def test_subscribing_is_queued(maintained: Target) -> None:
    answer = maintained.post(SUBSCRIBE, {"email": new_address(), "newsletters": maintained.single})

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_subscribing_with_sync_is_refused_and_queued_all_the_same(maintained: Target) -> None:
    email = new_address()

    answer = maintained.subscribe(email, maintained.single)

    assert (answer.status_code, code(answer)) == (400, 15)
    if maintained.sandbox:
        maintained.sandbox.maintenance = False
        assert eventually(lambda: maintained.newsletters_of(email) == {maintained.single})


def test_refusals_stay_what_they_are(maintained: Target) -> None:
    answer = maintained.subscribe(new_address(), "nope")

    assert (answer.status_code, code(answer)) == (400, 9)


def test_unsubscribing_and_setting_are_queued(maintained: Target) -> None:
    for verb in ("unsubscribe", "user"):
        answer = maintained.post(f"/news/{verb}/{uuid.uuid4()}/")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_messages(maintained: Target) -> None:
    legacy = maintained.post(f"/news/confirm/{uuid.uuid4()}/")
    v1 = maintained.post(f"/api/v1/users/confirm/{uuid.uuid4()}/")
    recover = maintained.post("/api/v1/users/recover/", json={"email": new_address()})

    assert (legacy.status_code, code(legacy)) == (200, None)
    assert (v1.status_code, code(v1)) == (400, 15)
    assert (recover.status_code, code(recover)) == (400, 15)


def test_newsletters_are_listed(maintained: Target) -> None:
    assert maintained.get("/news/newsletters/").status_code == 200


def test_read_only_subscribe_with_sync_answers_with_a_new_token(read_only: Target) -> None:
    email = new_address()

    answer = read_only.subscribe(email, read_only.single)

    assert (answer.status_code, code(answer)) == (200, None)
    assert answer.json()["created"] is True
    assert str(uuid.UUID(answer.json()["token"])) == answer.json()["token"]


def test_read_only_subscribe_leaves_a_new_person_unknown(read_only: Target) -> None:
    email = new_address()

    token = read_only.subscribe(email, read_only.single).json()["token"]

    by_email = {"email": email}
    for path, query, expected in (
        ("/news/lookup-user/", by_email, (404, 3)),
        ("/api/v1/users/lookup/", by_email, (404, 3)),
        ("/api/v1/users/lookup/", {"token": token}, (404, 4)),
        (f"/news/user/{token}/", {}, (404, 4)),
    ):
        answer = read_only.get(path, params=query, headers=read_only.authorized)
        assert (answer.status_code, code(answer)) == expected


def test_read_only_subscribe_names_the_token_of_a_known_person(basket: Target) -> None:
    person = basket.person(basket.single)
    if not basket.sandbox:
        pytest.skip("this Basket cannot be put into read-only maintenance from here")
    basket.sandbox.read_only_maintenance = True

    answer = basket.subscribe(person.email, basket.double)

    assert answer.json() == {"status": "ok", "token": person.token, "created": False}
    assert basket.newsletters_of(person.email) == {basket.single}
    basket.sandbox.read_only_maintenance = False
    assert eventually(lambda: basket.newsletters_of(person.email) == {basket.single, basket.double})


def test_read_only_subscribe_to_a_message_names_no_token(read_only: Target) -> None:
    answer = read_only.subscribe(new_address(), "firefox-mobile-welcome")

    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "ok", "token": None, "created": None},
    )


def test_read_only_unsubscribe_and_set_are_queued(read_only: Target) -> None:
    for verb in ("unsubscribe", "user"):
        answer = read_only.post(f"/news/{verb}/{uuid.uuid4()}/")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_read_only_refusals_stay_what_they_are(read_only: Target) -> None:
    answer = read_only.subscribe(new_address(), "nope")

    assert (answer.status_code, code(answer)) == (400, 9)


def test_end_of_read_only_maintenance_works_the_queue_off(read_only: Target) -> None:
    if not read_only.sandbox:
        pytest.skip("the maintenance of this Basket cannot be ended from here")
    email = new_address()

    first = read_only.subscribe(email, read_only.single).json()
    second = read_only.subscribe(email, read_only.double).json()
    read_only.sandbox.read_only_maintenance = False

    assert eventually(
        lambda: read_only.newsletters_of(email) == {read_only.single, read_only.double}
    )
    assert (first["created"], second["created"]) == (True, True)
    assert read_only.lookup(email)["token"] == first["token"] != second["token"]
