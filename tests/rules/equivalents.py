"""Changes of the rules that no test can notice, and why, for ``make mutants``."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Equivalent:
    """A changed line that behaves as the line before."""

    module: str
    before: str
    after: str
    why: str


EQUIVALENTS: tuple[Equivalent, ...] = ()
