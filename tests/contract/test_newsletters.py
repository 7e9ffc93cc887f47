"""The lists of newsletters."""

import pytest

from tests.contract.target import Target, is_page

LEGACY = "/news/newsletters/"
V1 = "/api/v1/news/newsletters/"
SHAPE: dict[str, type] = {
    "active": bool,
    "description": str,
    "firefox_confirm": bool,
    "indent": bool,
    "is_mofo": bool,
    "is_waitlist": bool,
    "languages": list,
    "order": int,
    "private": bool,
    "requires_double_optin": bool,
    "show": bool,
    "title": str,
    "vendor_id": str,
}

both_paths = pytest.mark.parametrize("path", [LEGACY, V1])


@both_paths
def test_every_newsletter_is_described(basket: Target, path: str) -> None:
    answer = basket.get(path)

    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    for described in answer.json()["newsletters"].values():
        for name, kind in SHAPE.items():
            assert isinstance(described[name], kind), name


def test_both_lists_name_the_same_newsletters(basket: Target) -> None:
    legacy, v1 = (basket.get(path).json()["newsletters"] for path in (LEGACY, V1))

    assert set(legacy) == set(v1)
    assert all(described["slug"] == slug for slug, described in v1.items())


@both_paths
def test_no_key_is_needed_for_private_ones(basket: Target, path: str) -> None:
    assert basket.private in basket.get(path).json()["newsletters"]


@pytest.mark.parametrize(
    ("path", "kind"),
    [(LEGACY, "application/json"), (V1, "application/json; charset=utf-8")],
)
def test_content_type(basket: Target, path: str, kind: str) -> None:
    assert basket.get(path).headers["Content-Type"] == kind


@both_paths
def test_it_may_be_kept_for_five_minutes(basket: Target, path: str) -> None:
    assert "max-age=" in basket.get(path).headers["Cache-Control"]


def test_other_methods(basket: Target) -> None:
    legacy, v1 = basket.post(LEGACY), basket.post(V1)

    assert (legacy.status_code, v1.status_code) == (403, 405)
    assert is_page(legacy)
    assert basket.call("HEAD", LEGACY).status_code == 200
    assert basket.call("HEAD", V1).status_code == 405


def test_the_page_for_people(basket: Target) -> None:
    answer = basket.get("/news/")

    assert answer.status_code == 200
    assert is_page(answer)
    assert "max-age=" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("path", ["/news/debug-user/", "/news/nothing/", "/api/v1/users/"])
def test_unknown_path(basket: Target, path: str) -> None:
    answer = basket.get(path)

    assert answer.status_code == 404
    assert is_page(answer)
