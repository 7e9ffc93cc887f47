"""Every page of the app in the admin, with its text for one admin."""

from django.contrib import admin
from django.urls import NoReverseMatch, reverse

from project.people.models import UserProfile
from tests.app.steps import contact_of

#: Values that pages must hide: Basket's token, and addresses without the view of members.
TOKEN = "0b7f3bb6-9a4c-4f3e-8d8e-2f0a7c1e5d90"
LOCAL_PARTS = (
    "first.address",
    "second.address",
    "third.address",
    "fourth.address",
    "fifth.address",
)


def addresses_of_pages():
    """List the addresses of the app's pages in the admin, with each row's key if they take one."""
    for model, page in admin.site._registry.items():
        if model._meta.app_label != "mozillians_basket" and model is not UserProfile:
            continue
        for pattern in page.get_urls():
            if pattern.name is None or not ("basket" in pattern.name or model is UserProfile):
                continue
            for arguments in ([], *([pk] for pk in model.objects.values_list("pk", flat=True))):
                try:
                    yield reverse(f"admin:{pattern.name}", args=arguments)
                except NoReverseMatch:
                    continue


def walk(client, profile):
    """Return the text of all pages for this admin, by address, after GET and POST."""
    said = {}
    for address in sorted(set(addresses_of_pages())):
        response = client.get(address, follow=True)
        assert response.status_code in (200, 403, 404, 405), address
        if response.status_code == 200:
            content = b"".join(response) if response.streaming else response.content
            said[address] = content.decode()
    posts = {
        reverse("admin:people_userprofile_basket_ask", args=[profile.pk]): {},
        reverse("admin:mozillians_basket_failingcontact_changelist"): {
            "action": "dismiss",
            "_selected_action": [contact_of(profile).pk],
        },
        reverse("admin:people_userprofile_changelist"): {
            "action": "subscribe_user_to_basket",
            "_selected_action": [profile.pk],
        },
    }
    for address, fields in posts.items():
        response = client.post(address, fields, follow=True)
        if response.status_code == 200:
            said[f"POST {address}"] = response.content.decode()
    return said
