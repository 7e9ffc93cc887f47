"""What Basket should hold, by plain reasoning: no policy, no ledger, no database."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

PHONE, NDA = "mozilla-phone", "mozillians-nda"


@dataclass
class Member:
    """One member, as whoever made all the changes knows them."""

    profile_id: int
    user_id: int
    email: str
    vouched: bool = False
    joined: bool = False
    deleted: bool = False
    opted_out: set[str] = field(default_factory=set)
    everything_off: bool = False
    """Opted out of everything, not of single newsletters."""

    earlier: list[str] = field(default_factory=list)
    """Addresses that they had before."""

    changes: int = 0

    @property
    def entitled(self) -> set[str]:
        """What the site's rules give them."""
        if self.deleted:
            return set()
        return {name for name, meets in ((PHONE, self.vouched), (NDA, self.joined)) if meets}

    @property
    def wanted(self) -> set[str]:
        """What they should hold: a choice of their own beats the rules."""
        return self.entitled - self.opted_out


@dataclass(frozen=True)
class Verdict:
    """How what Basket holds differs from what it should hold, one line for each difference."""

    lost: list[str]
    """Wanted, and not held."""

    wrong: list[str]
    """Held, and not wanted."""

    violated: list[str]
    """Held against a person's own choice."""

    @property
    def is_good(self) -> bool:
        """Whether nothing differs."""
        return not (self.lost or self.wrong or self.violated)


def judge(members: Iterable[Member], held: Mapping[str, Iterable[str]]) -> Verdict:
    """
    Compare.

    :param held: newsletters by address, of everybody whom Basket knows.
    """
    verdict = Verdict([], [], [])
    left = {email: set(names) for email, names in held.items()}
    for member in members:
        holds = left.pop(member.email, set())
        who = f"member {member.profile_id}"
        verdict.lost.extend(f"{who}: {name}" for name in sorted(member.wanted - holds))
        for name in sorted(holds - member.wanted):
            chosen = name in member.opted_out and not member.deleted
            (verdict.violated if chosen else verdict.wrong).append(f"{who}: {name}")
        for email in member.earlier:
            names = sorted(left.pop(email, set()) if email != member.email else [])
            verdict.wrong.extend(f"{who}, at an earlier address: {name}" for name in names)
    verdict.wrong.extend(f"a stranger: {name}" for names in left.values() for name in sorted(names))
    return verdict
