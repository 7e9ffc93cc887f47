"""What keeps somebody from using a page: axe-core's rules, and the keyboard."""

from typing import Literal

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Locator, Page

#: What axe-core has against Django's own templates, by rule: where it is left to Django.
DJANGOS = {
    "link-in-text-block": ".breadcrumbs",
    # The search box of a list, once there is a help text: its label is a picture's text.
    "label-title-only": "#changelist-search",
}

#: The light one last, for what comes after.
THEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")

#: Of axe-core's four impacts "minor" and "moderate" are the others.
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
    What axe-core finds grave on the page as it is now: rule, element and reason, one line each.

    Animations are waited for: a colour half-way is no colour to judge.
    """
    page.evaluate(AXE_SCRIPT)
    found: list[str] = page.evaluate(LOOK, DJANGOS)
    return found


def barriers_by_theme(page: Page) -> list[str]:
    """What axe-core finds grave on the page in the light theme and in the dark one."""
    found = []
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        found += [f"{page.url}, {theme}: {barrier}" for barrier in barriers(page)]
    return found


def assert_accessible(page: Page) -> None:
    """Have axe-core find nothing grave on the page."""
    found = barriers_by_theme(page)
    assert not found, "\n".join(found)


def tab_to(page: Page, wanted: Locator, *, most: int = 150) -> None:
    """
    Reach an element by the Tab key alone, from where the focus is.

    :param most: how many times the key is pressed at most.
    """
    wanted.wait_for()
    for _ in range(most):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"{wanted} is not reached by {most} times Tab on {page.url}")
