"""Changes of the rules that no test can notice, and why, for ``make mutants``."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Equivalent:
    """A changed line that behaves as the line before."""

    module: str
    before: str
    after: str
    why: str


EQUIVALENTS: tuple[Equivalent, ...] = (
    Equivalent(
        "evaluate",
        'domain = idna.encode(domain, uts46=True).decode("ascii")',
        'domain = idna.encode(domain, uts46=True).decode("ASCII")',
        "Names of codecs have no case.",
    ),
    Equivalent(
        "evaluate",
        "return (2,) if standing.deleted else (0,)",
        "return (3,) if standing.deleted else (0,)",
        "It sorts after (1, ...) too.",
    ),
    Equivalent(
        "evaluate",
        "return (2,) if standing.deleted else (0,)",
        "return (2,) if standing.deleted else (1,)",
        "It sorts before (1, ...) too.",
    ),
    Equivalent(
        "evaluate",
        "for name in rows.settings.newsletters if member.id in rows.members else ():",
        "for name in rows.settings.newsletters if (member.id in rows.members) or True else ():",
        "A member who is gone has no marks, and nothing of theirs is held back.",
    ),
    Equivalent("evaluate", "changed = False", "changed = None", "Both are false."),
    Equivalent(
        "evaluate",
        "for key, earlier in before.decisions.items() if rows.moves else ():",
        "for key, earlier in before.decisions.items() if (rows.moves) or True else ():",
        "Without moves there is none away from the contact; the condition saves time.",
    ),
)
