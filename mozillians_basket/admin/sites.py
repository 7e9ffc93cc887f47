"""The app's pages on an admin site."""

from django.contrib import admin

from mozillians_basket.admin.bulk_requests import BulkRequestAdmin
from mozillians_basket.admin.history import EventAdmin
from mozillians_basket.admin.ledger import ContactAdmin
from mozillians_basket.admin.overview import StatusAdmin
from mozillians_basket.admin.problems import ProblemAdmin
from mozillians_basket.models import BulkRequest, Contact, Event, FailingContact, Status

PAGES = {
    BulkRequest: BulkRequestAdmin,
    Contact: ContactAdmin,
    Event: EventAdmin,
    FailingContact: ProblemAdmin,
    Status: StatusAdmin,
}


def register(site: admin.AdminSite) -> None:
    """Add the app's pages to an admin site, but for those that it has registered its own way."""
    for model, page in PAGES.items():
        if not site.is_registered(model):
            site.register(model, page)
