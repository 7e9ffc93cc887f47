"""A past for the demo data: changes by members and admins before ``make run`` starts the site."""

from collections.abc import Iterable

from django.contrib.auth.models import User
from django.core.management import call_command

from mozillians_basket import api, bulk, tasks
from mozillians_basket.models import BulkRequest
from mozillians_basket.sandbox.testing import SandboxServer
from mozillians_basket.upkeep import verification
from project.celery import app
from project.demo.basket import Basket
from project.people.management.commands.demo_data import ADMIN, address_of, username_of
from project.people.models import UserProfile

PHONE, NDA = "mozilla-phone", "mozillians-nda"

#: A newsletter of Basket's for which people confirm their address.
TO_CONFIRM = "app-dev"

#: The numbers of members, by their action at Basket or on the site, or by their failure.
LEFT, TURNED_ALL_OFF, OPTED_OUT_ON_SITE, WAITING, UNCONFIRMED = 8, 9, 10, 12, 18

#: The members of a bulk request that succeeded, and of one in which some members failed.
ALL_DONE, SOME_FAILED = (16, 21, 26), (9, 11, 20, 22, 23)


def happen(*, database: str, api_key: str, port: int) -> None:
    """
    Add the demo data and sync all of it, in this process, with a sandbox Basket.

    The sandbox keeps its people, faults and mail in ``database``. The links in its mail
    name its ``port``, which is that of the settings' ``BASKET_URL``.
    """
    with SandboxServer(database=database, api_key=api_key, port=port) as basket:
        app.conf.task_always_eager = True
        try:
            _play(basket)
        finally:
            app.conf.task_always_eager = False


def _play(basket: SandboxServer) -> None:
    Basket(basket.url, basket.api_key).sign_up(address_of(UNCONFIRMED), TO_CONFIRM)
    basket.put_person(address_of(UNCONFIRMED), add=[PHONE], optin=False)
    basket.fail("lookup", status=503, email=address_of(WAITING))
    call_command("demo_data")
    _sync()
    verification.verify(None)  # only a newsletter that a lookup has shown can be opted out of
    _sync()
    basket.put_person(address_of(LEFT), remove=[PHONE])
    basket.put_person(address_of(TURNED_ALL_OFF), newsletters=[], optout=True)
    verification.verify(None)
    _sync()
    api.opt_out(_keys([OPTED_OUT_ON_SITE])[0], PHONE)
    _sync()
    for numbers, newsletter in ((ALL_DONE, PHONE), (SOME_FAILED, NDA)):
        admin = User.objects.get(username=ADMIN)
        request = bulk.draft(BulkRequest.Action.SUBSCRIBE, _keys(numbers), actor=admin)
        bulk.confirm(request, [newsletter])
        _sync()
        tasks.sweep()  # a request ends with the sweep after its last sync


def _sync() -> None:
    tasks.sweep()
    tasks.lookup_users_task.delay()


def _keys(numbers: Iterable[int]) -> list[int]:
    names = [username_of(number) for number in numbers]
    return list(UserProfile.objects.filter(user__username__in=names).values_list("pk", flat=True))
