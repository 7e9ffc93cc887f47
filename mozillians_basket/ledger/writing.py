"""Write back what evaluations changed of many contacts, in few statements."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.db import router

from mozillians_basket.ledger import statements
from mozillians_basket.ledger.compiled import concrete_names
from mozillians_basket.ledger.statements import Statement
from mozillians_basket.models import Contact, Subscription

#: What an evaluation may change of a contact.
SITE_FIELDS = ["member_id", "email", "wanted_email", "refused_email", "departed_at"]
DUE_FIELDS = [
    "touched_at", "priority", "not_before", "attempts", "parked_at", "cause", "leased_until",
    "claimed_touch", "lookup",
]  # fmt: skip
NEW_LINE_FIELDS = concrete_names(Subscription)[1:]  # but for the key
LINE_FIELDS = [
    "entitled", "wanted", "decided_by", "decided_at", "despite_opt_out", "state", "error_code",
]  # fmt: skip


def values_of(contact: Contact) -> dict[str, Any]:
    """What of a contact an evaluation may change, to tell later what it has."""
    return {name: getattr(contact, name) for name in (*SITE_FIELDS, *DUE_FIELDS)}


def write_back(
    contacts: Iterable[Contact],
    as_read: Mapping[int, dict[str, Any]],
    new_lines: Sequence[Subscription],
    changed_lines: Iterable[Subscription],
) -> None:
    """
    Write locked contacts and their lines back, what changes alike in one statement.

    One statement for all, with a case for each row, takes the longer the more
    rows there are: only those whose address changed need it, and lines that
    become different from each other.

    :param as_read: of each contact by key, what ``values_of`` said before.
    """
    using = router.db_for_write(Contact)
    writes = [*_new(using, new_lines), *_alike(using, changed_lines)]
    alike: dict[tuple[tuple[str, Any], ...], list[int]] = defaultdict(list)
    moved: list[Contact] = []
    for contact in contacts:
        before, after = as_read[contact.pk], values_of(contact)
        changes = {name: value for name, value in after.items() if value != before[name]}
        claimed = contact.leased_until != before["leased_until"]
        contact.revision += 1
        contact.lease += claimed
        if changes.keys() & SITE_FIELDS:
            moved.append(contact)
        else:
            alike[("claimed", claimed), *changes.items()].append(contact.pk)
    for differences, keys in alike.items():
        values = dict(differences)
        counted = ("revision", "lease") if values.pop("claimed") else ("revision",)
        writes.append(statements.change(using, Contact, keys, values, counted=counted))
    statements.execute_together(using, writes)
    names = [name.removesuffix("_id") for name in SITE_FIELDS]
    Contact.objects.bulk_update(moved, [*names, *DUE_FIELDS, "lease", "revision"])


def _new(using: str, lines: Sequence[Subscription]) -> Iterator[Statement]:
    rows = [{name: getattr(line, name) for name in NEW_LINE_FIELDS} for line in lines]
    size = statements.most_rows(using, Subscription, rows)
    for start in range(0, len(rows), size):
        yield statements.insertion(using, Subscription, rows[start : start + size])


def _alike(using: str, changed: Iterable[Subscription]) -> Iterator[Statement]:
    """A statement for lines that become alike; others are written at once."""
    lines = {line.pk: line for line in changed}
    values = [{name: getattr(line, name) for name in LINE_FIELDS} for line in lines.values()]
    if lines and all(each == values[0] for each in values):
        yield statements.change(using, Subscription, list(lines), values[0])
    else:
        Subscription.objects.bulk_update(lines.values(), LINE_FIELDS)
