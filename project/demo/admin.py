"""The admin's work in a browser: log in, select members, choose an action, confirm it."""

from collections.abc import Iterable
from html.parser import HTMLParser
from urllib.parse import urljoin

import requests
from django.conf import settings

_TIMEOUT = 30


class _Form(HTMLParser):
    """The hidden fields and the named buttons of all forms that post, on one page."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: list[tuple[str, str]] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a form's hidden field or button."""
        found = dict(attrs)
        if tag == "form":
            self._inside = (found.get("method") or "").lower() == "post"
        name = found.get("name")
        if self._inside and tag == "input" and name and found.get("type") in {"hidden", "submit"}:
            self.fields.append((name, found.get("value") or ""))

    def handle_endtag(self, tag: str) -> None:
        """Leave a form."""
        if tag == "form":
            self._inside = False


class AdminRefused(Exception):
    """The admin's pages did not lead to the expected page."""


class AdminSession:
    """A browser's session with the site's admin."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy between here and loopback

    def log_in(self, username: str, password: str) -> None:
        """
        Log in by the form, with its CSRF token.

        :raises AdminRefused: when the password is wrong, for example.
        """
        address = urljoin(self._url, "/admin/login/")
        page = self._session.get(address, timeout=_TIMEOUT)
        answer = self._session.post(
            address,
            [
                ("csrfmiddlewaretoken", dict(_fields_of(page))["csrfmiddlewaretoken"]),
                ("username", username),
                ("password", password),
                ("next", "/admin/"),
            ],
            timeout=_TIMEOUT,
        )
        if not answer.ok or answer.url.rstrip("/") != urljoin(self._url, "/admin"):
            raise AdminRefused(f"Logging in led to status {answer.status_code}.")

    def run_action(self, action: str, keys: Iterable[int], newsletters: Iterable[str]) -> None:
        """
        Run a bulk action on these members: choose it in the list, then confirm it.

        :raises AdminRefused: when the page of the action does not come, or confirming fails.
        """
        address = urljoin(self._url, "/admin/people/userprofile/")
        token = self._session.cookies[settings.CSRF_COOKIE_NAME]
        selected = [("_selected_action", str(key)) for key in keys]
        page = self._session.post(
            address,
            [("csrfmiddlewaretoken", token), ("action", action), ("index", "0"), *selected],
            timeout=_TIMEOUT,
        )
        if not page.ok or not page.history:
            raise AdminRefused(f"The action led to status {page.status_code}, without a question.")
        choice = [("newsletters", newsletter) for newsletter in newsletters]
        answer = self._session.post(page.url, [*_fields_of(page), *choice], timeout=_TIMEOUT)
        if not answer.ok or answer.url == page.url:
            raise AdminRefused(f"Confirming led to status {answer.status_code}.")


def _fields_of(page: requests.Response) -> list[tuple[str, str]]:
    form = _Form()
    form.feed(page.text)
    return form.fields
