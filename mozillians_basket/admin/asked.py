"""Basket's live answer beside the ledger, as the page shows it."""

from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model
from django.http import HttpRequest

from mozillians_basket.admin.addresses import shown
from mozillians_basket.admin.asking import Answer, ask, distinct
from mozillians_basket.admin.dossier import Dossier
from mozillians_basket.site import get_site


@dataclass(frozen=True, slots=True)
class Row:
    """One newsletter of the site's."""

    newsletter: str
    state: str
    at_basket: bool
    agrees: bool


@dataclass(frozen=True, slots=True)
class Column:
    """One address, without the token that came with the answer."""

    address: str = field(repr=False)
    trouble: str
    known: bool
    opted_out: bool
    confirmed: bool
    others: int
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Asked:
    """All answers of Basket."""

    not_asked: str
    """The reason for which Basket was not asked; empty when it was."""

    columns: list[Column]


def asked(request: HttpRequest, member: Model, dossier: Dossier) -> Asked:
    """Ask about every address of a member's; takes some seconds when Basket is slow."""
    standing = get_site().standings([member.pk]).get(member.pk)
    known = [dossier.contact.email] if dossier.contact is not None else []
    on_site = standing.email if standing is not None else ""
    not_asked, answers = ask(distinct([on_site, *known, *dossier.emails_before]))
    return Asked(not_asked, [_column(request, answer, dossier) for answer in answers])


def _column(request: HttpRequest, answer: Answer, dossier: Dossier) -> Column:
    person: Any = answer.person
    return Column(
        address=shown(request, answer.address),
        trouble=answer.trouble,
        known=person is not None,
        opted_out=person is not None and person.optout,
        confirmed=person is not None and person.optin,
        others=answer.others,
        rows=[
            Row(
                entry.newsletter,
                entry.state,
                at_basket=answer.has(entry.newsletter),
                agrees=answer.has(entry.newsletter) == entry.held,
            )
            for entry in dossier.entries
        ],
    )
