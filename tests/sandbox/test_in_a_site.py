"""The sandbox as an ordinary app of a site, with the site's own settings and server."""

import json
import os
import subprocess
import sys
from pathlib import Path

SETTINGS = """
from project.settings.test import *
from project.settings.test import DATABASES, INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "mozillians_basket.sandbox"]
DATABASES = {"default": {**DATABASES["default"], "NAME": "site.sqlite3"}}
ROOT_URLCONF = "site_urls"
"""
URLS = """
from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("mozillians_basket.sandbox.urls")),
]
"""
STORY = """
import json

import django

django.setup()

from django.core import mail
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.test import Client, RequestFactory
from django.test.utils import setup_test_environment

setup_test_environment()
call_command("migrate", verbosity=0)

from mozillians_basket.sandbox import catalogue, pages
from mozillians_basket.sandbox.models import ApiKey, Fault, Person

catalogue.load()
ApiKey.objects.create(name="ours", key="our-key")
client = Client(headers={"X-Api-Key": "our-key"})
data = {"email": "ada@example.com", "newsletters": "app-dev", "sync": "Y"}
plain = client.post("/news/subscribe/", data)
secure = client.post("/news/subscribe/", data, secure=True)
found = client.get("/api/v1/users/lookup/?email=ada@example.com", secure=True)
Fault.objects.create(kind="drop", endpoint="newsletters")
dropped = client.get("/news/newsletters/")

def fail(*arguments):
    raise DatabaseError("with a password")

with connection.execute_wrapper(fail):
    not_ready = pages.readiness(RequestFactory().get("/readiness/"))
print(json.dumps({
    "plain": [plain.status_code, plain.json()["code"]],
    "secure": secure.status_code,
    "found": found.json()["newsletters"],
    "dropped": dropped.status_code,
    "not ready": [not_ready.status_code, json.loads(not_ready.content)["databases"]],
    "mail": [message.to for message in mail.outbox],
    "link": str(Person.objects.get().token) in mail.outbox[0].body,
}))
"""


def test_sandbox_works_as_an_app_of_a_site(tmp_path: Path, root: Path) -> None:
    (tmp_path / "site_settings.py").write_text(SETTINGS)
    (tmp_path / "site_urls.py").write_text(URLS)
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "site_settings",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(root)]),
    }

    ran = subprocess.run(
        [sys.executable, "-c", STORY],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {
        "plain": [401, 8],
        "secure": 200,
        "found": ["app-dev"],
        "dropped": 500,
        "not ready": [500, [{"default": {"ok": False, "error": "DatabaseError"}}]],
        "mail": [["ada@example.com"]],
        "link": True,
    }
