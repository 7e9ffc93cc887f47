"""Members, admins and Basket, doing anything in any order: a state machine and its model."""

from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from django.contrib.auth.models import User
from django.db import transaction
from django.test import TestCase
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from waffle.testutils import override_switch

from mozillians_basket import ledger, sync, tasks
from mozillians_basket.conf import SWITCH
from mozillians_basket.exceptions import LeaseLost
from mozillians_basket.ledger import create_batch
from mozillians_basket.models import Batch
from mozillians_basket.sandbox.testing import SandboxServer
from project.groups.models import Membership
from project.people.models import UserProfile
from tests.app.steps import drain_everything, run, settle_everything
from tests.factories import GroupFactory, UserProfileFactory, VouchFactory

PHONE, NDA, FOREIGN = "mozilla-phone", "mozillians-nda", "about-mozilla"
NEWSLETTERS = st.sampled_from([PHONE, NDA])
WHO = st.integers(0, 1)


@dataclass
class Expected:
    """What plain reasoning says of one member."""

    profile: UserProfile
    email: str
    entitled: set[str] = field(default_factory=set)
    noticed: set[str] = field(default_factory=set)
    wanted: set[str] = field(default_factory=set)
    opted_out: set[str] = field(default_factory=set)
    everything_off: bool = False

    def notice(self) -> None:
        """Whatever changed since the policies were last asked is a newer decision."""
        for name in self.entitled ^ self.noticed:
            (self.wanted.add if name in self.entitled else self.wanted.discard)(name)
        self.noticed = set(self.entitled)


class MemberStory(RuleBasedStateMachine):
    """Two members at a time; whoever is deleted is followed by somebody new."""

    basket: SandboxServer

    def __init__(self):
        super().__init__()
        self.basket.reset()
        self.example = transaction.atomic()
        self.example.__enter__()
        self.switch_on = self.is_up = True
        self.switch = override_switch(SWITCH, active=True)
        self.switch.enable()
        self.foreign = set()
        self.free = []
        self.number = 0

    @initialize()
    def begin(self):
        self.voucher = UserProfileFactory(user__email="voucher@example.com")
        self.nda = GroupFactory(slug="nda")
        self.members = [self.somebody(), self.somebody()]

    def somebody(self, email=""):
        self.number += 1
        email = email or f"member{self.number}@example.com"
        with self.commit():
            profile = UserProfileFactory(user__email=email)
        return Expected(profile, email)

    @contextmanager
    def commit(self):
        """A transaction of the site's that is committed; the worker gets its message."""
        with TestCase.captureOnCommitCallbacks(execute=True), transaction.atomic():
            yield
        if self.switch_on and hasattr(self, "members"):
            for member in self.members:
                member.notice()

    @rule(who=WHO)
    def vouch_or_unvouch(self, who):
        member = self.members[who]
        with self.commit():
            if PHONE in member.entitled:
                member.profile.vouches_received.all().delete()
            else:
                VouchFactory(vouchee=member.profile, voucher=self.voucher)
            member.entitled ^= {PHONE}

    @rule(who=WHO, status=st.sampled_from(["member", "pending", "left"]), bypass=st.booleans())
    def join_or_leave_the_nda_group(self, who, status, bypass):
        member = self.members[who]
        rows = Membership.objects.filter(profile=member.profile, group=self.nda)
        with self.commit():
            if status == "left":
                rows.delete()
            elif bypass and rows.update(status=status):
                UserProfile.objects.get(pk=member.profile.pk).save()
            else:
                Membership.objects.update_or_create(
                    profile=member.profile, group=self.nda, defaults={"status": status}
                )
            (member.entitled.add if status == "member" else member.entitled.discard)(NDA)

    @rule(who=WHO, choice=st.integers(0, 5), bypass=st.booleans())
    def change_address(self, who, choice, bypass):
        member = self.members[who]
        if member.everything_off:
            return
        self.number += 1
        choices = [member.email.upper(), f"member{self.number}@example.com", *self.free]
        email = choices[choice % len(choices)]
        with self.commit():
            if bypass:
                User.objects.filter(pk=member.profile.user_id).update(email=email)
                UserProfile.objects.get(pk=member.profile.pk).save()
            else:
                user = User.objects.get(pk=member.profile.user_id)
                user.email = email
                user.save()
        if email.lower() != member.email.lower():
            self.free = [each for each in self.free if each != email] + [member.email]
        member.email = email

    @rule(who=WHO, again=st.booleans())
    def delete_a_member(self, who, again):
        member = self.members[who]
        with self.commit():
            member.profile.user.delete()
        same = member.email if again and not member.opted_out else ""
        self.members[who] = self.somebody(same)

    @rule(who=WHO)
    def think_better_of_it(self, who):
        member = self.members[who]
        with self.commit(), transaction.atomic():
            member.profile.vouches_received.all().delete()
            VouchFactory(vouchee=member.profile)
            user = User.objects.get(pk=member.profile.user_id)
            user.email = "never@example.com"
            user.save()
            transaction.set_rollback(True)

    @precondition(lambda self: self.switch_on)
    @rule(who=WHO, newsletter=NEWSLETTERS, action=st.sampled_from(Batch.Action))
    def an_admin_decides(self, who, newsletter, action):
        member = self.members[who]
        with self.commit():
            create_batch(action, [newsletter], [member.profile.pk], actor=None)
        tasks.sweep()
        subscribe = action == Batch.Action.SUBSCRIBE
        (member.wanted.add if subscribe else member.wanted.discard)(newsletter)

    @precondition(lambda self: self.switch_on and self.is_up)
    @rule(who=WHO, newsletter=NEWSLETTERS)
    def opt_out_of_one(self, who, newsletter):
        member = self.members[who]
        settle_everything()
        if newsletter in member.wanted - member.opted_out:
            self.basket.put_person(member.email, remove=[newsletter])
            member.opted_out.add(newsletter)

    @precondition(lambda self: self.switch_on and self.is_up)
    @rule(who=WHO)
    def opt_out_of_everything(self, who):
        member = self.members[who]
        settle_everything()
        if member.wanted - member.opted_out == {PHONE, NDA}:
            self.basket.put_person(member.email, newsletters=[], optout=True)
            self.foreign.discard(member.email.lower())
            member.opted_out |= {PHONE, NDA}
            member.everything_off = True

    @precondition(lambda self: self.switch_on and self.is_up)
    @rule(who=WHO, newsletter=NEWSLETTERS)
    def an_admin_overrides_an_opt_out(self, who, newsletter):
        member = self.members[who]
        if newsletter not in member.opted_out or member.everything_off:
            return
        settle_everything()
        with self.commit():
            create_batch(
                Batch.Action.SUBSCRIBE,
                [newsletter],
                [member.profile.pk],
                actor=None,
                despite_opt_out=True,
            )
        settle_everything()
        member.opted_out.discard(newsletter)
        member.wanted.add(newsletter)

    @rule(who=WHO)
    def subscribe_to_what_is_not_ours(self, who):
        member = self.members[who]
        if not member.everything_off:
            self.basket.put_person(member.email.lower(), add=[FOREIGN])
            self.foreign.add(member.email.lower())

    @rule()
    def turn_the_switch(self):
        self.switch_on = not self.switch_on
        self.switch.disable()
        self.switch = override_switch(SWITCH, active=self.switch_on)
        self.switch.enable()
        if not self.switch_on:
            self.basket.clear_requests()
            return
        assert self.basket.requests == []
        tasks.sweep()
        for member in self.members:
            member.notice()

    @rule()
    def go_down_or_come_up(self):
        if self.is_up:
            self.basket.fail(status=500)
        else:
            self.basket.heal()
        self.is_up = not self.is_up

    @precondition(lambda self: self.is_up)
    @rule(
        endpoint=st.sampled_from(["lookup", "subscribe", "unsubscribe"]),
        kind=st.sampled_from(["drop", "malformed", "html"]),
    )
    def fail_once(self, endpoint, kind):
        self.basket.fail(endpoint, kind=kind, times=1)

    @precondition(lambda self: self.switch_on)
    @rule(steps=st.integers(0, 3))
    def a_worker_dies(self, steps):
        drain_everything()
        for member in self.members:
            member.notice()
        for lease in ledger.claim_next():
            with suppress(LeaseLost):
                run(lease, *(sync.look_up, sync.subscribe, sync.unsubscribe)[:steps])

    def teardown(self):
        try:
            if hasattr(self, "members"):
                self.end()
        finally:
            self.switch.disable()
            transaction.set_rollback(True)
            self.example.__exit__(None, None, None)

    def end(self):
        """With the switch on and Basket well, all that happened is carried."""
        self.basket.heal()
        if not self.switch_on:
            self.turn_the_switch()
        settle_everything(rounds=16)
        expected = {email: {FOREIGN} for email in self.foreign}
        for member in self.members:
            member.notice()
            expected.setdefault(member.email.lower(), set()).update(
                member.wanted - member.opted_out
            )
        holds = {email.lower(): set(each.newsletters) for email, each in self.basket.people.items()}
        assert {email: names for email, names in holds.items() if names} == {
            email: names for email, names in expected.items() if names
        }
