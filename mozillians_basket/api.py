"""The public functions for a site's own code, each about one member."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model, Q

from mozillians_basket import dispatch
from mozillians_basket.ledger import decisions
from mozillians_basket.ledger.share import Context, suppression_hashes
from mozillians_basket.middleware import current_actor
from mozillians_basket.models import (
    Approval,
    BulkItem,
    BulkRequest,
    Contact,
    Decision,
    Event,
    Member,
    Move,
    Subscription,
    Suppression,
    Touch,
)
from mozillians_basket.rules.evaluate import Result, contact_key
from mozillians_basket.site import get_site

__all__ = ["Result", "erase", "export", "opt_in", "opt_out", "order", "touch"]

#: Causes in the history.
CODE, CHOICE = "ordered by the site's code", "the member's own choice"
ERASURE = "erasure asked for"


def touch(member: Any) -> None:
    """
    Have a worker look at a member again: after ``QuerySet.update()``, raw SQL or a change of time.

    It costs one INSERT in the caller's transaction, and sends what the policies say then.

    :param member: a member, or their primary key.
    :raises ValueError: when it is no primary key.
    """
    source = get_site().member_model._meta.label
    row = Touch(
        member_id=_key(member), source=source, cause=Touch.Cause.CHANGED, actor_id=current_actor()
    )
    row.save(force_insert=True)
    dispatch.after_commit(int(row.pk))


def order(
    member: Any,
    newsletters: str | Iterable[str],
    *,
    subscribe: bool,
    despite_opt_out: bool = False,
    actor: Any = None,
) -> dict[str, Result]:
    """
    Subscribe or unsubscribe a member as an admin would order it, whatever the policies say.

    It stands until the outcome of the policy changes for this member, a later order
    comes, or the member chooses.

    :param member: a member, or their primary key.
    :param newsletters: slugs of this site's newsletters.
    :param despite_opt_out: subscribe them even if they opted out, which ends the opt-out.
    :param actor: the user who orders it, or their primary key, for the history. By
        default the user of the request, if the middleware is installed.
    :return: for each newsletter ``decided``, or ``refused`` because of an opt-out, or
        ``left`` because there is no such member.
    :raises UnknownNewsletter: when a newsletter is not this site's.
    """
    names, key = get_site().chosen(newsletters), _key(member)
    found: Mapping[str, Result] = decisions.order(
        [key],
        names,
        subscribe=subscribe,
        despite_opt_out=despite_opt_out,
        context=_context(CODE, actor),
    ).get(key, {})
    dispatch.send_after_commit(dispatch.LOOKUP)
    return {name: found.get(name, Result.LEFT) for name in names}


def opt_in(
    member: Any, newsletters: str | Iterable[str], *, actor: Any = None
) -> dict[str, Result]:
    """
    Subscribe a member by their own choice, as with a form on the site.

    It ends their opt-outs of these newsletters, and those of their mailbox. A later
    change of the policy's outcome supersedes it. Parameters are those of :func:`order`.

    :return: for each newsletter ``decided``, or ``left`` because there is no such member.
    :raises UnknownNewsletter: when a newsletter is not this site's.
    """
    return _choose(member, newsletters, actor, subscribe=True)


def opt_out(
    member: Any, newsletters: str | Iterable[str], *, actor: Any = None
) -> dict[str, Result]:
    """
    Unsubscribe a member by their own choice. No policy subscribes them again.

    The opt-out is theirs alone: another member with the same address keeps what they
    want. It ends by :func:`opt_in`, when they subscribe at Basket again, or by an order
    ``despite_opt_out``. Parameters and result are those of :func:`opt_in`.
    """
    return _choose(member, newsletters, actor, subscribe=False)


def export(member: Any) -> dict[str, Any]:
    """
    Return everything that the app stores about a member, by table, as values for JSON.

    It holds the address and Basket's token: give it to nobody else. The rows are those
    of the member, of the addresses that they have and had, and what they did as an
    admin if members are users. A row about a shared address is theirs too, unless it
    names another member.

    :param member: a member, or their primary key; they may have been deleted.
    :raises ValueError: when it is no primary key.
    """
    key = _key(member)
    members = list(_rows(Member, site_member=key))
    moves = list(_rows(Move, member__in=[member.pk for member in members]))
    places = {member.contact_id for member in members}
    places |= {end for move in moves for end in (move.source_id, move.target_id)}
    there = Q(contact__in=places - {None})
    mine, named = Q(member=key), {key, str(key)}
    keys = {contact_key(standing.email) for standing in get_site().standings([key]).values()}
    hashes = [marked for each in keys if each for marked in suppression_hashes(each)]
    acted = Q(actor=key) if get_site().member_model is get_user_model() else Q(pk__in=[])
    requests = [row for row in _rows(BulkRequest) if not named.isdisjoint(row.keys)]
    approvals = [row for row in _rows(Approval) if not named.isdisjoint(row.examples)]
    found: dict[str, Iterable[Model]] = {
        "members": members,
        "decisions": _rows(Decision, member__in=[member.pk for member in members]),
        "contacts": _rows(Contact, pk__in=places - {None}),
        "subscriptions": _rows(Subscription).filter(there),
        "moves": moves,
        "suppressions": _rows(Suppression, hash__in=hashes),
        "touches": _rows(Touch).filter(mine | acted),
        "events": _rows(Event).filter(mine | acted | (there & Q(member=None))),
        "bulk_items": _rows(BulkItem, member=key),
        "bulk_requests": [*requests, *_rows(BulkRequest).filter(acted)],
        "approvals": [*approvals, *_rows(Approval).filter(acted)],
    }
    values = {
        table: [
            {f.attname: getattr(row, f.attname) for f in row._meta.concrete_fields} for row in rows
        ]
        for table, rows in found.items()
    }
    for row in [*values["bulk_requests"], *values["approvals"]]:
        for column in {"keys", "examples"} & row.keys():  # other members' keys are theirs
            row[column] = [each for each in row[column] if each in named]
    for row in values["contacts"]:  # tokens of people who had the address before are theirs
        row["renamed_people"] = [*row["renamed_people"].values()]
    exported: dict[str, Any] = json.loads(json.dumps(values, cls=DjangoJSONEncoder))
    return exported


def _rows(model: type[Any], **conditions: Any) -> Any:
    return model.objects.filter(**conditions).order_by("pk")


def erase(email: str, *, actor: Any = None) -> bool:
    """
    Take this site's newsletters away from an address that no member has, and erase it.

    A worker does it, as after the deletion of a member: address, token and history go
    once no removal can take effect late, and opt-outs remain under a keyed hash.

    :return: whether anything is stored about the address.
    :raises ValueError: when Basket could not take the address, or a member of the site has it.
    """
    known = decisions.erase_address(email, _context(ERASURE, actor))
    dispatch.send_after_commit(dispatch.LOOKUP)
    return known


def _choose(
    member: Any, newsletters: str | Iterable[str], actor: Any, *, subscribe: bool
) -> dict[str, Result]:
    context = _context(CHOICE, actor)
    results = decisions.choose(_key(member), newsletters, subscribe=subscribe, context=context)
    dispatch.send_after_commit(dispatch.LOOKUP)
    return results


def _key(member: Any) -> Any:
    [key] = decisions.site_keys([getattr(member, "pk", member)])
    return key


def _context(cause: str, actor: Any) -> Context:
    actor_id = current_actor() if actor is None else getattr(actor, "pk", actor)
    return Context(cause=cause, actor_id=actor_id)
