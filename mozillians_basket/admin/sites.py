"""Which of the app's tables an admin site shows, and by which page."""

from django.contrib import admin

from mozillians_basket.admin.batches import BatchAdmin
from mozillians_basket.admin.history import EventAdmin
from mozillians_basket.admin.ledger import ContactAdmin
from mozillians_basket.admin.overview import PulseAdmin
from mozillians_basket.admin.problems import ProblemAdmin
from mozillians_basket.models import Batch, Contact, Event, Problem, Pulse

PAGES = {
    Batch: BatchAdmin,
    Contact: ContactAdmin,
    Event: EventAdmin,
    Problem: ProblemAdmin,
    Pulse: PulseAdmin,
}


def register(site: admin.AdminSite) -> None:
    """Add the app's pages to an admin site, but for those that it has registered its own way."""
    for model, page in PAGES.items():
        if not site.is_registered(model):
            site.register(model, page)
