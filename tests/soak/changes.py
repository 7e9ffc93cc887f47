"""Random changes of members, each made on the site or at Basket and told to the model."""

import random
from collections import Counter
from collections.abc import Callable

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F

from mozillians_basket.models import Contact, Subscription
from mozillians_basket.sandbox.testing import SandboxServer
from mozillians_basket.states import HELD
from project.groups.models import Group, Membership
from project.people.models import UserProfile, Vouch
from tests.soak.model import NDA, PHONE, Member

#: Basket answers four equal subscribes of one person in five minutes, so nobody gets many more.
CHANGES_EACH = 5


class Changes:
    """Makes one change after the other, of a few thousand members, as the seed has it."""

    def __init__(self, basket: SandboxServer, chance: random.Random, members: int) -> None:
        self._basket = basket
        self._chance = chance
        self._nda = Group.objects.get_or_create(slug="nda", defaults={"name": "NDA"})[0]
        self.made: Counter[str] = Counter()
        self.members = self._populate(members)
        self._changeable = list(self.members)
        self._kinds: list[tuple[Callable[[Member], bool], int]] = [
            (self.vouch_or_unvouch, 36),
            (self.join_or_leave, 24),
            (self.change_email, 12),
            (self.join_or_leave_unseen, 8),
            (self.change_email_unseen, 3),
            (self.think_better_of_it, 3),
            (self.delete, 4),
            (self.opt_out, 80),
            (self.opt_out_of_everything, 30),
        ]

    def _populate(self, number: int) -> list[Member]:
        users = User.objects.bulk_create(
            User(username=f"soak{n}", email=f"soak{n}@example.com") for n in range(number)
        )
        profiles = UserProfile.objects.bulk_create(UserProfile(user=user) for user in users)
        return [Member(each.pk, each.user_id, each.user.email) for each in profiles]

    def one(self) -> bool:
        """Make one change; return whether anybody was left to be changed."""
        functions, weights = zip(*self._kinds, strict=True)
        for _ in range(50):
            if not self._changeable:
                return False
            member = self._chance.choice(self._changeable)
            change = self._chance.choices(functions, weights)[0]
            if change(member):
                self.made[change.__name__] += 1
                member.changes += 1
                if member.deleted or member.changes >= CHANGES_EACH:
                    self._changeable.remove(member)
                return True
        return True

    def vouch_or_unvouch(self, member: Member) -> bool:
        if member.vouched:
            Vouch.objects.filter(vouchee_id=member.profile_id).delete()
        else:
            Vouch.objects.create(vouchee_id=member.profile_id)
        member.vouched = not member.vouched
        return True

    def join_or_leave(self, member: Member) -> bool:
        rows = Membership.objects.filter(profile_id=member.profile_id, group=self._nda)
        if member.joined and self._chance.random() < 0.5:
            rows.delete()
        else:
            status = Membership.Status.PENDING if member.joined else Membership.Status.MEMBER
            Membership.objects.update_or_create(
                profile_id=member.profile_id, group=self._nda, defaults={"status": status}
            )
        member.joined = not member.joined
        return True

    def join_or_leave_unseen(self, member: Member) -> bool:
        """No signal is sent; only the reconciler can find it."""
        status = Membership.Status.PENDING if member.joined else Membership.Status.MEMBER
        rows = Membership.objects.filter(profile_id=member.profile_id, group=self._nda)
        if not rows.update(status=status):
            Membership.objects.bulk_create(
                [Membership(profile_id=member.profile_id, group=self._nda, status=status)]
            )
        member.joined = not member.joined
        return True

    def change_email(self, member: Member) -> bool:
        email = self._other_address(member)
        if not email:
            return False
        user = User.objects.get(pk=member.user_id)
        user.email = email
        user.save()
        self._moved(member, email)
        return True

    def change_email_unseen(self, member: Member) -> bool:
        """No signal is sent; only the reconciler can find it."""
        email = self._other_address(member)
        if not email:
            return False
        User.objects.filter(pk=member.user_id).update(email=email)
        self._moved(member, email)
        return True

    def _other_address(self, member: Member) -> str:
        if member.everything_off:
            return ""  # what Basket then knows of the new address is nobody's choice
        if member.earlier and self._chance.random() < 0.3:
            return member.earlier[0]
        return f"soak{member.profile_id}-{len(member.earlier)}@example.com"

    def _moved(self, member: Member, email: str) -> None:
        member.earlier = [*(each for each in member.earlier if each != email), member.email]
        member.email = email

    def think_better_of_it(self, member: Member) -> bool:
        """A transaction that is rolled back after its signals ran."""
        with transaction.atomic():
            Vouch.objects.filter(vouchee_id=member.profile_id).delete()
            user = User.objects.get(pk=member.user_id)
            user.email = "never@example.com"
            user.save()
            transaction.set_rollback(True)
        return True

    def delete(self, member: Member) -> bool:
        User.objects.get(pk=member.user_id).delete()
        member.deleted = True
        return True

    def opt_out(self, member: Member) -> bool:
        held = self._confirmed(member)
        if not held:
            return False
        name = self._chance.choice(sorted(held))
        self._basket.put_person(member.email, remove=[name])
        member.opted_out.add(name)
        return True

    def opt_out_of_everything(self, member: Member) -> bool:
        if self._confirmed(member) != {PHONE, NDA}:
            return False
        self._basket.put_person(member.email, newsletters=[], optout=True)
        member.opted_out |= {PHONE, NDA}
        member.everything_off = True
        return True

    def _confirmed(self, member: Member) -> set[str]:
        """What this member has for certain: only that can be opted out of."""
        at_rest = Contact.objects.filter(
            member_id=member.profile_id,
            email__iexact=member.email,
            touched_at__lte=F("settled_at"),
            leased_until__isnull=True,
        )
        lines = Subscription.objects.filter(contact__in=at_rest, state__in=HELD, wanted=True)
        names = set(lines.values_list("newsletter", flat=True))
        person = self._basket.person(member.email) if names else None
        return names & person.newsletters if person else set()
