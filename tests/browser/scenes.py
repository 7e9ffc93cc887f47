"""The scenes of the pictures in the docs: each page in a telling state."""

import random
from collections.abc import Iterator
from datetime import timedelta

from django.core.management import call_command
from django.utils import timezone
from playwright.sync_api import Page, expect

from mozillians_basket.conf import SWITCH
from mozillians_basket.models import Contact, Event, FailingContact
from mozillians_basket.sandbox.testing import SandboxServer
from mozillians_basket.upkeep import reconcile, statistics
from project.people.management.commands.demo_data import (
    ADMIN,
    MANAGER,
    PASSWORD,
    address_of,
    username_of,
)
from project.people.models import UserProfile
from project.processes import wait_until
from tests.browser.crowd import COUNTRIES, address, crowd
from tests.browser.moves import (
    PATIENCE,
    choice,
    choose_action,
    choose_language,
    number,
    open_member,
    select_all,
)
from tests.browser.past import NDA, PHONE
from tests.services.site import unsettled

#: The number of members besides those of the demo data.
MANY = 1800

#: Members with an address that Basket refuses, with a failing lookup, and with an opt-out.
INVALID, FAILING, OPTED_OUT = (6, 30), (14,), (18, 24, 42)

#: Members with a refusal in the bulk request only.
REFUSED_LATER = (48, 54)


def prepare() -> None:
    """Fill an empty database; the switch is on."""
    call_command("migrate", verbosity=0)
    call_command("demo_data", verbosity=0)
    call_command("waffle_switch", SWITCH, "on", create=True)
    crowd(MANY, is_vouched=lambda number: number % 2 == 0)


class Scenes:
    """The scenes, in an order in which each one starts from the state after the one before."""

    def __init__(self, page: Page, basket: SandboxServer) -> None:
        self.page = page
        self.basket = basket

    def play(self) -> Iterator[tuple[str, bool]]:
        """Yield at each picture: its name, and whether it shows the full page."""
        self.live()
        yield from self.members()
        self.log_in()
        yield from self.bulk_request()
        yield from self.somebody()
        yield from self.lists()
        yield from self.brake()

    def live(self) -> None:
        """Let all members but some get their newsletter."""
        for who in OPTED_OUT:
            self.basket.put_person(address(who), optout=True)
        for who in INVALID:
            self.basket.fail("subscribe", status=400, code=2, email=address(who))
        for who in FAILING:
            self.basket.fail("lookup", status=503, email=address(who))
        reconcile.apply()
        wait_until(
            lambda: (
                len(unsettled()) <= len(FAILING)
                and FailingContact.objects.filter(failing_since__isnull=False).count()
                == len(INVALID) + len(FAILING) + 1  # and the demo data's blocked domain
            ),
            timeout=600,
            what="what the members get",
        )
        remember_weeks()

    def members(self) -> Iterator[tuple[str, bool]]:
        """A member's newsletters, and the group's page for its manager."""
        self.sign_in(username_of(1))
        self.page.goto("/newsletters/")
        self.page.get_by_role("button", name="Unsubscribe from Mozilla phone").click()
        wait_until(
            lambda: PHONE not in self.basket.people[address_of(1)].newsletters,
            timeout=PATIENCE,
            what="an opt-out",
        )
        self.page.get_by_role("button", name="Subscribe to Mozilla Foundation").click()
        state = self.page.get_by_role("listitem").filter(has_text="Mozilla Foundation")
        expect(state).to_contain_text("You get it.", timeout=PATIENCE * 1000)
        self.page.goto("/newsletters/")
        expect(self.page.get_by_text("You are being unsubscribed.")).to_be_hidden(
            timeout=PATIENCE * 1000
        )
        yield "my-newsletters", True
        wide = self.page.viewport_size
        self.page.set_viewport_size({"width": 360, "height": 740})
        yield "my-newsletters-phone", False
        if wide is not None:
            self.page.set_viewport_size(wide)
        choose_language(self.page, "ar")
        yield "my-newsletters-arabic", True
        choose_language(self.page, "en")
        self.page.get_by_role("button", name="Sign out").click()
        self.sign_in(MANAGER)
        self.page.goto("/groups/nda/")
        yield "nda-group", True
        self.page.get_by_role("button", name="Sign out").click()

    def sign_in(self, username: str) -> None:
        """Sign in as one of the demo data's members."""
        self.page.goto("/sign-in/")
        self.page.get_by_label("Username").fill(username)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("button", name="Sign out")).to_be_visible()

    def log_in(self) -> None:
        """Log in as the demo data's admin."""
        self.page.goto("/admin/")
        self.page.get_by_label("Username").fill(ADMIN)
        self.page.get_by_label("Password").fill(ADMIN)
        self.page.get_by_role("button", name="Log in").click()

    def bulk_request(self) -> Iterator[tuple[str, bool]]:
        """A bulk request for all vouched members of one country."""
        for who in REFUSED_LATER:
            self.basket.fail("subscribe", status=400, code=2, email=address(who))
        meant = UserProfile.objects.filter(is_vouched=True, country=COUNTRIES[0])
        self.page.goto(f"/admin/people/userprofile/?is_vouched__exact=1&country={COUNTRIES[0]}")
        select_all(self.page, meant.count())
        self.page.get_by_label("Action:").select_option("subscribe_user_to_basket")
        yield "bulk-select", False
        choose_action(self.page, "subscribe_user_to_basket")
        choice(self.page, NDA).check()
        yield "bulk-confirm", True
        self.basket.latency = 0.4
        self.page.get_by_role("button", name="Subscribe", exact=True).click()
        expect(self.page.get_by_text("members a second")).to_be_visible(timeout=PATIENCE * 1000)
        bar = self.page.get_by_role("progressbar", name="Progress")
        wait_until(
            lambda: 30 <= bar.evaluate("bar => bar.value") < 100,
            timeout=PATIENCE,
            what="a third of the members",
        )
        yield "bulk-progress", False
        self.basket.latency = 0
        expect(self.page.get_by_text("Finished:").first).to_be_visible(timeout=PATIENCE * 1000)
        expect(number(self.page, "failed")).not_to_have_text("0")
        self.page.reload()
        yield "bulk-failures", False

    def somebody(self) -> Iterator[tuple[str, bool]]:
        """A member without newsletters, and Basket's answer about them."""
        open_member(self.page, address(INVALID[0]))
        self.page.get_by_role("button", name="Ask Basket").click()
        expect(self.page.get_by_text("Basket's answer now")).to_be_visible()
        yield "member", True

    def lists(self) -> Iterator[tuple[str, bool]]:
        """Problems, overview and history."""
        self.page.goto("/admin/mozillians_basket/failingcontact/")
        yield "problems", False
        self.page.goto("/admin/mozillians_basket/status/")
        yield "overview", True
        self.page.goto("/admin/mozillians_basket/event/")
        yield "history", False

    def brake(self) -> Iterator[tuple[str, bool]]:
        """A brake: many members would lose their newsletter at once."""
        UserProfile.objects.filter(country=COUNTRIES[1]).update(is_vouched=False)
        reconcile.apply()
        self.page.goto("/admin/mozillians_basket/status/removals/")
        yield "brake", True


def remember_weeks() -> None:
    """Create events of the last thirty days: more in the daytime, and one bad day."""
    chance = random.Random(1)
    now = timezone.now()
    well = Contact.objects.filter(failing_since__isnull=True)
    contacts = list(well.values_list("pk", "members__site_member"))
    events = []
    for hour in range(2, 30 * 24):
        moment = now - timedelta(hours=hour)
        busy = 9 if 7 <= moment.hour <= 19 else 2
        is_bad = 11 * 24 <= hour < 12 * 24
        kinds = [Event.Kind.SUBSCRIBED] * chance.randint(0, busy)
        kinds += [Event.Kind.UNSUBSCRIBED] * chance.randint(0, busy // 4)
        kinds += [Event.Kind.REFUSED] * chance.randint(0, busy if is_bad else busy // 8)
        for kind in kinds:
            contact_id, member_id = chance.choice(contacts)
            events.append(
                Event(contact_id=contact_id, member_id=member_id, kind=kind, created_at=moment)
            )
    Event.objects.bulk_create(events)
    statistics.count_past_hours()
