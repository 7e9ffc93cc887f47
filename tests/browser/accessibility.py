"""Checks that everybody can use a page: axe-core's rules, and the keyboard."""

from typing import Literal

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Locator, Page

#: Findings of axe-core in Django's own templates, by rule: they are left to Django.
DJANGOS = {
    "link-in-text-block": ".breadcrumbs",
    # The search box of a list with a help text: its label is a picture's text.
    "label-title-only": "#changelist-search",
}

#: The light theme last, for the rest of the test.
THEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")

#: The other two of axe-core's four impacts are "minor" and "moderate".
LOOK = """
async djangos => {
    const animations = document.getAnimations()
        .filter(each => each.effect.getComputedTiming().iterations !== Infinity);
    await Promise.all(animations.map(each => each.finished.catch(() => null)));
    const found = await axe.run({resultTypes: ["violations"], elementRef: true, preload: false});
    return found.violations
        .filter(rule => ["serious", "critical"].includes(rule.impact))
        .flatMap(rule => rule.nodes
            .filter(node => !(rule.id in djangos && node.element.closest(djangos[rule.id])))
            .map(node => `${rule.id} (${rule.impact}): ${node.html}: ${node.failureSummary}`));
}
"""


def barriers(page: Page) -> list[str]:
    """
    Return axe-core's serious findings on the page as it is now: rule, element and reason.

    Waits for the whole page, as it may still be arriving after a click: a button without its text
    yet cannot be judged. Waits for animations as well: nor can a colour half-way through a change.
    """
    page.wait_for_load_state()
    page.evaluate(AXE_SCRIPT)
    found: list[str] = page.evaluate(LOOK, DJANGOS)
    return found


def barriers_by_theme(page: Page) -> list[str]:
    """Return axe-core's serious findings on the page in the light theme and in the dark one."""
    found = []
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        found += [f"{page.url}, {theme}: {barrier}" for barrier in barriers(page)]
    return found


def assert_accessible(page: Page) -> None:
    """Assert that axe-core finds nothing serious on the page."""
    found = barriers_by_theme(page)
    assert not found, "\n".join(found)


def tab_to(page: Page, wanted: Locator, *, most: int = 150) -> None:
    """
    Reach an element by the Tab key alone, from the present focus.

    :param most: the highest number of times to press the key.
    """
    wanted.wait_for()
    for _ in range(most):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"{wanted} is not reached by {most} times Tab on {page.url}")
