"""An admin's bulk request, step by step, through the admin's own pages."""

from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from mozillians_basket.models import BulkRequest
from tests.factories import UserFactory

CHANGELIST = reverse("admin:people_userprofile_changelist")
SUBSCRIBE, UNSUBSCRIBE = "subscribe_user_to_basket", "unsubscribe_from_basket_task"


def url_of(page, bulk_request):
    """Return the address of a page of the request, or of the list."""
    keys = [bulk_request.pk] if bulk_request is not None else []
    return reverse(f"admin:mozillians_basket_bulkrequest_{page}", args=keys)


def select(client, profiles, action=SUBSCRIBE, *, across=False, query="", **options):
    """Choose the action on the member list, for these rows or for the whole list."""
    fields = {"action": action, "_selected_action": [profile.pk for profile in profiles]}
    if across:
        fields["select_across"] = "1"
    return client.post(f"{CHANGELIST}?{query}", fields, **options)


def confirm(client, newsletters=("mozilla-phone",), bulk_request=None, **fields):
    """Choose the newsletters for the selected members, on the page that the action led to."""
    bulk_request = bulk_request or BulkRequest.objects.latest("pk")
    fields = {"newsletters": list(newsletters), **fields}
    return client.post(url_of("confirm", bulk_request), fields, follow=True)


def order(client, profiles, action=SUBSCRIBE, newsletters=("mozilla-phone",), **fields):
    """Select these members and confirm."""
    select(client, profiles, action)
    return confirm(client, newsletters, **fields)


def order_all(client, profiles, query="", newsletters=("mozilla-phone",)):
    """Select the whole list, with these rows ticked, and confirm."""
    select(client, profiles, across=True, query=query)
    return confirm(client, newsletters)


def text_of(page):
    """Return the text of a page, on one line."""
    return " ".join(page.content.decode().split())


def staff(*permissions):
    """Return a client logged in as an admin with these permissions only; its user is on it."""
    user = UserFactory(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    client.user = user
    return client


def member_admin(*more):
    """Return an admin who may view members, with the named permissions."""
    return staff("view_userprofile", *more)
