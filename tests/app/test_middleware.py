"""The user of a request is the actor of the changes saved in it."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, connections, transaction
from django.http import HttpResponse
from django.test import AsyncClient, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import path

from mozillians_basket.api import touch
from mozillians_basket.middleware import actor_middleware, current_actor
from mozillians_basket.models import Event, Touch
from mozillians_basket.upkeep import verification
from project.people.models import UserProfile
from tests.app.steps import LONG_AGO, contact_of, settle_everything
from tests.factories import UserFactory, UserProfileFactory, VouchFactory

SYNC_ONLY = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "tests.app.test_middleware.OldMiddleware",
    "mozillians_basket.middleware.actor_middleware",
]
EVERYTHING_ELSE = [name for name in SYNC_ONLY if "OldMiddleware" not in name]


class OldMiddleware:
    """A middleware without async support: Django runs the layers below it in a thread."""

    sync_capable = True
    async_capable = False

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)


def save(request, key):
    UserProfile.objects.get(pk=key).save()
    return HttpResponse(str(current_actor()))


@transaction.non_atomic_requests  # Django has no other async views
async def save_later(request, key):
    await (await UserProfile.objects.aget(pk=key)).asave()
    await asyncio.sleep(0)
    return HttpResponse(str(await sync_to_async(current_actor)()))


@transaction.non_atomic_requests
def fail(request, key):
    UserProfile.objects.get(pk=key).save()
    raise ValueError("the view fails")


urlpatterns = [
    path("save/<int:key>/", save),
    path("save-later/<int:key>/", save_later),
    path("fail/<int:key>/", fail),
]


@pytest.fixture
def pages(settings):
    settings.ROOT_URLCONF = "tests.app.test_middleware"
    settings.MIDDLEWARE = EVERYTHING_ELSE


@pytest.fixture
def profile(db):
    profile = UserProfileFactory()
    Touch.objects.all().delete()
    return profile


@pytest.fixture
def user(db):
    return UserFactory()


def actors(profile):
    """Return the actors of a member's touches, in order."""
    return list(Touch.objects.filter(member=profile).order_by("pk").values_list("actor", flat=True))


@pytest.mark.parametrize("page", ["save", "save-later"])
@pytest.mark.parametrize("middleware", [EVERYTHING_ELSE, SYNC_ONLY], ids=["all", "a sync one"])
def test_user_of_the_request_is_the_touch_s_actor(
    pages, settings, client, profile, user, page, middleware
):
    settings.MIDDLEWARE = middleware
    client.force_login(user)

    response = client.get(f"/{page}/{profile.pk}/")

    assert response.content == str(user.pk).encode()
    assert actors(profile) == [user.pk]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("page", ["save", "save-later"])
@pytest.mark.parametrize("middleware", [EVERYTHING_ELSE, SYNC_ONLY], ids=["all", "a sync one"])
def test_actors_of_requests_at_the_same_time_do_not_mix(pages, settings, page, middleware):
    settings.MIDDLEWARE = middleware
    profiles, users = UserProfileFactory.create_batch(3), UserFactory.create_batch(3)
    clients = [AsyncClient() for _ in users]
    for client, user in zip(clients, users, strict=True):
        client.force_login(user)
    Touch.objects.all().delete()

    async def ask_all():
        asked = zip(clients, profiles, strict=True)
        answers = [client.get(f"/{page}/{profile.pk}/") for client, profile in asked]
        try:
            return await asyncio.gather(*answers)
        finally:
            await sync_to_async(connections.close_all)()  # the connections of the views' thread

    answers = asyncio.run(ask_all())

    assert [each.content.decode() for each in answers] == [str(user.pk) for user in users]
    touched = dict(Touch.objects.values_list("member_id", "actor_id"))
    assert touched == {p.pk: u.pk for p, u in zip(profiles, users, strict=True)}


@pytest.mark.parametrize("page", ["save", "fail"])
def test_nothing_is_left_for_the_next_request(pages, client, profile, user, page):
    client.force_login(user)
    client.raise_request_exception = False
    client.get(f"/{page}/{profile.pk}/")

    assert current_actor() is None
    client.logout()
    client.get(f"/save/{profile.pk}/")

    assert actors(profile) == [user.pk, None]


def test_anonymous_request_has_no_actor(pages, client, profile):
    client.get(f"/save/{profile.pk}/")

    assert actors(profile) == [None]


def test_nothing_changes_without_the_middleware(pages, settings, client, profile, user):
    settings.MIDDLEWARE = EVERYTHING_ELSE[:-1]
    client.force_login(user)

    client.get(f"/save/{profile.pk}/")

    assert actors(profile) == [None]


def test_middleware_without_authentication_finds_no_actor(pages, settings, client, profile):
    settings.MIDDLEWARE = EVERYTHING_ELSE[-1:]

    client.get(f"/save/{profile.pk}/")

    assert actors(profile) == [None]


def test_a_request_whose_user_was_read_pays_one_insert(rf, profile, user, admin_client):
    request = rf.get("/")
    request.user = user

    def view(request):
        with CaptureQueriesContext(connection) as captured:
            touch(profile)
        return len(captured)

    assert actor_middleware(view)(request) == 1


def test_admin_who_saves_a_vouch_stands_in_the_history(basket, admin_client, admin_user, commit):
    voucher, vouchee = UserProfileFactory.create_batch(2)
    values = {"voucher": voucher.pk, "vouchee": vouchee.pk, "reason": ""}
    values |= {"date_0": "2026-01-01", "date_1": "12:00:00"}

    with commit():
        page = admin_client.post("/admin/people/vouch/add/", values)

    assert page.status_code == 302
    event = Event.objects.get(kind=Event.Kind.SUBSCRIBED)
    assert (event.member_id, event.actor) == (vouchee.pk, admin_user)


def as_user(user, change):
    """Make a change in a request of a user."""
    request = RequestFactory().get("/")
    request.user = user
    actor_middleware(lambda request: change())(request)


def test_changed_address_names_its_actor(basket, vouched, user, commit):
    vouched.user.email = "new@example.com"

    with commit():
        as_user(user, vouched.user.save)

    assert Event.objects.get(kind=Event.Kind.MOVED).actor == user


def test_deletion_names_its_actor_even_after_the_address_is_erased(
    basket, vouched, user, commit, settings
):
    with commit():
        as_user(user, vouched.user.delete)
    removal = Event.objects.get(kind=Event.Kind.UNSUBSCRIBED)
    assert removal.actor == user
    settle_everything()

    erased = Event.objects.get(kind=Event.Kind.ERASED)
    assert erased.actor == user
    assert erased.member_id is None


def test_later_cause_without_an_actor_is_not_blamed_on_the_earlier_one(basket, user, commit):
    profile = UserProfileFactory()
    with commit():
        as_user(user, lambda: VouchFactory(vouchee=profile))
    assert contact_of(profile).actor == user

    type(contact_of(profile)).objects.update(looked_up_at=LONG_AGO)
    verification.verify(10)

    assert contact_of(profile).cause == "verification"
    assert contact_of(profile).actor is None


def test_user_who_deletes_themselves_is_the_actor(basket, vouched, commit):
    key = vouched.user.pk

    with commit():
        as_user(vouched.user, vouched.user.delete)

    assert Event.objects.get(kind=Event.Kind.UNSUBSCRIBED).actor_id == key
