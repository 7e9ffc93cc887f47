"""The whole story as a state machine: a site, Basket with its faults, and what must always hold."""

import copy
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mozillians_basket.rules.evaluate import contact_key
from mozillians_basket.rules.rows import Settings, State, held, unseen
from tests.rules.basket import Fault, Record
from tests.rules.world import EXTRA, FOREIGN, NDA, PHONE, POLICIES, World

NEWSLETTERS = (PHONE, NDA, EXTRA)
KEYS = ("ana", "ben", "cem")
MAILBOXES = (
    "ana@example.com",
    "ANA@Example.com ",
    "ben@example.com",
    "cem@müller.example",
    "cem@xn--mller-kva.example",
    "dee@example.com",
    "",
)
CROWD = 8

keys = st.sampled_from(KEYS)
mailboxes = st.sampled_from(MAILBOXES)
newsletters = st.sampled_from(NEWSLETTERS)
policies = st.sampled_from(POLICIES)
pauses = st.sampled_from([None, 2, 100])
"""Seconds for which the worker works after an act; none for ``None``."""


class Story(RuleBasedStateMachine):
    """Members, admins, people at Basket and faults, in any order."""

    world_class: type[World] = World

    def __init__(self) -> None:
        super().__init__()
        settings = Settings(newsletters=frozenset(NEWSLETTERS), sample_size=CROWD)
        self.world = self.world_class(settings)
        self.basket = self.world.basket
        self.opted_out: set[tuple[str, str]] = set()
        """Mailbox or member, and newsletter: somebody really opted out."""
        self.clean: set[tuple[str, str]] = set()
        """Mailboxes' opt-outs that nothing made ambiguous, and that nobody took back."""
        self.marked: set[tuple[str, str]] = set()
        """Member and newsletter: they were at a mailbox when its clean opt-out was found."""
        self.leaving: set[tuple[str, str]] = set()
        """The same for members who left that mailbox before a lookup found it."""
        self.wishes: dict[tuple[str, str], bool] = {}
        self.entitled: dict[tuple[str, str], bool] = {}
        self.unsure: set[tuple[str, str]] = set()
        """Member and newsletter: what Basket showed may have changed what is wanted."""
        self.own: set[tuple[str, str]] = set()
        """Mailbox and newsletter that people subscribed to at Basket."""
        self.homes: dict[str, set[str]] = {key: set() for key in KEYS}
        self.foreign: dict[str, set[str]] = {}
        self.seen_calls = 0
        self.acts = 0
        self.recovered_after = -1
        """The number of acts at the last recovery: another one right after it shows nothing."""
        self.plain = True
        """Whether Basket carries out what it answers, when it answers, and loses nothing."""
        self.renames = 0
        self.renamed: dict[str, str] = {}
        """New addresses of people who were renamed while nothing was open, and their mailboxes."""
        self.backup: list[Record] | None = None
        self.basket.on_unsubscribe = self.new_before_old

    @initialize(plain=st.booleans(), share_size=st.sampled_from([2, 60, 60]))
    def crowd(self, plain: bool, share_size: int) -> None:
        self.plain, self.world.share_size = plain, share_size
        for number in range(CROWD):
            self.world.join(f"crowd{number}", f"crowd{number}@example.com", *POLICIES)
        self.join("ana", MAILBOXES[0], set(POLICIES), None)
        self.join("ben", MAILBOXES[2], {PHONE}, None)
        self.join("cem", MAILBOXES[3], set(), None)
        for _ in range(2):
            self._work(5)
            self.world.verify()
        self._work(5)

    # The site.

    @rule(key=keys, mailbox=mailboxes, entitled=st.sets(policies), pause=pauses)
    def join(self, key: str, mailbox: str, entitled: set[str], pause: int | None) -> None:
        if key not in self.world.site:
            self.homes[key] = set()
            self._arrive(key, mailbox)
            self.world.join(key, mailbox, *entitled)
            self._work(pause)

    @rule(key=keys, newsletter=policies, pause=pauses)
    def flip_policy(self, key: str, newsletter: str, pause: int | None) -> None:
        if key in self.world.site:
            entitled = self.world.site[key].entitled[newsletter]
            self.world.entitle(key, newsletter, entitled=not entitled)
            self._work(pause)

    @rule(key=keys, mailbox=mailboxes, pause=pauses)
    def change_email(self, key: str, mailbox: str, pause: int | None) -> None:
        if key in self.world.site:
            self._depart(key)
            self._arrive(key, mailbox)
            self.world.change_email(key, mailbox)
            self._work(pause)

    def _depart(self, key: str) -> None:
        """Expect that opt-outs of the mailbox are found although the member leaves it now."""
        home, member = contact_key(self.world.site[key].email), self.world.member(key)
        if member is not None and not self.world.touches and self.world.contact(home) is not None:
            here = member.contact_id == self.world.contact(home).id
            decided = {
                name for name in NEWSLETTERS if (member.id, name) in self.world.rows.decisions
            }
            self.leaving |= {(key, n) for n in decided if here and (home, n) in self.clean}

    def _arrive(self, key: str, mailbox: str) -> None:
        home, member = contact_key(mailbox), self.world.member(key)
        self.homes[key].add(home)
        self.unsure |= {(key, name) for box, name in self.own if box == home}
        for name in NEWSLETTERS:
            if member and self.world.rows.decision(member, name).despite_opt_out:
                self._take_back(home, name)

    @rule(key=keys)
    def delete(self, key: str) -> None:
        if key not in self.world.site:
            return
        self.drain()
        home = contact_key(self.world.site[key].email)
        alone = home not in {contact_key(m.email) for k, m in self.world.site.items() if k != key}
        left = {(home, name) for who, name in self.clean if who == key and home and alone}
        for name in NEWSLETTERS:
            if (key, name) in self.opted_out or self._homes_opted_out(key, name):
                self.opted_out |= {(box, name) for box in self.homes[key]}
        self.world.delete(key)
        self.clean = {pair for pair in self.clean if pair[0] != key} | left
        self.marked = {pair for pair in self.marked if pair[0] != key}
        self.leaving = {pair for pair in self.leaving if pair[0] != key}
        self.own = {pair for pair in self.own if pair[0] != home}
        self.drain()

    def drain(self) -> None:
        """Work the touches off, and keep the model of what members want in step."""
        touched = {key for key, _ in self.world.touches}
        self.world.drain()
        for key in touched:
            known = self.world.site.get(key)
            for name in NEWSLETTERS:
                if known is None:
                    self.wishes.pop((key, name), None)
                    self.entitled.pop((key, name), None)
                    self.unsure.discard((key, name))
                elif name in known.entitled:
                    outcome = known.entitled[name]
                    if outcome != self.entitled.get((key, name), False):
                        self.entitled[key, name] = self.wishes[key, name] = outcome
                        self.unsure.discard((key, name))

    # Admins and members' own choices.

    @rule(key=keys, newsletter=newsletters, kind=st.sampled_from(["subscribe", "despite", "no"]))
    def order(self, key: str, newsletter: str, kind: str) -> None:
        if key not in self.world.site:
            return
        self.drain()
        [result] = self.world.order(
            key, newsletter, subscribe=kind != "no", despite_opt_out=kind == "despite"
        )
        if result == "decided":
            self.wishes[key, newsletter] = kind != "no"
            self.unsure.discard((key, newsletter))
            if kind == "despite":
                self._allow(key, newsletter)
        else:
            assert (key, newsletter) in self.opted_out or self._homes_opted_out(key, newsletter)

    @rule(key=keys, newsletter=newsletters)
    def opt_in(self, key: str, newsletter: str) -> None:
        if key in self.world.site:
            self.drain()
            self.world.opt_in(key, newsletter)
            self.wishes[key, newsletter] = True
            self.unsure.discard((key, newsletter))
            self._allow(key, newsletter)

    @rule(key=keys, newsletter=newsletters)
    def opt_out(self, key: str, newsletter: str) -> None:
        if key in self.world.site:
            self.drain()
            self.world.opt_out(key, newsletter)
            self.opted_out.add((key, newsletter))
            self.clean.add((key, newsletter))
            for home in self.homes[key]:  # stays with the mailbox once the member is deleted
                self.opted_out.add((home, newsletter))

    # People at Basket.

    @rule(mailbox=mailboxes, newsletter=newsletters, pause=pauses)
    def own_unsubscribe(self, mailbox: str, newsletter: str, pause: int | None) -> None:
        person = self.basket.find(mailbox)
        if person and newsletter in person.newsletters:
            self.basket.own_unsubscribe(mailbox, newsletter)
            self._really(mailbox, newsletter)
            if self._is_clear(mailbox, newsletter):
                self.clean.add((contact_key(mailbox), newsletter))
            if pause is not None:
                self.world.verify(mailbox)
                self._work(pause)

    def _is_clear(self, mailbox: str, newsletter: str) -> bool:
        """Whether nothing but the person can have taken away what is missing now."""
        world, contact = self.world, self.world.contact(mailbox)
        if contact is None or world.touches or self.basket.queue or self.backup:
            return False
        row = world.rows.subscription(contact, newsletter)
        calm = row.removed_at is None and row.requested_at is None and row.missing_at is None
        despite = [world.rows.decision(m, newsletter) for m in world.rows.at(contact)]
        quiet = calm and not any(decision.despite_opt_out for decision in despite)
        return quiet and held(row) and not unseen(row) and world.rows.question(newsletter) is None

    @rule(mailbox=mailboxes)
    def own_opt_out_of_all(self, mailbox: str) -> None:
        if self.basket.find(mailbox):
            self.basket.opt_out_of_all(mailbox)
            for name in NEWSLETTERS:
                self._really(mailbox, name)
                contact = self.world.contact(mailbox)
                explicit = contact and self.world.rows.despite_opt_outs(contact, name)
                if self.backup is None and not explicit and not self.basket.queue:
                    self.clean.add((contact_key(mailbox), name))
            self.foreign.pop(contact_key(mailbox), None)

    @rule(mailbox=mailboxes, newsletter=st.sampled_from((*NEWSLETTERS, FOREIGN)))
    def own_subscribe(self, mailbox: str, newsletter: str) -> None:
        if not contact_key(mailbox) or contact_key(mailbox) in self.basket.refused:
            return
        person = self.basket.find(mailbox)
        if person and person.optout:  # perhaps no lookup ever shows this opt-out
            for name in NEWSLETTERS:
                self._take_back(contact_key(mailbox), name)
        self.basket.own_subscribe(mailbox, newsletter)
        if newsletter == FOREIGN:
            self.foreign.setdefault(contact_key(mailbox), set()).add(newsletter)
        else:
            self.own.add((contact_key(mailbox), newsletter))
            self._doubt(mailbox, newsletter)
            self._take_back(contact_key(mailbox), newsletter)
            self.clean -= {
                (key, newsletter) for key in KEYS if contact_key(mailbox) in self.homes[key]
            }

    @precondition(lambda self: not self.plain)
    @rule(mailbox=mailboxes)
    def rename(self, mailbox: str) -> None:
        if self.basket.find(mailbox):
            self.renames += 1
            renamed = f"renamed{self.renames}@example.com"
            known = self.world.contact(mailbox)
            if (
                known
                and known.settled_at
                and not (known.touched_at or self.world.touches or self.basket.queue or self.backup)
                and not any(box == known.key for box, _name in self.own)
            ):
                self.renamed[renamed] = known.key
            self.basket.rename(mailbox, renamed)
            self.foreign.pop(contact_key(mailbox), None)
            self.opted_out |= {(contact_key(mailbox), name) for name in NEWSLETTERS}
            self.clean = {pair for pair in self.clean if pair[0] != contact_key(mailbox)}

    def _really(self, mailbox: str, newsletter: str) -> None:
        self.opted_out.add((contact_key(mailbox), newsletter))
        self._doubt(mailbox, newsletter)

    def _doubt(self, mailbox: str, newsletter: str) -> None:
        for key, homes in self.homes.items():
            if contact_key(mailbox) in homes:
                self.unsure.add((key, newsletter))

    def _homes_opted_out(self, key: str, newsletter: str) -> bool:
        return any((home, newsletter) in self.opted_out for home in self.homes[key])

    def _allow(self, key: str, newsletter: str) -> None:
        """Take back the opt-outs that a member's own or an admin's explicit word ends."""
        home = contact_key(self.world.site[key].email)
        self.clean.discard((key, newsletter))
        self.marked.discard((key, newsletter))
        self.leaving.discard((key, newsletter))
        self._take_back(home, newsletter)

    def _take_back(self, mailbox: str, newsletter: str) -> None:
        """Forget a mailbox's opt-out, and the marks that it may have made."""
        self.clean.discard((mailbox, newsletter))
        there = {(key, newsletter) for key in KEYS if mailbox in self.homes[key]}
        self.marked -= there
        self.leaving -= there

    # Faults.

    @rule(
        kind=st.sampled_from(
            ["lost before", "lost after", "late", "off", "down", "read only", "calm"]
        ),
        lasts=st.booleans(),
        step=st.sampled_from(["", "lookup", "subscribe", "unsubscribe"]),
        after=st.booleans(),
    )
    def trouble(self, kind: str, lasts: bool, step: str, after: bool) -> None:
        """An answer is lost, the worker is killed, the switch is off, Basket has trouble."""
        faults = {"lost before": Fault.LOST_BEFORE, "lost after": Fault.LOST_AFTER}
        if not self.plain:
            faults["late"] = Fault.LATE
        self.basket.fault, self.basket.fault_lasts = faults.get(kind, Fault.NONE), lasts
        self.world.switch = kind != "off"
        self.basket.out_of_reach = kind == "down"
        self.basket.read_only = kind == "read only" and not self.plain
        self.world.crash_before, self.world.crash_after = ("", step) if after else (step, "")

    @precondition(lambda self: not self.plain)
    @rule(
        key=keys,
        change=st.sampled_from(
            ["delete", "opt out, delete", "flip", "leave", "opt out", "opt in", "order"]
        ),
        newsletter=newsletters,
        mailbox=mailboxes,
        step=st.sampled_from(["lookup", "subscribe", "unsubscribe"]),
    )
    def change_during_the_next_call(
        self, key: str, change: str, newsletter: str, mailbox: str, step: str
    ) -> None:
        """A worker learns of a change while another one waits for Basket's answer."""

        def happen() -> None:
            match change:
                case "delete":
                    self.delete(key)
                case "opt out, delete":
                    self.opt_out(key, newsletter)
                    self.delete(key)
                case "flip":
                    self.flip_policy(key, newsletter if newsletter in POLICIES else PHONE, None)
                case "leave":
                    self.change_email(key, mailbox, None)
                case "opt out":
                    self.opt_out(key, newsletter)
                case "opt in":
                    self.opt_in(key, newsletter)
                case "order":
                    self.order(key, newsletter, "no")
            self.drain()

        self.basket.during[step] = happen

    @precondition(lambda self: not self.plain)
    @rule(delays=st.lists(st.sampled_from([1, 5, 20, 400, 1500]), min_size=1, max_size=2))
    def late_unsubscribes(self, delays: list[int]) -> None:
        self.basket.unsubscribe_delays = [timedelta(seconds=delay) for delay in delays]

    @rule(mailbox=mailboxes, refused=st.booleans())
    def refuse(self, mailbox: str, refused: bool) -> None:
        key = contact_key(mailbox)
        self.basket.refused.discard(key)
        if refused and key and not self.basket.find(mailbox):
            self.basket.refused.add(key)

    @precondition(lambda self: not self.plain and self.backup is None)
    @rule(everything=st.booleans(), newsletter=policies)
    def lose(self, everything: bool, newsletter: str) -> None:
        """Basket loses everybody, or everybody's subscriptions to one newsletter."""
        self.backup = copy.deepcopy(self.basket.people)
        self.renamed.clear()
        for name in NEWSLETTERS:
            self._forget_opt_outs(name)
        if everything:
            for person in self.basket.people:  # too few people have it to tell that from opt-outs
                if EXTRA in person.newsletters:
                    self._really(person.email, EXTRA)
            self.basket.lose_people()
            self.foreign.clear()
        else:
            self.basket.lose_newsletter(newsletter)

    @precondition(lambda self: self.backup is not None)
    @rule()
    def restore(self) -> None:
        if self.backup is not None:
            for person in self.basket.people:
                then = next((p for p in self.backup if p.email == person.email), Record("", ""))
                for name in person.newsletters - then.newsletters:
                    self._really(person.email, name)  # a loss too small to tell from opt-outs
            self.basket.people, self.backup = self.backup, None
            self.clean.clear()  # people in the backup may count as returned
            self.marked.clear()
            self.leaving.clear()
            self.foreign = {
                contact_key(person.email): {FOREIGN}
                for person in self.basket.people
                if FOREIGN in person.newsletters and not person.optout
            }
            for key in [contact_key(person.email) for person in self.basket.people]:
                for name in NEWSLETTERS:
                    self._doubt(key, name)
                    self.own.add((key, name))

    # Time and the worker.

    @rule(seconds=st.sampled_from([1, 30, 400, 5000]))
    def wait(self, seconds: int) -> None:
        self.world.wait(seconds=seconds)

    @rule(seconds=st.sampled_from([0, 10, 100, 2000]), verify=st.booleans())
    def work(self, seconds: int, verify: bool) -> None:
        if verify:
            self.world.verify()
        self._work(seconds)

    def _work(self, seconds: int | None) -> None:
        if seconds is not None:
            self.drain()
            self.world.run(seconds)

    @precondition(lambda self: self.acts != self.recovered_after)
    @rule()
    def recover(self) -> None:
        self._recover()
        self.check_settled()
        self.recovered_after = self.acts + 1

    def _recover(self) -> None:
        self.basket.fault = Fault.NONE
        self.basket.during.clear()
        self.basket.refused.clear()
        self.basket.read_only = self.basket.out_of_reach = False
        self.world.crash_before = self.world.crash_after = ""
        self.world.switch = True
        self.drain()
        for _ in range(2):
            for name in NEWSLETTERS:
                if self.world.rows.question(name):
                    self.world.answer(name, lost=True)
                    self._forget_opt_outs(name)
            self.world.retry()
            self.world.settle()
        self.backup = None

    def _forget_opt_outs(self, newsletter: str) -> None:
        """Expect nothing of mailboxes' opt-outs that may have been taken for a loss."""
        self.clean = {pair for pair in self.clean if pair[0] in KEYS or pair[1] != newsletter}
        self.marked = {pair for pair in self.marked if pair[1] != newsletter}
        self.leaving = {pair for pair in self.leaving if pair[1] != newsletter}

    def teardown(self) -> None:
        if self.world.site:
            self._recover()
            self.check_settled()

    # Invariants.

    @invariant()
    def acts_are_counted(self) -> None:
        self.acts += 1

    @invariant()
    def no_opt_out_is_invented(self) -> None:
        rows = self.world.rows
        for (contact_id, name), row in rows.subscriptions.items():
            if row.state == State.OPTED_OUT:
                assert (rows.contacts[contact_id].key, name) in self.opted_out
        for (member_id, name), decision in rows.decisions.items():
            key = rows.members[member_id].key
            if decision.opted_out_at:
                assert (key, name) in self.opted_out or self._homes_opted_out(key, name)

    @invariant()
    def only_ours_are_touched(self) -> None:
        for _, _, names in self.basket.calls[self.seen_calls :]:
            assert names <= set(NEWSLETTERS)
        self.seen_calls = len(self.basket.calls)
        for key, foreign in self.foreign.items():
            assert foreign <= self.basket.has(key)

    @invariant()
    def never_five_equal_calls_in_five_minutes(self) -> None:
        assert self.basket.rate_limited == 0

    @invariant()
    def opt_outs_follow_their_member(self) -> None:
        rows = self.world.rows
        for key, name in (self.clean | self.marked) if not self.world.touches else ():
            member = self.world.member(key)
            contact = member and rows.home(member)
            assert not contact or not rows.wants(member, contact, name)

    def new_before_old(self, mailbox: str, newsletters: frozenset[str]) -> None:
        """A member who moved and wants a newsletter has it at the new address first."""
        rows = self.world.rows
        for move in rows.moves if self.plain else ():
            source = rows.contacts[move.source_id]
            if source.key == contact_key(mailbox) and move.target_id is not None:
                member, target = rows.members[move.member_id], rows.contacts[move.target_id]
                for name in newsletters:
                    if rows.wants(member, target, name):
                        assert name in self.basket.has(target.key)

    def check_settled(self) -> None:
        """Basket holds exactly what is wanted, and nothing of what was erased is left."""
        rows = self.world.rows
        assert self.world.due() == []
        assert not rows.moves
        for contact in rows.contacts.values():
            assert rows.at(contact), "erased means gone"
            has = self.basket.has(contact.key)
            for name in NEWSLETTERS:
                row = rows.subscriptions.get((contact.id, name))
                if row is not None and row.state == State.LOST:
                    continue
                if rows.wanted(contact, name):
                    assert name in has, f"{name} is wanted at {contact.key}"
                elif rows.decided(contact, name):
                    assert name not in has, f"{name} is not wanted at {contact.key}"
        for key in self.world.site.keys() & set(KEYS):
            known = self.world.site[key]
            for name in NEWSLETTERS:
                if (key, name) in self.unsure or not contact_key(known.email):
                    continue
                decision = self.world.decision(key, name)
                wish = self.wishes.get((key, name), False)
                assert (decision is not None and decision.wanted) == wish
        for mailbox, name in self.clean:
            if mailbox not in KEYS:
                assert name not in self.basket.has(mailbox), "subscribed against an opt-out"
                there = [k for k, m in self.world.site.items() if contact_key(m.email) == mailbox]
                self.marked |= {(key, name) for key in there if key in KEYS}
        self.marked, self.leaving = self.marked | self.leaving, set()
        for renamed, mailbox in self.renamed.items():
            known = self.world.contact(mailbox)
            here = rows.at(known) if known else ()
            for name in self.basket.has(renamed) & set(NEWSLETTERS):
                assert any(rows.wishes(member, name) for member in here), "nobody wants it there"
        known_keys = {contact.key for contact in rows.contacts.values()}
        for key in {contact_key(box) for box in MAILBOXES} - known_keys:
            ours = self.basket.has(key) & set(NEWSLETTERS)
            assert ours <= {name for box, name in self.own if box == key}, "erased means gone"
