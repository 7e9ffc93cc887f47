"""The admin's pages in each language: no English text of the app's, and right to left."""

import re

from django.test import Client
from django.urls import reverse
from django.utils import timezone
from waffle.testutils import override_switch

from mozillians_basket.conf import SWITCH
from mozillians_basket.models import Approval, Event, Status
from tests.app.all_pages import addresses_of_pages
from tests.translations.catalogues import LANGUAGES
from tests.translations.texts import Texts, same_as_english

#: Names, addresses, codes and commands: the same in each language.
DATA = re.compile(r"[\w.+*%-]+@|mozilla|basket|BASKET|HTTP|https?:|manage\.py|\bpeople\.")

#: Names of rows and of other apps, and texts that Django itself spells as in English.
SAME = {
    "action", "admin", "bulk request", "celery results", "contact", "django-waffle", "false",
    "filter", "flags", "group results", "id", "no", "refused, code", "samples", "search",
    "switches", "task results", "true",
}  # fmt: skip


def pages_of_each_kind():
    """List a page of each kind in the admin, and all pages of contacts."""
    found = {
        address if "/contact/" in address else re.sub(r"\d+", "N", address): address
        for address in addresses_of_pages()
        if "/add/" not in address and "/delete/" not in address
    }
    return sorted(found.values())


def texts(user, language, addresses):
    """Read the app's pages, and the overview while the switch is off."""
    client = Client(headers={"accept-language": language})
    client.force_login(user)
    pages = {address: client.get(address, follow=True) for address in addresses}
    with override_switch(SWITCH, active=False):
        overview = client.get(reverse("admin:mozillians_basket_status_changelist"))
    # The page of all stored data names columns.
    shown = [page for at, page in pages.items() if "/data/" not in at and not page.streaming]
    found = [page.content.decode() for page in [overview, *shown]]
    return [Texts(page) for page in found if "<html" in page]


def words(pages):
    """Return the texts of pages, without data and whatever their first letter."""
    found = {text for page in pages for text in page.found if not DATA.search(text)}
    return {text.removeprefix("› ").lower() for text in found}  # noqa: RUF001


def test_no_page_has_an_english_text_of_the_app_s(everything, admin_user, subtests):
    for kind in Approval.Kind:
        Approval.objects.create(
            newsletter="mozilla-phone", kind=kind, since=timezone.now(), number=60, total=100
        )
    for kind in Event.Kind:
        Event.objects.create(
            kind=kind, newsletters=["mozilla-phone"], cause="people.UserProfile changed"
        )
    Status.objects.update(
        opened_at=timezone.now(), reason="unavailable", http_status=503, swept_at=timezone.now(),
        unknown_newsletters={"mozillians-nda": timezone.now().isoformat()},
    )  # fmt: skip
    addresses = pages_of_each_kind()
    english = words(texts(admin_user, "en", addresses))

    assert len(english) > 300
    for language in LANGUAGES:
        with subtests.test(language=language):
            pages = texts(admin_user, language, addresses)

            same = SAME | {text.lower() for text in same_as_english(language)}
            assert english & words(pages) <= same
            assert {page.direction for page in pages} == {"rtl" if language == "ar" else "ltr"}
