"""The check of the repository's English finds what it should, and only that."""

import pytest

from tests.docs.language import all_findings, findings_in, judge


def rules(path: str, text: str) -> list[tuple[int, str]]:
    return [(found.line, found.rule) for found in findings_in(path, text)]


@pytest.mark.parametrize(
    "words",
    [
        "Who opted out is left out.",
        "What is due is sent.",
        "What waits",
        "The row is kept. What is older is deleted.",
        "It is logged; what failed waits.",
        "A name can be an address: who may not view it is told the key.",
        "**What was tried.** The tests.",
        "Those who opted out stay out.",
        "Those made at Basket stay.",
        "Which part may be removed.",
        "Whatever fails is logged.",
        "Whose decision it is, and since when.",
    ],
)
def test_headless_clauses_are_found(words: str) -> None:
    assert [rule for rule, _words in judge(words)] == ["headless clause"]


@pytest.mark.parametrize(
    "words",
    [
        "Members who opted out are skipped.",
        "Those members keep it.",
        "Who did it?",
        "What happened, and who did it?",
        "The page says what waits, and who ordered it.",
        "It says why: the policy, or an order.",
        "`What` is the class's name.",
        "``Who`` leads to the user.",
        "Whether it is on, and since when.",
        "When the breaker opens, calls stop.",
        "Whole shares are retried.",
    ],
)
def test_other_sentences_pass(words: str) -> None:
    assert list(judge(words)) == []


@pytest.mark.parametrize(
    "words",
    [
        "The member whom it means.",
        "Ask whoever may.",
        "The contact begins anew.",
        "Changes made meanwhile are sent.",
        "A constraint of theirs.",
        "Lest it fails, it is locked.",
        "Three at the most.",
        "The contact is to be synced.",
        "They are to lose it.",
    ],
)
def test_bookish_words_are_found(words: str) -> None:
    assert [rule for rule, _words in judge(words)] == ["bookish"]


@pytest.mark.parametrize(
    "words",
    [
        "At most three.",
        "The way there is to the left.",
        "Its answer is to this question.",
        "The least of all, at the moment.",
        "A new one, and a while.",
        "``meanwhile`` is a variable.",
    ],
)
def test_plain_words_pass(words: str) -> None:
    assert list(judge(words)) == []


def test_long_paragraphs_are_found_in_docs_only() -> None:
    long, short = "word " * 80, "word " * 79

    assert rules("page.md", f"# Title\n{long}\n") == [(2, "long paragraph")]
    assert rules("page.md", f"{short}\n\n{short}\n") == []
    assert rules("page.md", f"- {short}\n- {short}\n") == []
    assert rules("module.py", f'"""{long}"""\n') == []


def test_markdown_is_read_without_its_code() -> None:
    page = """# What is due

A paragraph on
two lines. What is here?

```python
# What is due
```

| what it means | `what` |
| --- | --- |
| [What else](page.md) | good |

- What waits
1. What goes on
"""

    assert [line for line, _rule in rules("docs/page.md", page)] == [1, 10, 12, 14, 15]


def test_python_is_read_by_docstring_comment_string_and_name_of_test() -> None:
    module = '''"""What it is for."""

#: What is
#: due.
DUE = 1  # noqa: BLE001 - what fails is logged

class Row:
    due: bool
    """What is due."""


def work(what: str) -> str:
    """
    Do it.

    :return: what is due.
    """
    who = f"What waits: {what}"
    key = "what"
    return _("What") + who + key


def test_what_waits_is_sent() -> None:
    assert work("what it is")
'''

    found = {line for line, _rule in rules("mozillians_basket/module.py", module)}
    in_tests = {line for line, _rule in rules("tests/module.py", module)}

    assert found == {1, 3, 5, 9, 16, 18, 20, 23, 24}
    assert in_tests == found - {18, 24}


def test_templates_are_read_between_tags() -> None:
    page = """{% load i18n %}
{# What is not shown #}
<h1>{% translate "What waits" %}</h1>
<p>{{ what }} is <em>due</em>.
<a title="What it means" href="what">It</a></p>
<script>
// What is code
</script>
<p>{% blocktranslate %}Fine. What <b>waits</b> is sent.{% endblocktranslate %}</p>
<p>What is due?</p>
"""

    assert rules("app/templates/page.html", page) == [
        (3, "headless clause"),
        (5, "headless clause"),
        (9, "headless clause"),
    ]


def test_comments_of_other_files_are_read() -> None:
    makefile = """# What is due.
# It says
# what waits.
DUE := what is due
all: ## what it does
\tcat what # Fine.
"""
    stylesheet = """/* Fine. What is
due. */
p { color: what; } // What else
"""

    assert [line for line, _rule in rules("Makefile", makefile)] == [1, 5]
    assert [line for line, _rule in rules("page.css", stylesheet)] == [1, 3]


def test_repository_has_no_findings() -> None:
    assert [str(each) for each in all_findings()] == []
