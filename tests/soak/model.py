"""The contents that Basket should have, by plain reasoning: no policy, no ledger, no database."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

PHONE, NDA = "mozilla-phone", "mozillians-nda"
OURS = (PHONE, NDA)
FOREIGN = "app-dev"


class Mark:
    """One opt-out; members who took it along share it."""


@dataclass(eq=False)
class Mailbox:
    """An address at Basket, in each of its spellings."""

    key: str
    spellings: tuple[str, ...]
    members: list["Member"] = field(default_factory=list)
    opted_out: dict[str, Mark] = field(default_factory=dict)
    everything_off: bool = False
    renamed_to: str = ""
    renamed_with: set[str] = field(default_factory=set)
    """Newsletters that its owner took along to another address at Basket, and may keep there."""

    is_known: bool = False
    """Whether Basket knew the person before, with a newsletter that is not this site's."""

    changes: int = 0

    @property
    def wanted(self) -> set[str]:
        """The newsletters that Basket should have there."""
        if self.renamed_to:
            return set()
        return {name for member in self.members for name in member.wishes} - set(self.opted_out)

    def note_change(self) -> None:
        """Count a change; the owner's new address loses newsletters that no member here wants."""
        self.changes += 1
        wishes = {name for member in self.members for name in member.wishes}
        self.renamed_with &= wishes


@dataclass(eq=False)
class Member:
    """One member, with all changes that were made to them."""

    profile_id: int
    user_id: int
    mailbox: Mailbox | None
    entitled: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(OURS, False))
    wanted: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(OURS, False))
    """The last decision: a changed outcome of the policy, an order, or a choice."""

    marks: dict[str, Mark] = field(default_factory=dict)
    deleted: bool = False
    changes: int = 0

    @property
    def wishes(self) -> set[str]:
        """The newsletters that they want and have not opted out of."""
        return {name for name in OURS if self.wanted[name] and name not in self.marks}

    def entitle(self, newsletter: str, *, entitled: bool) -> None:
        """Change a policy's outcome."""
        self.entitled[newsletter] = self.wanted[newsletter] = entitled

    def place(self, mailbox: Mailbox | None) -> None:
        """Move to another mailbox, or to none, and take the opt-outs of the old one along."""
        if self.mailbox is not None and self.mailbox is not mailbox:
            self.mailbox.members.remove(self)
            for name, mark in self.mailbox.opted_out.items():
                self.marks.setdefault(name, mark)
            self.mailbox.note_change()
        if mailbox is not None and self.mailbox is not mailbox:
            mailbox.members.append(self)
        self.mailbox = mailbox

    def delete(self) -> None:
        """Delete the member; opt-outs stay with the mailbox unless others there want it."""
        mailbox, self.deleted = self.mailbox, True
        if mailbox is not None:
            mailbox.members.remove(self)
            for name, mark in self.marks.items():
                if name not in mailbox.wanted:
                    mailbox.opted_out.setdefault(name, mark)
            mailbox.note_change()

    def opt_in(self, newsletter: str) -> None:
        """End their opt-out and the mailbox's, with all opt-outs that came from the mailbox's."""
        self.marks.pop(newsletter, None)
        self.wanted[newsletter] = True
        if self.mailbox is not None:
            mark = self.mailbox.opted_out.pop(newsletter, None)
            for other in self.mailbox.members if mark else ():
                if other.marks.get(newsletter) is mark:
                    del other.marks[newsletter]


def opt_out_at_basket(mailbox: Mailbox, newsletters: Iterable[str]) -> None:
    """Let a mailbox's owner opt out at Basket: it counts for all members there."""
    mark = Mark()
    for name in newsletters:
        mailbox.opted_out[name] = mark
        for member in mailbox.members:
            member.marks.setdefault(name, mark)


@dataclass(frozen=True)
class Verdict:
    """The differences of Basket and ledger from the model, one line for each."""

    lost: list[str]
    """Newsletters that are wanted and missing."""

    wrong: list[str]
    """Newsletters that are there and not wanted."""

    overridden: list[str]
    """Newsletters that are there despite an opt-out."""

    invented: list[str]
    """Opt-outs in the ledger that nobody made."""

    left_behind: list[str]
    """Mailboxes without members that are still in the ledger."""

    foreign: list[str]
    """Changes to newsletters that are not this site's."""

    @property
    def lines(self) -> list[str]:
        """All differences."""
        return [f"{kind}: {line}" for kind, lines in vars(self).items() for line in lines]


def judge(
    mailboxes: Iterable[Mailbox],
    held: Mapping[str, Iterable[str]],
    ledger: Mapping[str, Iterable[str]],
) -> Verdict:
    """
    Compare Basket and the ledger with the model.

    :param held: newsletters by address, of all people in Basket.
    :param ledger: opt-outs by mailbox, of all contacts in the ledger.
    """
    verdict = Verdict([], [], [], [], [], [])
    left = defaultdict(set, {email.lower(): set(names) for email, names in held.items()})
    opted_out = {key: set(names) for key, names in ledger.items()}
    for mailbox in mailboxes:
        holds = left.pop(mailbox.key, set())
        due = {FOREIGN} if mailbox.is_known and not mailbox.everything_off else set()
        if mailbox.renamed_to:
            elsewhere = left.pop(mailbox.renamed_to, set())
            verdict.wrong.extend(_named(mailbox, elsewhere - mailbox.renamed_with - {FOREIGN}))
            verdict.lost.extend(_named(mailbox, mailbox.renamed_with - elsewhere))
            verdict.foreign.extend(_named(mailbox, due - elsewhere))
            due = set()
        verdict.foreign.extend(_named(mailbox, due ^ (holds - set(OURS))))
        holds &= set(OURS)
        verdict.lost.extend(_named(mailbox, mailbox.wanted - holds))
        for name in sorted(holds - mailbox.wanted):
            against = name in mailbox.opted_out or any(name in m.marks for m in mailbox.members)
            (verdict.overridden if against else verdict.wrong).append(f"{mailbox.key}: {name}")
        known = opted_out.pop(mailbox.key, None)
        if known is not None and not mailbox.members:
            verdict.left_behind.append(mailbox.key)
        elif known is not None and not mailbox.renamed_to:
            marks = {name for member in mailbox.members for name in member.marks}
            verdict.invented.extend(_named(mailbox, known - marks - set(mailbox.opted_out)))
            verdict.overridden.extend(_named(mailbox, set(mailbox.opted_out) - known))
    verdict.wrong.extend(f"a stranger: {email}" for email in left)
    verdict.left_behind.extend(opted_out)
    return verdict


def _named(mailbox: Mailbox, newsletters: Iterable[str]) -> list[str]:
    return [f"{mailbox.key}: {name}" for name in sorted(newsletters)]
