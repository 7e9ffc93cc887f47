"""What a Basket in maintenance answers."""

import uuid

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
