"""The size of the code is counted in files, lines, and lines with code."""

from pathlib import Path

from benchmarks.size import Size, code_lines, size_of

MODULE = '''"""
A module.

With two paragraphs.
"""

# A comment.
LIMIT = 3  # a comment beside code
"""An attribute."""


def rows() -> str:
    """A docstring."""

    return """
    SELECT 1

    """


def one_line() -> None: "A docstring beside code."
'''


def test_blank_lines_comments_and_docstrings_are_not_code() -> None:
    assert code_lines(MODULE) == 6


def test_a_module_without_code_has_no_code_lines() -> None:
    assert code_lines('"""Only a docstring."""\n') == 0
    assert code_lines("") == 0


def test_templates_are_counted_without_blank_lines(tmp_path: Path) -> None:
    module = tmp_path / "rows.py"
    module.write_text(MODULE)
    template = tmp_path / "page.html"
    template.write_text("<p>\n\n</p>\n")

    size = size_of([module, template])

    assert size == Size(files=2, lines=len(MODULE.splitlines()) + 3, code=6 + 2)
