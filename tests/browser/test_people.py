"""A member's and a group manager's story on the site, with Basket's contents after each act."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import Permission, User
from playwright.sync_api import Browser, Page, expect

from mozillians_basket.sandbox.testing import SandboxServer
from project.groups.models import Group, Membership
from project.people.models import UserProfile
from project.processes import Beat, Web, Worker, wait_until
from tests.browser.accessibility import assert_accessible, tab_to
from tests.browser.conftest import Start
from tests.browser.moves import PATIENCE, choose_language
from tests.browser.past import NDA, PHONE
from tests.browser.watch import Watch
from tests.factories import UserProfileFactory, VouchFactory

pytestmark = pytest.mark.browser

OPEN = "mozilla-foundation"
PASSWORD = "a long password"
OLD, NEW = "newcomer@example.com", "renamed@example.com"

Open = Callable[[str], Page]


@pytest.fixture
def running(start: Start) -> Web:
    """The site and its worker, with a newsletter that is open to all members."""
    web, *_others = start(Web, Worker, Beat, BASKET_OPEN_NEWSLETTERS=OPEN)
    assert isinstance(web, Web)
    return web


@pytest.fixture
def nda(basket: SandboxServer) -> Group:
    """The NDA group; tests with real transactions begin without the rows of migrations."""
    return Group.objects.get_or_create(slug="nda", defaults={"name": "NDA"})[0]


@pytest.fixture
def open_page(browser: Browser, running: Web) -> Iterator[Open]:
    """Open a page for a person with a browser of their own, signed in by the form."""
    with ExitStack() as stack:

        def open_page(username: str, width: int = 1280) -> Page:
            context = browser.new_context(
                base_url=running.url, locale="en-US", viewport={"width": width, "height": 800}
            )
            context.set_default_timeout(PATIENCE * 1000)
            stack.callback(context.close)
            watch = Watch(context, running.url)
            page = context.new_page()
            page.goto("/")
            page.get_by_role("link", name="Sign in").first.click()
            page.get_by_label("Username").fill(username)
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Sign in").click()
            expect(page.get_by_role("button", name=f"Sign out {username}")).to_be_visible()
            watches.append(watch)
            return page

        watches: list[Watch] = []
        yield open_page
        complaints = [line for watch in watches for line in watch.complaints]
    assert not complaints, "\n".join(complaints)


def person(username: str, email: str = "", *, vouched: bool = False) -> UserProfile:
    """Create a member who can sign in."""
    password = PBKDF2PasswordHasher().encode(PASSWORD, "salt", 1000)
    user = User.objects.create(
        username=username, email=email or f"{username}@example.com", password=password
    )
    profile = UserProfileFactory.create(user=user, full_name=username.capitalize())
    if vouched:
        VouchFactory.create(vouchee=profile)
    return profile


def wait_for(basket: SandboxServer, email: str, *newsletters: str) -> None:
    """Wait until Basket holds exactly these newsletters for an address."""

    def holds() -> bool:
        found = basket.person(email)
        return (set(found.newsletters) if found else set()) == set(newsletters)

    wait_until(holds, timeout=PATIENCE, what=f"{newsletters or 'nothing'} at {email}")


def newsletter(page: Page, title: str) -> "Newsletter":
    """Return one newsletter on the member's own page."""
    return Newsletter(page, title)


class Newsletter:
    """A newsletter on "My newsletters"."""

    def __init__(self, page: Page, title: str) -> None:
        heading = page.get_by_role("heading", name=title, exact=True)
        self._item = page.get_by_role("listitem").filter(has=heading)

    def says(self, text: str) -> None:
        """Wait for a text of it, without a reload of the page."""
        expect(self._item).to_contain_text(text, timeout=PATIENCE * 1000)

    def press(self, button: str) -> None:
        """Press one of its buttons."""
        self._item.get_by_role("button", name=button).click()


def told(page: Page, text: str) -> None:
    """Assert that the page confirms the action where a screen reader's focus is."""
    status = page.get_by_role("status")
    expect(status).to_contain_text(text)
    expect(status).to_be_focused()
    assert_accessible(page)


def test_a_members_story(open_page: Open, running: Web, basket: SandboxServer, nda: Group) -> None:
    newcomer = person("newcomer", OLD)
    person("voucher", vouched=True)
    page = open_page("newcomer")
    expect(page.get_by_text("No: another member has to vouch for you.")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("link", name="See what you get, and why").click()
    newsletter(page, "Mozilla phone").says("You do not get it. It is for vouched members.")
    assert_accessible(page)
    wait_for(basket, OLD)

    # Another member vouches for them.
    voucher = open_page("voucher")
    voucher.get_by_role("link", name="Members").click()
    assert_accessible(voucher)
    voucher.get_by_label("Name").fill("newc")
    voucher.get_by_role("button", name="Search").click()
    voucher.get_by_role("link", name="Newcomer").click()
    voucher.get_by_label("Why do you vouch for them?").fill("A friend")
    voucher.get_by_role("button", name="Vouch", exact=True).click()
    told(voucher, "You have vouched for Newcomer.")
    wait_for(basket, OLD, PHONE)
    page.reload()
    newsletter(page, "Mozilla phone").says("You get it. It is for vouched members")

    # They change their address; nothing happens before they confirm it.
    page.goto("/profile/address/")
    assert_accessible(page)
    page.get_by_label("New address").fill(NEW)
    page.get_by_role("button", name="Send the link").click()
    told(page, f"A link is on its way to {NEW}.")
    wait_for(basket, OLD, PHONE)
    wait_for(basket, NEW)
    [mail] = (running.folder / "mail").glob("*.log")
    link = re.search(r"http://\S+", mail.read_text())
    assert link is not None
    page.goto(link[0])
    assert_accessible(page)
    page.get_by_role("button", name="Use the new address").click()
    told(page, f"Your address is {NEW} now.")
    wait_for(basket, NEW, PHONE)
    wait_for(basket, OLD)

    # They opt out, by the keyboard, and see the result without a reload of the page.
    page.get_by_role("link", name="Newsletters", exact=True).click()
    newsletter(page, "Mozilla phone").says("You get it.")
    tab_to(page, page.get_by_role("button", name="Unsubscribe from Mozilla phone"))
    page.keyboard.press("Enter")
    told(page, "You opted out of Mozilla phone.")
    wait_for(basket, NEW)
    newsletter(page, "Mozilla phone").says("You do not get it. You opted out on")

    # They come back, and choose a newsletter that is open to all.
    newsletter(page, "Mozilla phone").press("Subscribe")
    told(page, "You chose Mozilla phone.")
    wait_for(basket, NEW, PHONE)
    newsletter(page, "Mozilla phone").says("You get it. You chose it on")
    newsletter(page, "Mozilla Foundation").press("Subscribe")
    wait_for(basket, NEW, PHONE, OPEN)
    newsletter(page, "Mozilla Foundation").says("You get it.")

    # Basket mails them the link to their subscriptions.
    page.get_by_role("button", name="Send me the link").click()
    told(page, f"Basket is sending a link to {NEW}.")
    assert [(each.kind, each.email) for each in basket.messages] == [("recover", NEW)]

    # They delete their account.
    page.goto("/")
    page.get_by_role("link", name="Delete your account").click()
    assert_accessible(page)
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Delete my account").click()
    told(page, "Your account is deleted.")
    wait_for(basket, NEW)
    assert not UserProfile.objects.filter(pk=newcomer.pk).exists()


def test_a_group_managers_story(open_page: Open, basket: SandboxServer, nda: Group) -> None:
    manager = person("manager", vouched=True)
    manager.user.user_permissions.add(Permission.objects.get(codename="change_membership"))
    member = person("member", vouched=True)
    email = member.user.email
    wait_for(basket, email, PHONE)
    page, managers = open_page("member"), open_page("manager")

    page.get_by_role("link", name="NDA", exact=True).first.click()
    assert_accessible(page)
    page.get_by_role("button", name="Ask to join").click()
    told(page, "You have asked to join NDA.")
    wait_for(basket, email, PHONE)

    managers.get_by_role("link", name="NDA", exact=True).first.click()
    assert_accessible(managers)
    managers.get_by_role("button", name="Accept Member").click()
    told(managers, "Member has yet to accept the terms.")
    wait_for(basket, email, PHONE)

    page.reload()
    page.get_by_label("I keep to myself what is confidential.").check()
    page.get_by_role("button", name="Accept the terms").click()
    told(page, "You are a member of NDA now.")
    wait_for(basket, email, PHONE, NDA)

    page.get_by_role("button", name="Leave the group").click()
    told(page, "You have left NDA.")
    wait_for(basket, email, PHONE)

    Membership.objects.create(profile=member, group=nda, status=Membership.Status.MEMBER)
    wait_for(basket, email, PHONE, NDA)
    managers.reload()
    managers.get_by_role("button", name="Remove Member").click()
    told(managers, "Member is not in NDA any more.")
    wait_for(basket, email, PHONE)


@pytest.mark.parametrize(
    ("language", "direction"), [("en", "ltr"), ("ar", "rtl"), ("de", "ltr"), ("fr", "ltr")]
)
def test_no_page_is_wider_than_a_phone(
    open_page: Callable[..., Page],
    nda: Group,
    basket: SandboxServer,
    language: str,
    direction: str,
) -> None:
    manager = person("manager-with-a-long-name", vouched=True)
    manager.user.user_permissions.add(Permission.objects.get(codename="change_membership"))
    other = person("somebody-else-with-a-long-name")
    Membership.objects.create(profile=other, group=nda, status=Membership.Status.PENDING)
    wait_for(basket, manager.user.email, PHONE)
    page = open_page("manager-with-a-long-name", 320)
    choose_language(page, language)

    too_wide, directions = [], set()
    for path in (
        *("/", "/profile/", "/profile/address/", "/profile/delete/", "/newsletters/"),
        *("/members/", f"/members/{other.pk}/", "/groups/nda/"),
    ):
        page.goto(path)
        assert_accessible(page)
        width = page.evaluate("document.documentElement.scrollWidth")
        too_wide += [f"{path}: {width}"] if width > 320 else []
        directions.add(page.locator("main").evaluate("main => getComputedStyle(main).direction"))

    assert not too_wide
    assert directions == {direction}


def test_page_in_arabic_shows_a_choice_carried_out_without_a_reload(
    open_page: Open, basket: SandboxServer
) -> None:
    member = person("member", vouched=True)
    wait_for(basket, member.user.email, PHONE)
    page = open_page("member")
    page.goto("/newsletters/")
    newsletter(page, "Mozilla phone").says("You get it.")

    choose_language(page, "ar")
    assert page.url.endswith("/newsletters/")
    newsletter(page, "هاتف Mozilla").press("إلغاء الاشتراك")
    told(page, "لقد اخترت عدم تلقي")

    newsletter(page, "هاتف Mozilla").says("أنت لا تتلقاها.")
    wait_for(basket, member.user.email)


def test_notice_of_a_changed_address_goes_without_a_reload(
    open_page: Open, basket: SandboxServer
) -> None:
    member = person("member", vouched=True)
    wait_for(basket, member.user.email, PHONE)
    page = open_page("member")
    basket.latency = 1.5
    member.user.email = NEW
    member.user.save(update_fields=["email"])

    page.goto("/newsletters/")
    notice = page.get_by_text("Your newsletters are moving to it.")
    expect(notice).to_be_visible()
    basket.latency = 0

    expect(notice).to_be_hidden(timeout=PATIENCE * 1000)
    wait_for(basket, NEW, PHONE)


def test_pages_work_while_the_worker_and_basket_are_away(
    open_page: Open, start: Start, basket: SandboxServer, running: Web, nda: Group
) -> None:
    member = person("member", vouched=True)
    wait_for(basket, member.user.email, PHONE)
    basket.fail(status=503)
    page = open_page("member")

    page.goto("/newsletters/")
    newsletter(page, "Mozilla phone").press("Unsubscribe")
    told(page, "You opted out of Mozilla phone.")
    page.get_by_role("button", name="Send me the link").click()
    told(page, "Basket cannot be reached at the moment.")
    basket.heal()

    wait_for(basket, member.user.email)
