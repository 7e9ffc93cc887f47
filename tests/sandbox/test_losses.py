"""Basket can lose people or subscriptions, and restore them from a backup."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from mozillians_basket.sandbox.testing import SandboxPerson, SandboxServer
from tests.sandbox.conftest import Caller, proof, set_fault

ADA, EVE = "ada@example.com", "eve@example.org"
FAULT = "/admin/basket_sandbox/fault"


@pytest.fixture
def before(basket_sandbox: SandboxServer) -> dict[str, SandboxPerson]:
    """The people in Basket before the loss."""
    basket_sandbox.put_person(ADA, newsletters=["app-dev", "mozilla-phone"], optin=True)
    basket_sandbox.put_person(EVE, newsletters=["app-dev"], lang="de")
    return basket_sandbox.people


def newsletters(sandbox: SandboxServer) -> dict[str, set[str]]:
    return {email: set(person.newsletters) for email, person in sandbox.people.items()}


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        pytest.param({}, set(), id="everybody"),
        pytest.param({"newsletter": "mozilla-phone"}, {EVE}, id="by newsletter"),
        pytest.param({"email": "*@EXAMPLE.org"}, {ADA}, id="by address"),
        pytest.param({"share": 0}, {ADA, EVE}, id="nobody"),
    ],
)
def test_lost_people_are_unknown_and_come_back(
    caller: Caller, before: dict[str, SandboxPerson], limits: dict[str, str], left: set[str]
) -> None:
    caller.sandbox.lose_people(**limits)

    assert set(caller.sandbox.people) == left
    for email, person in before.items():
        for query in ({"email": email}, {"token": person.token}):
            answer = caller.get("/api/v1/users/lookup/", params=query, headers=caller.key)
            assert answer.status_code == (200 if email in left else 404)
    caller.sandbox.restore()
    assert caller.sandbox.people == before
    assert caller.sandbox.faults == []


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        pytest.param({}, {ADA: set(), EVE: set()}, id="all"),
        pytest.param(
            {"newsletter": "app-dev"}, {ADA: {"mozilla-phone"}, EVE: set()}, id="by newsletter"
        ),
        pytest.param(
            {"newsletter": "app-dev", "email": ADA},
            {ADA: {"mozilla-phone"}, EVE: {"app-dev"}},
            id="by newsletter and address",
        ),
    ],
)
def test_lost_subscriptions_are_gone_and_come_back(
    caller: Caller,
    before: dict[str, SandboxPerson],
    limits: dict[str, str],
    left: dict[str, set[str]],
) -> None:
    caller.sandbox.lose_subscriptions(**limits)

    assert newsletters(caller.sandbox) == left
    tokens = {email: person.token for email, person in caller.sandbox.people.items()}
    assert tokens == {email: person.token for email, person in before.items()}
    caller.sandbox.restore()
    assert caller.sandbox.people == before


def test_share_of_people_is_the_same_each_time(basket_sandbox: SandboxServer) -> None:
    for number in range(40):
        basket_sandbox.put_person(f"person-{number}@example.com", newsletters=["app-dev"])

    def left(seed: int) -> set[str]:
        fault = basket_sandbox.lose_people("app-dev", share=0.5, seed=seed)
        people = set(basket_sandbox.people)
        basket_sandbox.heal(fault)
        return people

    first = left(seed=1)

    assert 10 <= len(first) <= 30
    assert first == left(seed=1)
    assert first != left(seed=2)


def test_restore_undoes_what_came_after_the_loss(
    caller: Caller, before: dict[str, SandboxPerson]
) -> None:
    caller.sandbox.lose_people(email=ADA)

    assert caller.subscribe(ADA, "mozilla-phone").json()["created"] is True
    caller.subscribe("new@example.com", "app-dev")
    caller.post(f"/news/unsubscribe/{before[EVE].token}/", {"optout": "Y"})
    caller.sandbox.restore()

    assert caller.sandbox.people == before


def test_several_losses_are_restored_newest_first(
    basket_sandbox: SandboxServer, before: dict[str, SandboxPerson]
) -> None:
    basket_sandbox.lose_subscriptions("app-dev")
    basket_sandbox.lose_people()
    other = basket_sandbox.fail("lookup", status=503)

    basket_sandbox.restore()

    assert basket_sandbox.people == before
    assert [fault["id"] for fault in basket_sandbox.faults] == [other]
    basket_sandbox.lose_people("app-dev")
    basket_sandbox.lose_people()
    basket_sandbox.heal()
    assert basket_sandbox.people == before


def test_requests_succeed_after_a_loss(caller: Caller, before: dict[str, SandboxPerson]) -> None:
    caller.sandbox.lose_people()

    assert caller.subscribe(ADA, "app-dev").status_code == 200
    assert set(caller.sandbox.people) == {ADA}


@pytest.mark.usefixtures("before")
def test_reset_restores_nobody(basket_sandbox: SandboxServer) -> None:
    basket_sandbox.lose_people()

    basket_sandbox.reset()

    assert basket_sandbox.people == {}
    assert basket_sandbox.faults == []


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "people_vanish", "newsletter": "nope"},
        {"kind": "people_vanish", "endpoint": "lookup"},
        {"kind": "subscriptions_vanish", "times": 1},
        {"kind": "answer", "newsletter": "app-dev"},
    ],
)
def test_invalid_loss_is_refused(
    basket_sandbox: SandboxServer, before: dict[str, SandboxPerson], fault: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        basket_sandbox.fail(**fault)  # type: ignore[arg-type]

    assert basket_sandbox.people == before
    assert basket_sandbox.faults == []


def test_loss_and_restore_over_the_control_endpoint(
    caller: Caller, before: dict[str, SandboxPerson]
) -> None:
    path = f"{caller.sandbox.url}/sandbox/faults/"
    body = {"kind": "people_vanish", "newsletter": "mozilla-phone"}

    answer = caller.session.post(path, json=body, headers=caller.key)

    assert set(caller.sandbox.people) == {EVE}
    query = {"id": answer.json()["fault"]["id"]}
    assert caller.session.delete(path, params=query, headers=caller.key).json() == {"faults": []}
    assert caller.sandbox.people == before


@pytest.mark.parametrize("way", ["its own page", "the list"])
def test_loss_and_restore_on_the_page(
    admin: Caller, before: dict[str, SandboxPerson], way: str
) -> None:
    set_fault(admin, kind="subscriptions_vanish", newsletter="app-dev")
    assert newsletters(admin.sandbox) == {ADA: {"mozilla-phone"}, EVE: set()}
    (fault,) = admin.sandbox.faults
    number = str(fault["id"])

    if way == "its own page":
        path = f"{FAULT}/{number}/delete/"
        admin.post(path, {"post": "yes", **proof(admin, path)})
    else:
        chosen = {"action": "delete_selected", "_selected_action": number, "post": "yes"}
        admin.post(f"{FAULT}/", {**chosen, **proof(admin, f"{FAULT}/")})

    assert admin.sandbox.faults == []
    assert admin.sandbox.people == before


def test_losses_on_the_page_go_with_parallel_subscribes(admin: Caller) -> None:
    def subscribe(number: int) -> int:
        caller = Caller(admin.sandbox)
        with caller.session:
            return caller.subscribe(f"person-{number}@example.com", "app-dev").status_code

    with ThreadPoolExecutor(6) as pool:
        statuses = pool.map(subscribe, range(300))
        for _ in range(4):
            set_fault(admin, kind="people_vanish")
            path = f"{FAULT}/{admin.sandbox.faults[0]['id']}/delete/"
            admin.post(path, {"post": "yes", **proof(admin, path)})

    assert set(statuses) == {200}


def test_loss_is_not_changed_on_its_page(admin: Caller, before: dict[str, SandboxPerson]) -> None:
    path = f"{FAULT}/{admin.sandbox.lose_people(email=ADA)}/change/"

    answer = admin.post(path, {"kind": "people_vanish", **proof(admin, f"{FAULT}/add/")})

    assert answer.status_code == 403
    assert set(admin.sandbox.people) == {EVE}
    assert "people vanish" in admin.get(path).text
