"""The home page, the answers for monitors, and the description of the API."""

import pytest

from tests.contract.target import Target, is_page


def test_home_page(basket: Target) -> None:
    answer = basket.get("/")

    assert (answer.status_code, is_page(answer)) == (200, True)
    assert "/admin/" in answer.text
    assert "/news/" in answer.text


def test_health_check(basket: Target) -> None:
    answer = basket.get("/healthz/")

    assert (answer.status_code, answer.text) == (200, "pong")
    assert answer.headers["Content-Type"] == "text/plain"


def test_readiness(basket: Target) -> None:
    answer = basket.get("/readiness/")

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    for kind in ("caches", "databases"):
        states = {name: state for each in answer.json()[kind] for name, state in each.items()}
        assert states["default"] == {"ok": True}
        assert all(state["ok"] for state in states.values())


@pytest.mark.parametrize("path", ["/", "/healthz/", "/readiness/"])
def test_nothing_is_posted_to_these_pages(basket: Target, path: str) -> None:
    answer = basket.post(path)

    assert (answer.status_code, is_page(answer)) == (403, True)


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/api/v1/news/newsletters/", "get"),
        ("/api/v1/users/lookup/", "get"),
        ("/api/v1/users/confirm/{token}/", "post"),
        ("/api/v1/users/recover/", "post"),
    ],
)
def test_description_of_the_api(basket: Target, path: str, method: str) -> None:
    answer = basket.get("/openapi.json")

    description = answer.json()
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert description["openapi"].startswith("3.")
    assert description["info"]["version"] == "v1"
    assert "200" in description["paths"][path][method]["responses"]
