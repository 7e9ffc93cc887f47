"""The brake: which removals by policies are held back until an admin approves them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from mozillians_basket.rules.rows import DecidedBy, Decision, Member, Rows, Settings

#: Within what time removals by policies add up.
WINDOW = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Brake:
    """The removals of one newsletter in the last hour, against what Basket has of it."""

    confirmed: int = 0
    """Confirmed subscriptions of the newsletter."""

    removed: int = 0
    """Removals by policies within the last hour."""

    on: bool = False
    """Whether removals are held back already and no admin has answered yet."""

    def allows(self, more: int, settings: Settings) -> bool:
        """
        Whether policies may remove ``more`` subscriptions now.

        Up to ``brake_floor`` an hour, or ``brake_ratio`` of the confirmed ones if
        that is more; once the brake is on, none until an admin approves.
        """
        limit = max(settings.brake_floor, settings.brake_ratio * self.confirmed)
        return not self.on and self.removed + more <= limit


def lately(removals: Mapping[str, int], now: datetime) -> dict[str, int]:
    """Return the removals by minute that still count."""
    oldest = (now - WINDOW).timestamp() // 60
    return {minute: number for minute, number in removals.items() if int(minute) >= oldest}


def ended(rows: Rows, member: Member, entitled: Mapping[str, bool]) -> set[str]:
    """Name the newsletters that policies gave a member, and give no more."""
    return {
        name
        for name, outcome in entitled.items()
        if gives(rows.decision(member, name)) and not outcome
    }


def gives(decision: Decision) -> bool:
    """
    Whether a policy gave a newsletter, and no end of that was applied.

    The policy's own decision that is still wanted after its end is one that a brake holds back.
    """
    return bool(decision.entitled or (decision.wanted and decision.decided_by == DecidedBy.POLICY))


def would_lose(rows: Rows, member: Member, newsletter: str, *, goes: bool) -> bool:
    """
    Whether Basket has a newsletter because this member, and nobody else there, wants it.

    Basket may have what it had before a loss, and what a member of an address that
    was never looked up wants. When the last member goes, the contact is cleared,
    also of newsletters that nobody decided on.
    """
    contact = rows.home(member)
    if contact is None:
        return False
    others = [other for other in rows.at(contact) if other.id != member.id]
    if any(rows.wishes(other, newsletter) for other in others):
        return False
    cleared = goes and not any(other.key for other in others)
    if not cleared and not rows.wishes(member, newsletter):
        return False
    places = [contact, *(rows.contacts[move.source_id] for move in rows.moves_of(member))]
    there = [rows.subscription(place, newsletter) for place in places]
    had = any((row.confirmed_at and not row.removal_pending) or row.requested_at for row in there)
    return had or (contact.looked_up_at is None and rows.wishes(member, newsletter))
