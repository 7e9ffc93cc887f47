"""The story: the changes on the site, act by act, and the contents that Basket should have."""

from contextlib import suppress

from django.contrib.auth.models import User
from django.db import transaction
from waffle.models import Switch

from mozillians_basket.conf import SWITCH
from mozillians_basket.upkeep import verification
from project.demo.admin import AdminSession
from project.demo.stage import Stage
from project.groups.models import Group, Membership
from project.people.models import UserProfile, Vouch

PHONE, NDA = "mozilla-phone", "mozillians-nda"

#: Newsletters that are not the site's: people subscribe to them and leave them by themselves.
FIREFOX, DEVELOPERS = "mozilla-and-you", "app-dev"

#: The number of members that the admin subscribes at once.
CROWD = 50


class _RolledBack(Exception):
    """Rolls a transaction back."""


def address(number: int, *, name: str = "member") -> str:
    """Return the address of the member with this number."""
    return f"{name}-{number:02}@example.com"


class Story:
    """Acts that build on each other; play them in the order of ``play()``."""

    def __init__(self, stage: Stage, admin: AdminSession, founder: User) -> None:
        self.stage = stage
        self.expected = stage.expected
        self.admin = admin
        self.voucher = UserProfile.objects.create(user=founder)

    def play(self) -> None:
        """
        Play all acts.

        :raises ActFailed: at the first act that fails.
        """
        self.members_are_created()
        self.members_are_vouched()
        self.one_is_unvouched()
        self.some_join_the_nda_group()
        self.one_leaves_the_nda_group()
        self.some_change_address()
        self.some_opt_out()
        self.some_are_deleted()
        self.the_switch_is_off()
        self.the_switch_is_on_again()
        self.an_admin_subscribes_many()
        self.a_vouch_is_rolled_back()

    def members_are_created(self) -> None:
        """Members without a vouch get nothing; some have subscribed to other newsletters."""
        for number, newsletter in ((2, FIREFOX), (6, DEVELOPERS), (9, FIREFOX)):
            self.stage.basket.sign_up(address(number), newsletter)
            self.expected.gain(address(number), newsletter)
        with self.stage.act("Members are created. Basket hears of nobody.", unheard=True):
            for number in range(1, 14):
                with self.stage.change("created", address(number)):
                    create_member(address(number))
            self.stage.wait_until(self.stage.idle)

    def members_are_vouched(self) -> None:
        """Vouched members get phone news."""
        with self.stage.act("Members are vouched."):
            for number in range(1, 11):
                self.vouch(number)
                self.expected.gain(address(number), PHONE)

    def one_is_unvouched(self) -> None:
        """A member without vouches loses phone news, and keeps newsletters of their own choice."""
        with self.stage.act("One is unvouched, and keeps what is not the site's."):
            self.unvouch(2)
            self.expected.lose(address(2), PHONE)

    def some_join_the_nda_group(self) -> None:
        """Members of the group get its news; pending members do not."""
        with self.stage.act("Some join the NDA group; two are not in it yet."):
            for number in (3, 4, 6, 9):
                self.join(number, Membership.Status.MEMBER)
                self.expected.gain(address(number), NDA)
            self.join(5, Membership.Status.PENDING)
            self.join(7, Membership.Status.PENDING_TERMS)

    def one_leaves_the_nda_group(self) -> None:
        """The member who leaves keeps phone news."""
        with self.stage.act("One leaves the NDA group."):
            with self.stage.change("left the NDA group", address(3)):
                Membership.objects.get(profile=member(address(3))).delete()
            self.expected.lose(address(3), NDA)

    def some_change_address(self) -> None:
        """The new address takes over the site's newsletters, and no others."""
        with self.stage.act("Two change their primary address."):
            for number, newsletters in ((4, (PHONE, NDA)), (6, (PHONE, NDA))):
                self.change_address(number)
                self.expected.lose(address(number), *newsletters)
                self.expected.gain(address(number, name="renamed"), *newsletters)

    def some_opt_out(self) -> None:
        """Policies do not subscribe people who opted out at Basket."""
        verification.verify(None)  # a lookup must have shown the newsletters before the opt-out
        self.stage.wait_until(self.stage.settled)
        with self.stage.act("Two opt out at Basket. No later change subscribes them again."):
            self.stage.basket.leave(address(5), [PHONE])
            self.stage.note("unsubscribed at Basket", address(5), in_vain=True)
            self.expected.lose(address(5), PHONE)
            self.stage.basket.opt_out(address(7))
            self.stage.note("opted out of all at Basket", address(7), in_vain=True)
            self.expected.lose(address(7), PHONE)
            self.unvouch(5, in_vain=True)
            self.stage.wait_until(self.stage.idle)
            self.vouch(5, in_vain=True)
            with self.stage.change("accepted into the NDA group", address(7), in_vain=True):
                membership = Membership.objects.get(profile=member(address(7)))
                membership.status = Membership.Status.MEMBER
                membership.save()

    def some_are_deleted(self) -> None:
        """Basket keeps the newsletters of deleted members that are not the site's."""
        with self.stage.act("Two are deleted."):
            for number, newsletters in ((8, (PHONE,)), (9, (PHONE, NDA))):
                with self.stage.change("deleted", address(number)):
                    member(address(number)).user.delete()
                self.expected.lose(address(number), *newsletters)

    def the_switch_is_off(self) -> None:
        """Changes wait while the switch is off."""
        turn_switch(on=False)
        self.stage.wait_until(self.stage.still)
        with self.stage.act("The switch is off. Changes wait.", unheard=True):
            self.vouch(11)
            self.unvouch(10)
            self.change_address(3)
            self.join(12, Membership.Status.MEMBER)
            self.unvouch(1)
            self.vouch(1)

    def the_switch_is_on_again(self) -> None:
        """The changes made while the switch was off are sent, net."""
        with self.stage.act("The switch is on again. Everything that waited is sent."):
            turn_switch(on=True)
            waited = {11: (PHONE,), 12: (NDA,)}
            for number, newsletters in waited.items():
                self.expected.gain(address(number), *newsletters)
            self.expected.lose(address(10), PHONE)
            self.expected.lose(address(3), PHONE)
            self.expected.gain(address(3, name="renamed"), PHONE)
            self.stage.note("vouched while off", address(11))
            self.stage.note("unvouched while off", address(10))
            self.stage.note("changed address while off", address(3), address(3, name="renamed"))
            self.stage.note("joined the NDA group while off", address(12))
            self.stage.note("unvouched and vouched while off", address(1))

    def an_admin_subscribes_many(self) -> None:
        """Admins may subscribe anyone, vouched or not."""
        many = [address(number) for number in range(101, 101 + CROWD)]
        keys = [create_member(email).pk for email in many]
        self.stage.wait_until(self.stage.settled)
        title = f"An admin subscribes {CROWD} members who are not vouched, in the site's admin."
        with self.stage.act(title, summed_up=True):
            self.stage.note("subscribed by an admin", *many)
            self.admin.run_action("subscribe_user_to_basket", keys, [PHONE])
            for email in many:
                self.expected.gain(email, PHONE)

    def a_vouch_is_rolled_back(self) -> None:
        """A transaction that was rolled back has no effect."""
        self.stage.wait_until(self.stage.settled)
        with self.stage.act("A vouch is rolled back. Basket hears nothing.", unheard=True):
            with suppress(_RolledBack), transaction.atomic():
                self.vouch(13)
                raise _RolledBack
            self.stage.note("vouch rolled back", address(13))

    def vouch(self, number: int, *, in_vain: bool = False) -> None:
        """Have the founder vouch for a member."""
        with self.stage.change("vouched", address(number), in_vain=in_vain):
            Vouch.objects.create(voucher=self.voucher, vouchee=member(address(number)))

    def unvouch(self, number: int, *, in_vain: bool = False) -> None:
        """Take the vouches for a member away."""
        with self.stage.change("unvouched", address(number), in_vain=in_vain):
            member(address(number)).vouches_received.all().delete()

    def join(self, number: int, status: Membership.Status) -> None:
        """Put a member into the NDA group, or on the way into it."""
        with self.stage.change(f"NDA group: {status.label}", address(number)):
            Membership.objects.create(
                profile=member(address(number)), group=Group.objects.get(slug="nda"), status=status
            )

    def change_address(self, number: int) -> None:
        """Give a member another primary address."""
        old, new = address(number), address(number, name="renamed")
        with self.stage.change("old address", old):
            user = member(old).user
            user.email = new
            user.save()
        self.stage.note("new address", new)


def create_member(email: str) -> UserProfile:
    """Make a user with a profile, as signing up does."""
    with transaction.atomic():
        user = User.objects.create_user(email.partition("@")[0], email)
        return UserProfile.objects.create(user=user)


def member(email: str) -> UserProfile:
    """Return the member who has this address now."""
    return UserProfile.objects.select_related("user").get(user__email=email)


def turn_switch(*, on: bool) -> None:
    """Turn the switch of the app on or off."""
    Switch.objects.update_or_create(name=SWITCH, defaults={"active": on})
