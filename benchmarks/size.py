"""
Counts files and lines of Python per part of the repository: ``python -m benchmarks.size``.

A code line is a line that is not blank, a comment or a docstring. Strings that document an
attribute count as docstrings. The core is ``mozillians_basket`` without the sandbox, the admin
and the migrations. Migrations of the sandbox and of the site count as parts of these.
Templates are counted over all parts, and their code lines are those that are not blank.
"""

import ast
import io
import tokenize
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from benchmarks.results import Findings, Table, as_text

ROOT = Path(__file__).resolve().parent.parent
APP = ROOT / "mozillians_basket"

#: Folders of the app that count as parts of their own.
APART = ("admin", "sandbox", "migrations")

#: Folders of the repository that count as parts of their own.
AROUND = ("project", "tests", "benchmarks")

NO_CODE = frozenset(
    {
        tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
)  # fmt: skip


@dataclass(frozen=True)
class Size:
    """The numbers of files, lines, and lines with code."""

    files: int = 0
    lines: int = 0
    code: int = 0

    def __add__(self, other: Self) -> "Size":
        return Size(self.files + other.files, self.lines + other.lines, self.code + other.code)


def code_lines(source: str) -> int:
    """Count the lines of a Python module that are not blank, a comment or a docstring."""
    documenting = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    coded: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        first, last = token.start[0], token.end[0]
        is_documenting = token.type == tokenize.STRING and first in documenting
        if token.type not in NO_CODE and not is_documenting:
            coded.update(range(first, last + 1))
    blank = {number for number, line in enumerate(source.splitlines(), 1) if not line.strip()}
    return len(coded - blank)


def size_of(files: Iterable[Path]) -> Size:
    """Add up the sizes of Python modules and templates."""
    total = Size()
    for path in files:
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        filled = sum(bool(line.strip()) for line in lines)
        total += Size(1, len(lines), code_lines(text) if path.suffix == ".py" else filled)
    return total


def modules(folder: Path) -> list[Path]:
    """Return the Python modules below a folder."""
    return sorted(folder.rglob("*.py"))


def core() -> dict[str, Size]:
    """Return the sizes of the core's top-level modules and packages, the largest first."""
    entries = [path for path in APP.iterdir() if path.name not in APART]
    sizes = {
        f"{path.name}/" if path.is_dir() else path.name: size_of(
            modules(path) if path.is_dir() else [path] if path.suffix == ".py" else []
        )
        for path in entries
    }
    found = {name: size for name, size in sizes.items() if size.files}
    return dict(sorted(found.items(), key=lambda item: (-item[1].code, item[0])))


def templates() -> Size:
    """Return the size of all templates, in the app and in the folders around it."""
    folders = [APP, *(ROOT / name for name in AROUND)]
    return size_of(
        path for folder in folders for path in folder.rglob("templates/**/*") if path.is_file()
    )


def add(table: Table, name: str, size: Size) -> None:
    """Add a row with a size."""
    table.add(name, size.files, size.lines, size.code)


def findings() -> Findings:
    """Measure all parts."""
    found = Findings("Size of the repository")
    parts = found.table("By part", "part | files | lines | code lines")
    modules_of_core = core()
    add(parts, "core", sum(modules_of_core.values(), Size()))
    for name in APART:
        add(parts, name, size_of(modules(APP / name)))
    for name in AROUND:
        add(parts, name, size_of(modules(ROOT / name)))
    add(parts, "templates", templates())
    table = found.table("The core by module", "module | files | lines | code lines")
    for name, size in modules_of_core.items():
        add(table, name, size)
    return found


if __name__ == "__main__":
    print(as_text(asdict(findings())))
