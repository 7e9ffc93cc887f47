"""Read a contact's rows as the plain values that planning works on."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from mozillians_basket.addresses import same_address
from mozillians_basket.conf import conf
from mozillians_basket.ledger.matching import is_at
from mozillians_basket.models import Contact, Subscription
from mozillians_basket.plan import NOTHING, Account, Line, Lookup, Plan, plan
from mozillians_basket.site import get_site
from mozillians_basket.states import State


def account_of(contact: Contact, subscriptions: Iterable[Subscription]) -> Account:
    """The contact and its subscriptions, as planning sees them."""
    recent = timezone.now() - timedelta(seconds=conf.REMOVAL_GRACE_SECONDS)
    return Account(
        email=contact.email,
        wanted_email=contact.wanted_email,
        refused_email=contact.refused_email,
        ours=get_site().newsletters,
        lines=tuple(
            Line(
                newsletter=row.newsletter,
                wanted=row.wanted,
                state=State(row.state),
                entitled=row.entitled,
                despite_opt_out=row.despite_opt_out,
                removal_pending=row.removed_at is not None and row.removed_at > recent,
            )
            for row in subscriptions
        ),
    )


def target_of(account: Account) -> str:
    """The address at which newsletters are wanted now."""
    return account.wanted_email if account.moving else account.email


def current_plan(
    contact: Contact, account: Account, lookup: Lookup, *, shared: bool = True
) -> Plan | None:
    """
    What is to be sent, going by what is wanted now and by an earlier lookup.

    ``None`` when the lookup no longer fits: the address changed since, or
    something is to be subscribed at an address that was not looked up.

    :param shared: whether other contacts have, or are to have, this one's address.
    """
    if not same_address(lookup.target, target_of(account)):
        return None
    todo = plan(account, lookup)
    if todo.unsubscribe:
        kept = _wanted_by_others(contact) if shared else NOTHING
        passing = account.moving and _others_pass(contact)
        if kept or passing:
            todo = plan(replace(account, kept=kept, passing=passing), lookup)
    if account.moving and todo.subscribe and not lookup.asked_for_new:
        return None
    return todo


def _wanted_by_others(contact: Contact) -> frozenset[str]:
    """Newsletters that other members with the same address want: Basket knows them as one."""
    return frozenset(
        Subscription.objects.filter(
            is_at("contact__email", contact.email) | is_at("contact__wanted_email", contact.email),
            contact__departed_at__isnull=True,
            wanted=True,
        )
        .exclude(contact=contact)
        .values_list("newsletter", flat=True)
    )


def _others_pass(contact: Contact) -> bool:
    """Whether an address has, or may have, newsletters of somebody who gave it up again."""
    # The condition on the empty string lets the database go by the partial index.
    given_up = is_at("moving_to", contact.email) & ~Q(moving_to="")
    left = is_at("email", contact.email) & Q(departed_at__isnull=False)
    return Contact.objects.filter(given_up | left).exclude(pk=contact.pk).exists()
