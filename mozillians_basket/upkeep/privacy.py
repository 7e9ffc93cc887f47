"""Export everything that is stored about a member, for data-protection requests."""

import json
from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model, Q

from mozillians_basket.conf import conf
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
    alias,
)
from mozillians_basket.rules.evaluate import contact_key, suppression_hash
from mozillians_basket.site import get_site


def export_member(key: Any) -> dict[str, Any]:
    """
    Return all rows about a member, by table, as values that JSON can hold.

    These are the rows of the member, of the addresses that they have and had, and
    what they did as an admin if members are users. A row about a shared address is
    theirs too, unless it names another member.
    """
    members = list(_rows(Member, site_member=key))
    moves = list(_rows(Move, member__in=[member.pk for member in members]))
    places = {member.contact_id for member in members}
    places |= {end for move in moves for end in (move.source_id, move.target_id)}
    there = Q(contact__in=places - {None})
    mine, named = Q(member=key), {key, str(key)}
    keys = {contact_key(standing.email) for standing in get_site().standings([key]).values()}
    hashes = [suppression_hash(each, conf.SUPPRESSION_KEY.encode()) for each in keys if each]
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
    exported: dict[str, Any] = json.loads(json.dumps(values, cls=DjangoJSONEncoder))
    return exported


def _rows(model: type[Any], **conditions: Any) -> Any:
    return model._base_manager.using(alias()).filter(**conditions).order_by("pk")
