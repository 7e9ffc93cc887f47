"""Bulk requests for members with keys that are no numbers, on an admin site built in the URLs."""

from pathlib import Path

import pytest

from mozillians_basket.sandbox.testing import SandboxServer
from tests.adoption.community import build_with_members, manage

MODELS = """
import uuid

from django.db import models


class Person(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    mail = models.EmailField(blank=True)

    def __str__(self):
        return f"person {self.mail}"


class Mozillian(Person):
    class Meta:
        proxy = True
"""

BASKET = """
from mozillians_basket.site import BasketSite


class Community(BasketSite):
    email = "mail"
"""

URLS = """
from django.contrib.admin import AdminSite, ModelAdmin
from django.urls import path

from members.models import Mozillian
from mozillians_basket.admin import BasketMemberAdmin


class MozillianAdmin(BasketMemberAdmin, ModelAdmin):
    list_display = ("mail",)
    search_fields = ("mail",)

    def get_queryset(self, request):
        return super().get_queryset(request).exclude(mail__startswith="hidden")


office = AdminSite(name="office")
office.register(Mozillian, MozillianAdmin)
urlpatterns = [path("office/", office.urls)]
"""

SETTINGS = """
ALLOWED_HOSTS = ["testserver"]
INSTALLED_APPS += ["members"]
BASKET_MEMBER_MODEL = "members.Person"
BASKET_NEWSLETTERS = ["mozilla-phone"]
"""

ORDER = """
from django.contrib.auth.models import User
from django.test import Client
from members.models import Person
from mozillians_basket.models import BulkRequest

for number in range(5):
    Person.objects.create(mail=f"ana{number}@example.com")
Person.objects.create(mail="bea@example.com")
Person.objects.create(mail="hidden@example.com")
client = Client()
client.force_login(User.objects.create_superuser("root"))
from mozillians_basket import dispatch
dispatch.send = lambda *arguments: None  # a worker, which has seen no page, finds it
action = {"action": "subscribe_user_to_basket", "_selected_action": [], "select_across": "1"}
action["_selected_action"] = [str(Person.objects.get(mail="ana1@example.com").pk)]
draft = client.post("/office/members/mozillian/?q=a", action)
client.post(draft.url, {"newsletters": ["mozilla-phone"]})
print("state", BulkRequest.objects.get().state, "total", BulkRequest.objects.get().total)
"""

WORK = """
from mozillians_basket import tasks
from mozillians_basket.models import BulkRequest

tasks.sweep()
tasks.sweep()
request = BulkRequest.objects.get()
print("state", request.state, "counts", request.counts)
"""

SHOW = """
from django.contrib.auth.models import User
from django.test import Client
from mozillians_basket.models import BulkItem, BulkRequest

BulkItem.objects.update(state="failed", reason="unavailable")
BulkRequest.objects.update(counts={"failed": 6})
client = Client()
client.force_login(User.objects.get())
page = client.get(f"/office/mozillians_basket/bulkrequest/{BulkRequest.objects.get().pk}/change/")
print(page.status_code, page.content.decode().count('/change/">person'))
"""


@pytest.fixture
def site(tmp_path: Path, basket_sandbox: SandboxServer) -> Path:
    """A new Django project with such members."""
    build_with_members(tmp_path, basket_sandbox, MODELS, SETTINGS, basket=BASKET, urls=URLS)
    return tmp_path


@pytest.mark.programs
def test_members_with_other_keys_are_selected_collected_and_subscribed(
    site: Path, basket_sandbox: SandboxServer
) -> None:
    ordered = manage(site, basket_sandbox, "shell", "-c", ORDER)
    worked = manage(site, basket_sandbox, "shell", "-c", WORK)
    shown = manage(site, basket_sandbox, "shell", "-c", SHOW)

    assert "state running total 6" in ordered
    assert "state finished counts {'done': 6}" in worked
    assert set(basket_sandbox.people) == {
        *(f"ana{number}@example.com" for number in range(5)),
        "bea@example.com",
    }
    assert "200 6" in shown
