"""Decisions that come from people and other code, not from a policy."""

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from mozillians_basket.ledger.choices import Choice, decide_all, make_all_due
from mozillians_basket.ledger.evaluation import evaluate, locked_contacts
from mozillians_basket.ledger.matching import is_at
from mozillians_basket.models import Contact
from mozillians_basket.site import get_site


def decide(
    contact: Contact,
    newsletters: Iterable[str],
    *,
    subscribe: bool,
    despite_opt_out: bool = False,
    cause: str,
    actor: Any = None,
) -> frozenset[str]:
    """
    Write a decision into a locked and evaluated contact, and make it due.

    :param despite_opt_out: an admin says explicitly that an opt-out does not count.
    :return: the newsletters decided on: without those that the person opted out of.
    """
    choice = Choice(
        tuple(newsletters), subscribe=subscribe, despite_opt_out=despite_opt_out, actor=actor
    )
    return decide_all([contact], choice, cause=cause)[contact.pk].newsletters


def subscribe_member(member_id: Any, newsletters: str | Iterable[str]) -> list[int]:
    """
    Decide that a member is to get these, whatever the policies say.

    :return: the contact's key; nothing when there is no such member.
    :raises UnknownNewsletter: when a newsletter is not this site's.
    """
    slugs = get_site().chosen(newsletters)
    with transaction.atomic():
        contacts, fresh = locked_contacts({member_id})
        evaluate(contacts, fresh=fresh)
        return [
            contact.pk
            for contact in contacts
            if contact.member_id is not None
            and decide(contact, slugs, subscribe=True, cause="subscribe_user_to_basket")
        ]


def unsubscribe_address(email: str, newsletters: str | Iterable[str]) -> list[int]:
    """
    Decide that an address is not to get these, whatever the policies say.

    :return: the keys of the contacts with that address; one is made where there is none.
    :raises UnknownNewsletter: when a newsletter is not this site's.
    """
    slugs = get_site().chosen(newsletters)
    with transaction.atomic():
        contacts = _contacts_at(email)
        for contact in contacts:
            decide(contact, slugs, subscribe=False, cause="unsubscribe_from_basket_task")
        return [contact.pk for contact in contacts]


def move_address(old_email: str, new_email: str) -> list[int]:
    """
    Decide that who has the old address in Basket is to have the new one.

    :return: the keys of the contacts with the old address; one is made where there is none.
    """
    with transaction.atomic():
        contacts = _contacts_at(old_email, new_email)
        for contact in contacts:
            contact.wanted_email = new_email
            contact.save(update_fields=["wanted_email"])
        make_all_due(contacts, "update_email_in_basket")
        return [contact.pk for contact in contacts]


def _contacts_at(email: str, new_email: str = "") -> list[Contact]:
    """
    Locked and evaluated contacts whom Basket has, or is to have, under an address.

    A member without a row, whose address it is or has become, gets one first.
    """
    site = get_site()
    addresses = Q(**{f"{site.email}__iexact": email})
    if new_email:
        addresses |= Q(**{f"{site.email}__iexact": new_email})
    members = site.member_model._base_manager.filter(addresses)
    rowless = set(
        members.exclude(
            pk__in=Contact.objects.filter(member__isnull=False).values("member")
        ).values_list("pk", flat=True)
    )
    if rowless:
        contacts, fresh = locked_contacts(rowless)
        evaluate(contacts, fresh=fresh, earlier=dict.fromkeys(rowless, email))
    here = is_at("email", email) | is_at("wanted_email", email)
    found = list(
        Contact.objects.filter(here, departed_at__isnull=True).order_by("pk").select_for_update()
    )
    evaluate(found)
    if not found:
        settled = timezone.now()
        found = [
            Contact.objects.create(
                email=email, wanted_email=email, touched_at=settled, settled_at=settled
            )
        ]
    return found
