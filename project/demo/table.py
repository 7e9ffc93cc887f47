"""Plain tables for a terminal, a file or a log."""

import os
import sys
from collections.abc import Sequence

GREEN, RED, BOLD = "32", "31", "1"


def coloured(text: str, colour: str) -> str:
    """Return ``text`` in a colour if the output is a terminal and NO_COLOR is not set."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\033[{colour}m{text}\033[0m"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, indent: str = "   ") -> str:
    """Return rows below their heads, each column as wide as its widest cell."""
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    lines = [heads, ["-" * width for width in widths], *rows]
    return "\n".join(
        indent
        + "  ".join(
            _in_colour(cell.ljust(width)) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    )


def _in_colour(cell: str) -> str:
    match cell.strip():
        case "ok":
            return coloured(cell, GREEN)
        case "WRONG":
            return coloured(cell, RED)
        case _:
            return cell


def say(text: str = "") -> None:
    """Write a line and flush it, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
