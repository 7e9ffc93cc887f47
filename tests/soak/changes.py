"""Random changes of members, each made on the site or at Basket and told to the model."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from mozillians_basket.conf import conf
from mozillians_basket.ledger import decisions
from mozillians_basket.models import Contact, Decision, Event, Move, Subscription, Touch
from mozillians_basket.models import Member as Known
from mozillians_basket.rules.evaluate import Result
from mozillians_basket.rules.rows import DecidedBy, State, unseen
from mozillians_basket.sandbox.testing import SandboxServer
from project.groups.models import Group, Membership
from project.people.models import UserProfile, Vouch
from tests.soak.model import FOREIGN, NDA, OURS, PHONE, Mailbox, Member, opt_out_at_basket

#: Basket answers only four equal subscribes of a person in five minutes, so changes are limited.
CHANGES_EACH = 5

#: The number of unnoticed opt-outs of a newsletter at a time: three could look like a loss.
UNNOTICED = 2

Condition = Callable[[], bool]


class Changes:
    """Makes one random change after the other, of a few thousand members; the seed decides."""

    def __init__(self, basket: SandboxServer, chance: random.Random, members: int) -> None:
        self._basket = basket
        self._chance = chance
        self._nda = Group.objects.get_or_create(slug="nda", defaults={"name": "NDA"})[0]
        self._number = 0
        self.made: Counter[str] = Counter()
        self.mailboxes: list[Mailbox] = []
        self.frozen: dict[Mailbox, Condition] = {}
        """Mailboxes that must not change until the ledger has noticed something."""
        self._unnoticed: Counter[str] = Counter()
        self.surprises: list[str] = []
        """Orders with a wrong answer."""
        self.members = [self._arrive(self._mailbox()) for _ in range(members)]
        for mailbox in self.mailboxes[::7]:
            basket.put_person(mailbox.key, newsletters=[FOREIGN])
            mailbox.is_known = True
        self._kinds: dict[Callable[[Member], bool], int] = {
            self.vouch_or_unvouch: 36,
            self.join_or_leave: 24,
            self.join_or_leave_unseen: 6,
            self.move: 10,
            self.move_unseen: 3,
            self.spell_otherwise: 4,
            self.share_a_mailbox: 5,
            self.hand_a_mailbox_over: 5,
            self.empty_the_address: 2,
            self.roll_back: 3,
            self.delete: 4,
            self.delete_and_come_again: 3,
            self.opt_out_on_the_site: 4,
            self.opt_in_on_the_site: 6,
            self.order: 5,
            self.order_away: 4,
            self.order_despite: 6,
            self.opt_out_at_basket: 20,
            self.turn_everything_off: 8,
            self.come_back: 20,
            self.rename: 3,
        }

    def one(self) -> bool:
        """Make one change; return whether one was possible."""
        kinds, weights = list(self._kinds), list(self._kinds.values())
        for _ in range(50):
            member = self._chance.choice(self.members)
            change = self._chance.choices(kinds, weights)[0]
            if self._is_free(member) and change(member):
                self.made[change.__name__] += 1
                member.changes += 1
                if member.mailbox is not None:
                    member.mailbox.note_change()
                    if member.mailbox.renamed_to and member.mailbox not in self.frozen:
                        self._freeze(member.mailbox, self._at_rest(member.mailbox))
                return True
        return False

    def look(self) -> None:
        """Release the mailboxes that the ledger has noticed, and have the others looked up."""
        for mailbox, noticed in list(self.frozen.items()):
            if noticed():
                del self.frozen[mailbox]
        waiting = [mailbox.key for mailbox in self.frozen]
        idle = Contact.objects.filter(key__in=waiting, touched_at=None, parked=False, lease="")
        idle.update(touched_at=timezone.now(), not_before=None)
        self._unnoticed.clear()
        for mailbox in self.frozen:
            self._unnoticed.update(list(mailbox.opted_out))

    # The site.

    def vouch_or_unvouch(self, member: Member) -> bool:
        if not self._is_drained(member, PHONE):
            return False
        if member.entitled[PHONE]:
            for vouch in Vouch.objects.filter(vouchee_id=member.profile_id):
                vouch.delete()
        else:
            Vouch.objects.create(vouchee_id=member.profile_id)
        member.entitle(PHONE, entitled=not member.entitled[PHONE])
        return True

    def join_or_leave(self, member: Member) -> bool:
        if not self._is_drained(member, NDA):
            return False
        rows = Membership.objects.filter(profile_id=member.profile_id, group=self._nda)
        if member.entitled[NDA] and self._chance.random() < 0.5:
            for row in rows:
                row.delete()
        else:
            Membership.objects.update_or_create(
                profile_id=member.profile_id,
                group=self._nda,
                defaults={"status": self._other_status(member)},
            )
        member.entitle(NDA, entitled=not member.entitled[NDA])
        return True

    def join_or_leave_unseen(self, member: Member) -> bool:
        """Send no signal; only the reconciler can find the change."""
        if not self._is_drained(member, NDA):
            return False
        status = self._other_status(member)
        rows = Membership.objects.filter(profile_id=member.profile_id, group=self._nda)
        if not rows.update(status=status):
            Membership.objects.bulk_create(
                [Membership(profile_id=member.profile_id, group=self._nda, status=status)]
            )
        member.entitle(NDA, entitled=not member.entitled[NDA])
        return True

    def move(self, member: Member) -> bool:
        return self._move(member, self._mailbox())

    def move_unseen(self, member: Member) -> bool:
        """Send no signal; only the reconciler can find the change."""
        if not self._is_placed(member):
            return False
        target = self._mailbox()
        User.objects.filter(pk=member.user_id).update(email=self._spelled(target))
        member.place(target)
        return True

    def spell_otherwise(self, member: Member) -> bool:
        return member.mailbox is not None and self._move(member, member.mailbox)

    def share_a_mailbox(self, member: Member) -> bool:
        target = self._chance.choice(self.members).mailbox
        return self._may_arrive(target) and self._move(member, target)

    def hand_a_mailbox_over(self, member: Member) -> bool:
        heir, mailbox = self._chance.choice(self.members), member.mailbox
        if heir is member or not self._is_free(heir) or not self._may_arrive(mailbox):
            return False
        return self._move(member, self._mailbox()) and self._move(heir, mailbox)

    def empty_the_address(self, member: Member) -> bool:
        return self._move(member, None)

    def roll_back(self, member: Member) -> bool:
        """Roll a transaction back after its signals ran."""
        with transaction.atomic():
            Vouch.objects.create(vouchee_id=member.profile_id)
            transaction.set_rollback(True)
        return True

    def delete(self, member: Member) -> bool:
        mailbox = member.mailbox
        if not self._is_placed(member) or (member.marks and self._has_unseen_changes(mailbox)):
            return False
        User.objects.get(pk=member.user_id).delete()
        member.delete()
        self.members.remove(member)
        if mailbox is not None and member.marks:
            gone = Known.objects.filter(site_member=member.profile_id)
            self._freeze(mailbox, lambda: not gone.exists())
        return True

    def delete_and_come_again(self, member: Member) -> bool:
        mailbox = member.mailbox
        if member.marks or not self._may_arrive(mailbox) or not self.delete(member):
            return False
        self.members.append(self._arrive(mailbox, signals=True))
        return True

    # Choices and orders.

    def opt_out_on_the_site(self, member: Member) -> bool:
        name = self._chance.choice(OURS)
        decisions.choose(member.profile_id, [name], subscribe=False)
        opt_out = Mailbox("", ())
        opt_out_at_basket(opt_out, [name])
        member.marks[name] = opt_out.opted_out[name]
        return True

    def opt_in_on_the_site(self, member: Member) -> bool:
        name = self._chance.choice(OURS)
        if not self._may_override(member, name):
            return False
        decisions.choose(member.profile_id, [name], subscribe=True)
        self._override(member, name)
        return True

    def order(self, member: Member) -> bool:
        name, mailbox = self._chance.choice(OURS), member.mailbox
        vetoed = name in member.marks
        if mailbox is not None:
            vetoed = vetoed or bool(mailbox.renamed_to) or name in mailbox.opted_out
        asked_again = self._asked_again(mailbox, name)
        found = decisions.order([member.profile_id], [name], subscribe=True)
        refused = found[member.profile_id][name] == Result.REFUSED
        asked_again = asked_again or self._asked_again(mailbox, name)
        if refused != vetoed and not (vetoed and asked_again):
            self.surprises.append(self._surprise(member, name, f"{found}, not {vetoed}"))
        if not vetoed:
            member.wanted[name] = True
        return True

    def order_away(self, member: Member) -> bool:
        name = self._chance.choice(OURS)
        decisions.order([member.profile_id], [name], subscribe=False)
        member.wanted[name] = False
        return True

    def order_despite(self, member: Member) -> bool:
        name = self._chance.choice(OURS)
        if not self._may_override(member, name):
            return False
        decisions.order([member.profile_id], [name], subscribe=True, despite_opt_out=True)
        self._override(member, name)
        return True

    # People at Basket.

    def opt_out_at_basket(self, member: Member) -> bool:
        mailbox, held = member.mailbox, self._certain(member)
        held = [name for name in held if self._unnoticed[name] < UNNOTICED]
        if mailbox is None or not held or self._has_unanswered(mailbox):
            return False
        name = self._chance.choice(held)
        self._basket.put_person(mailbox.key, remove=[name])
        opt_out_at_basket(mailbox, [name])
        self._unnoticed[name] += 1
        self._freeze(mailbox, self._opted_out(mailbox, [name]))
        return True

    def turn_everything_off(self, member: Member) -> bool:
        mailbox = member.mailbox
        if mailbox is None or not self._certain(member) or self._has_unanswered(mailbox):
            return False
        self._basket.put_person(mailbox.key, newsletters=[], optout=True)
        mailbox.everything_off = True
        opt_out_at_basket(mailbox, [name for name in OURS if name not in mailbox.opted_out])
        self._freeze(mailbox, self._opted_out(mailbox, OURS))
        return True

    def come_back(self, member: Member) -> bool:
        mailbox = member.mailbox
        if mailbox is None or mailbox.renamed_to or mailbox.members != [member]:
            return False
        names = [name for name in mailbox.opted_out if name in member.marks]
        if not names or not self._is_known(mailbox) or not self._at_rest(mailbox)():
            return False
        if not self._opted_out(mailbox, names)() or self._has_unanswered(mailbox):
            return False  # the return would look like a late call
        name = self._chance.choice(names)
        self._basket.put_person(mailbox.key, add=[name], optout=False)
        self._is_back(mailbox)
        member.opt_in(name)
        held = Subscription.objects.filter(
            contact__key=mailbox.key, newsletter=name, seen_at__isnull=False
        )
        self._freeze(mailbox, held.exists)
        return True

    def rename(self, member: Member) -> bool:
        mailbox, held = member.mailbox, self._certain(member)
        if mailbox is None or not held or mailbox.opted_out or mailbox.everything_off:
            return False
        self._number += 1
        mailbox.renamed_to = f"renamed{self._number}@example.com"
        self._basket.put_person(mailbox.key, new_email=mailbox.renamed_to)
        mailbox.renamed_with = set(held)
        seen = Contact.objects.filter(key=mailbox.key, renamed_at__isnull=False)
        self._freeze(mailbox, seen.exists)
        return True

    # Conditions of changes.

    def _asked_again(self, mailbox: Mailbox | None, name: str) -> bool:
        """Whether a question about a loss has reopened a mailbox's opt-out."""
        rows = Subscription.objects.filter(newsletter=name, opted_out_at__isnull=False)
        rows = rows.exclude(state=State.OPTED_OUT)
        return mailbox is not None and rows.filter(contact__key=mailbox.key).exists()

    def _surprise(self, member: Member, name: str, answer: str) -> str:
        """Say what model and ledger know of a member whose order was answered wrongly."""
        mailbox = member.mailbox
        model = "marked" if name in member.marks else ""
        if mailbox is not None:
            model += f" opted out: {sorted(mailbox.opted_out)}, renamed: {mailbox.renamed_to}"
        known = Q(contact__members__site_member=member.profile_id)
        ledger = [*told_of(known, [member.profile_id])]
        return f"order of {name} for {member.profile_id}: {answer} ({model}) {ledger}"

    def _is_free(self, member: Member) -> bool:
        if member.mailbox in self.frozen or member.changes >= CHANGES_EACH:
            return False
        return member.mailbox is None or member.mailbox.changes < 2 * CHANGES_EACH

    def _is_placed(self, member: Member) -> bool:
        """Whether the ledger knows their address: it cannot notice a step that no signal showed."""
        known = Known.objects.filter(site_member=member.profile_id).first()
        key = member.mailbox.key if member.mailbox else None
        home = known.contact.key if known and known.contact else None
        return known is not None and home == key

    def _has_unseen_changes(self, mailbox: Mailbox | None) -> bool:
        """
        Whether a change there showed no signal, and the reconciler has not found it yet.

        A deleted member's opt-outs stay if nobody else there wants the newsletter, as far as
        the ledger knows.
        """
        if mailbox is None:
            return False
        there = Known.objects.filter(contact__key=mailbox.key, site_member__isnull=False)
        touched = set(Touch.objects.values_list("member", flat=True))
        known = set(there.values_list("site_member", flat=True)) - touched
        mates = [member for member in mailbox.members if member.profile_id not in touched]
        rows = Decision.objects.filter(member__site_member__in=known, entitled=True)
        return known != {mate.profile_id for mate in mates} or set(
            rows.values_list("member__site_member", "newsletter")
        ) != {(mate.profile_id, name) for mate in mates for name in OURS if mate.entitled[name]}

    def _is_drained(self, member: Member, newsletter: str) -> bool:
        """
        Return whether the ledger knows the policy's outcome.

        Two changes at once cancel out, and would not end an order that was made before.
        """
        known = Decision.objects.filter(
            member__site_member=member.profile_id, newsletter=newsletter
        ).first()
        ordered = known is not None and known.decided_by in {DecidedBy.ADMIN, DecidedBy.MEMBER}
        if member.wanted[newsletter] == member.entitled[newsletter] and not ordered:
            return True
        return bool(known and known.entitled) == member.entitled[newsletter]

    def _may_arrive(self, mailbox: Mailbox | None) -> bool:
        return mailbox is not None and not mailbox.renamed_to and mailbox not in self.frozen

    def _may_override(self, member: Member, newsletter: str) -> bool:
        mailbox = member.mailbox
        if mailbox is None or mailbox.renamed_to or not self._is_placed(member):
            return False
        return self._at_rest(mailbox)()

    def _override(self, member: Member, newsletter: str) -> None:
        member.opt_in(newsletter)
        mailbox = member.mailbox
        assert mailbox is not None
        self._is_back(mailbox)
        done = Decision.objects.filter(
            member__site_member=member.profile_id, newsletter=newsletter, despite_opt_out=False
        )
        self._freeze(mailbox, done.exists)

    def _is_back(self, mailbox: Mailbox) -> None:
        """Note a return: a person who had turned everything off lost other newsletters, too."""
        mailbox.is_known = mailbox.is_known and not mailbox.everything_off
        mailbox.everything_off = False

    def _freeze(self, mailbox: Mailbox, until: Condition) -> None:
        self.frozen[mailbox] = until

    def _opted_out(self, mailbox: Mailbox, names: "list[str] | tuple[str, ...]") -> Condition:
        rows = Subscription.objects.filter(
            contact__key=mailbox.key, newsletter__in=names, state=State.OPTED_OUT
        )
        return lambda: rows.count() == len(names)

    def _at_rest(self, mailbox: Mailbox) -> Condition:
        def condition() -> bool:
            contact = Contact.objects.filter(key=mailbox.key).first()
            keys = [member.profile_id for member in mailbox.members]
            if contact is None:  # not there yet, or erased, as nobody is there
                return not keys
            if contact.touched_at or contact.lease:
                return False
            if Touch.objects.filter(member__in=keys).exists():
                return False
            known = Decision.objects.filter(member__site_member__in=keys, entitled=True)
            entitled = {
                (member.profile_id, name)
                for member in mailbox.members
                for name in OURS
                if member.entitled[name]
            }
            if set(known.values_list("member__site_member", "newsletter")) != entitled:
                return False  # a change that no signal saw
            there = Known.objects.filter(contact=contact).values_list("site_member", flat=True)
            moving = Move.objects.filter(source=contact) | Move.objects.filter(target=contact)
            return set(there) == set(keys) and not moving.exists()

        return condition

    def _is_known(self, mailbox: Mailbox) -> bool:
        return self._basket.person(mailbox.key) is not None

    def _has_unanswered(self, mailbox: Mailbox) -> bool:
        """Whether a late call of ours could hide what somebody does at Basket now."""
        repeated = Subscription.objects.filter(unanswered_at__isnull=False)
        return repeated.filter(contact__key=mailbox.key).exists()

    def _certain(self, member: Member) -> list[str]:
        """Return the newsletters that their mailbox surely has: only these can be opted out of."""
        mailbox = member.mailbox
        if mailbox is None or mailbox.renamed_to or mailbox.everything_off:
            return []
        rows = list(Subscription.objects.filter(contact__key=mailbox.key))
        calm = timezone.now() - timedelta(seconds=2 * conf.REMOVAL_GRACE_SECONDS)
        for row in rows:
            late = row.removed_at is not None and row.removed_at > calm
            if row.requested_at or row.missing_at or unseen(row) or late or row.removal_pending:
                return []
        held = {row.newsletter for row in rows if row.state == State.SUBSCRIBED}
        if not held or held != mailbox.wanted or not self._at_rest(mailbox)():
            return []
        person = self._basket.person(mailbox.key)
        return sorted(held) if person and held <= set(person.newsletters) else []

    # Helpers.

    def _mailbox(self) -> Mailbox:
        self._number += 1
        name, ascii_form = f"soak{self._number}", "example.com"
        spellings: tuple[str, ...] = (f"{name}@{ascii_form}", f"{name.upper()}@Example.com ")
        if self._number % 5 == 0:
            ascii_form = "xn--mller-kva.example"
            spellings = f"{name}@{ascii_form}", f"{name.title()}@müller.example"
        self.mailboxes.append(Mailbox(f"{name}@{ascii_form}", spellings))
        return self.mailboxes[-1]

    def _spelled(self, mailbox: Mailbox) -> str:
        return self._chance.choice(mailbox.spellings)

    def _arrive(self, mailbox: Mailbox | None, *, signals: bool = False) -> Member:
        self._number += 1
        email = self._spelled(mailbox) if mailbox else ""
        user = User(username=f"soak{self._number}", email=email)
        profile = UserProfile(user=user)
        if signals:
            user.save()
            profile.save()
        else:
            User.objects.bulk_create([user])
            UserProfile.objects.bulk_create([profile])
        member = Member(profile.pk, user.pk, None)
        member.place(mailbox)
        return member

    def _move(self, member: Member, target: Mailbox | None) -> bool:
        user = User.objects.get(pk=member.user_id)
        user.email = self._spelled(target) if target else ""
        user.save()
        member.place(target)
        return True

    def _other_status(self, member: Member) -> Membership.Status:
        status = Membership.Status
        return status.PENDING if member.entitled[NDA] else status.MEMBER


def told_of(about: Q, keys: Iterable[Any]) -> Iterator[object]:
    """Yield what the ledger knows of a contact and its members, with the latest events."""
    yield from Subscription.objects.filter(about).values()
    yield from Decision.objects.filter(member__site_member__in=keys).values()
    for event in Event.objects.filter(about | Q(member__in=keys)).order_by("-pk")[:40]:
        yield (str(event.created_at.time()), event.kind, event.newsletters, event.outcome,
               event.cause, event.member_id)  # fmt: skip
