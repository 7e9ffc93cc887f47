"""
Find what makes the repository's English hard to read for people from all over the world.

``python -m tests.docs.language`` prints the findings. The rules:

- A sentence begins with a thing or a person, not with a clause such as "What is due". A
  question may begin so.
- No bookish words.
- A paragraph of the docs has fewer than 80 words.

It reads docs, docstrings, comments, templates, texts for the screen and names of tests,
and the comments of stylesheets, scripts and the repository's own settings.
Code is not read, also where a text quotes it.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]

#: The folders of Python code and templates.
CODE = ("mozillians_basket", "project", "tests", "benchmarks", "docs")

LONGEST_PARAGRAPH = 79

#: The calls whose strings people read on a screen.
SCREENS = {"_", "_now", "_n", "_many", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy"}

HEADLESS = re.compile(
    r"(?:who|whom|whose|whoever|what|whatever|which|whichever)(?:\s|$)"
    r"|those\s+(?:who|whom|whose|that|which|with|without|of|in|at|on|from|for|here|there"
    r"|made|seen|sent|known|given|taken|held|found|left|gone|[a-z]+ed|[a-z]+ing)\b",
    re.IGNORECASE,
)

BOOKISH = re.compile(
    r"\b(?:whom|whoever|whomever|whosoever|anew|meanwhile|of theirs|lest|at the most"
    r"|amidst|amongst|henceforth|hitherto|thereby|therein|thereof|thereupon|thither|upon which"
    r"|whereby|wherein|whereof|whereupon|whilst"
    r"|(?:is|are|was|were) to (?!(?:the|an?|this|that|these|those|each|every|it|them|one|all)\b)"
    r"[a-z]+)\b",
    re.IGNORECASE,
)

#: A stop and a space end a sentence, so do the lines of a list or table.
STOP = re.compile(r"(?<=[.!?;])[\"')*_]*\s+|:\s+(?=who\b|whoever\b)")

QUOTED = re.compile(r"``.+?``|`[^`]*`", re.DOTALL)


class Text(NamedTuple):
    """A paragraph, a line of a list, a cell of a table, a comment, a string or a name."""

    line: int
    words: str
    is_docs: bool = False


class Finding(NamedTuple):
    """A place where a rule is broken."""

    path: str
    line: int
    rule: str
    words: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.words}"


def findings_in(path: str, text: str) -> list[Finding]:
    """Apply the rules to the text of a file; its name says how to read it."""
    found = {
        Finding(path, each.line, rule, words)
        for each in _texts(path, text)
        for rule, words in judge(each.words, is_docs=each.is_docs)
    }
    return sorted(found)


def judge(words: str, *, is_docs: bool = False) -> Iterator[tuple[str, str]]:
    """Apply the rules to a paragraph; code in it is already taken out or in back quotes."""
    plain = " ".join(QUOTED.sub("CODE", words).split())
    for sentence in STOP.split(plain):
        start = sentence.lstrip("*_#\"'([ ")
        if HEADLESS.match(start) and not sentence.rstrip("\"')*_ ").endswith("?"):
            yield "headless clause", sentence[:70]
    for found in BOOKISH.finditer(plain):
        yield "bookish", f"{found[0]!r} in {plain[max(0, found.start() - 30) : found.end() + 20]!r}"
    number = len(words.split())
    if is_docs and number > LONGEST_PARAGRAPH:
        yield "long paragraph", f"{number} words: {plain[:50]}"


def _texts(path: str, text: str) -> Iterator[Text]:
    if path.endswith(".md"):
        return _markdown(text)
    if path.endswith(".py"):
        return _python(path, text)
    if path.endswith((".html", ".txt")):
        return _template(text)
    return _comment_lines(text)


def _markdown(text: str) -> Iterator[Text]:
    paragraph: list[str] = []
    began, fence = 1, ""
    for number, line in enumerate([*text.splitlines(), ""], 1):
        mark = re.match(r"\s*(`{3,}|~{3,})", line)
        if mark:
            fence = "" if fence and mark[1].startswith(fence) else fence or mark[1]
        stripped = line.strip()
        is_apart = not stripped or bool(fence or mark) or stripped[0] in "|#>-*"
        if is_apart or re.match(r"\d+\. ", stripped):
            if paragraph:
                yield Text(began, " ".join(paragraph), is_docs=True)
            paragraph, began = [], number
        if fence or mark or not stripped:
            continue
        if stripped.startswith("|"):
            yield from (Text(number, cell.strip(), is_docs=True) for cell in _cells(stripped))
            continue
        words = _link_texts(re.sub(r"^(?:[-*>#]+|\d+\.) +", "", stripped))
        if stripped.startswith("#"):
            yield Text(number, words, is_docs=True)
            continue
        if not paragraph:
            began = number
        paragraph.append(words)


def _cells(line: str) -> list[str]:
    return [_link_texts(cell) for cell in re.split(r"(?<!\\)\|", line.strip("|"))]


def _link_texts(line: str) -> str:
    return re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", line)


def _python(path: str, text: str) -> Iterator[Text]:
    nodes = list(ast.walk(ast.parse(text)))
    alone = {each.value for each in nodes if isinstance(each, ast.Expr)}
    is_read = not path.startswith("tests/")  # tests repeat what the screens say
    for node in nodes:
        match node:
            case ast.Module() | ast.ClassDef():
                yield from _docstrings(node)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield from _docstrings(node)
                if name.startswith("test_"):
                    yield Text(node.lineno, name.removeprefix("test_").replace("_", " "))
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in SCREENS:
                for value in [*node.args, *(each.value for each in node.keywords)]:
                    yield from _strings(value)
            case ast.JoinedStr() | ast.Constant() if is_read and node not in alone:
                yield from (each for each in _strings(node) if " " in each.words)
    yield from _comments(text)


def _strings(value: ast.expr) -> Iterator[Text]:
    match value:
        case ast.Constant(value=str(words)):
            yield Text(value.lineno, words)
        case ast.JoinedStr(values=parts):
            words = "".join(
                str(getattr(each, "value", "")) if isinstance(each, ast.Constant) else "CODE"
                for each in parts
            )
            yield Text(value.lineno, words)


def _docstrings(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
) -> Iterator[Text]:
    """Read the strings that stand alone: docstrings, and those below attributes."""
    for each in node.body:
        match each:
            case ast.Expr(value=ast.Constant(value=str(words), lineno=line)):
                yield from _paragraphs(line, words)


def _paragraphs(line: int, words: str) -> Iterator[Text]:
    paragraph: list[str] = []
    for number, each in enumerate([*words.splitlines(), ""], line):
        stripped = each.strip()
        if not stripped or re.match(r"[-*] |:[a-z]+[^:]*:", stripped):
            if paragraph:
                yield Text(number - len(paragraph), " ".join(paragraph))
            paragraph = []
        if stripped and not stripped.startswith((">>>", "...")):
            paragraph.append(re.sub(r"^(?:[-*] |:[a-z]+[^:]*:)\s*", "", stripped))


def _comments(text: str) -> Iterator[Text]:
    block: list[str] = []
    last = -1
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        words = re.sub(r"\b(?:noqa|type: ignore|pragma:)\S*( [A-Z]+\d+,?)*", "", token.string)
        words, line = words.lstrip("#: -!"), token.start[0]
        stands_alone = not token.line[: token.start[1]].strip()
        if line != last + 1 or not stands_alone:
            if block:
                yield Text(last - len(block) + 1, " ".join(block))
            block = []
        block.append(words)
        last = line
    if block:
        yield Text(last - len(block) + 1, " ".join(block))


def _comment_lines(text: str) -> Iterator[Text]:
    """Read what stands behind ``#`` or ``//``, and between ``/*`` and ``*/``."""
    mark = re.compile(
        r"(?:^|(?<=\s))(?:#+|//) +([^\n]*(?:\n[ \t]*(?:#|//) [^\n]*)*)|/\*(.*?)\*/",
        re.MULTILINE | re.DOTALL,
    )
    for found in mark.finditer(text):
        words = re.sub(r"\n[ \t]*(?:#|//) ", "\n", found[1] or found[2] or "")
        yield Text(text.count("\n", 0, found.start()) + 1, words)


def _template(text: str) -> Iterator[Text]:
    """Read the text between tags, and the attributes that are shown or read aloud."""
    gone = re.compile(
        r"{#.*?#}|{% comment %}.*?{% endcomment %}|<(script|style)\b.*?</\1>|<!--.*?-->", re.DOTALL
    )
    text = gone.sub(_blank, text)
    shown = re.compile(r"""(?:title|alt|aria-label|placeholder)="([^"<>]*)\"""")
    translated = re.compile(r"""{% (?:translate|trans) (["'])(.*?)\1.*?%}""")
    pieces = [(found.start(), found[2]) for found in translated.finditer(text)]
    pieces += [(found.start(), found[1]) for found in shown.finditer(text)]
    text = re.sub(r"{{.*?}}", lambda found: f"`{_blank(found)[2:]}`", text, flags=re.DOTALL)
    text = re.sub(r"</?(?:a|b|code|em|strong|span|time)\b[^>]*>", _blank, text)
    bare = re.sub(r"{%.*?%}|<[^>]*>", lambda found: "\0" * len(found[0]), text, flags=re.DOTALL)
    pieces += [(found.start(), found[0]) for found in re.finditer(r"[^\0]+", bare)]
    for place, words in pieces:
        if words.strip():
            skipped = len(words) - len(words.lstrip())
            yield Text(text.count("\n", 0, place + skipped) + 1, words)


def _blank(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", found[0])


def files() -> Iterator[Path]:
    """List the files that are read: those of the repository, not what was built from them."""
    for name in ("*.md", "*.py", "*.toml", "*.yaml", "*file", ".*.yaml", ".ci/*", "*/*.in"):
        yield from sorted(path for path in ROOT.glob(name) if path.is_file())
    for folder in CODE:
        for pattern in ("*.py", "*.md", "*.html", "*.txt", "*.css", "*.js"):
            for path in sorted((ROOT / folder).rglob(pattern)):
                parts = set(path.relative_to(ROOT).parts)
                if not parts & {"_build", "migrations", "__pycache__", "locale", "examples"}:
                    yield path


def all_findings() -> list[Finding]:
    """Apply the rules to the whole repository."""
    return [
        finding
        for path in files()
        for finding in findings_in(str(path.relative_to(ROOT)), path.read_text())
    ]


def main() -> int:
    """Print the findings; end with 1 if there are any."""
    found = all_findings()
    for each in found:
        sys.stdout.write(f"{each}\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
