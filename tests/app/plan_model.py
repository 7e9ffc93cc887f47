"""A Basket of dictionaries and the ledger of one member, to try plans on."""

from dataclasses import dataclass, replace

from hypothesis import strategies as st

from mozillians_basket.addresses import normalized
from mozillians_basket.plan import Account, Line, Lookup, Person, plan
from mozillians_basket.states import HELD, State

OURS = frozenset({"a", "b", "c"})
FOREIGN = frozenset({"x", "y"})
ADDRESSES = ("one@example.com", "ONE@example.com", "two@example.com", "")


@dataclass
class Model:
    """A Basket of people by address, with one member of the site."""

    account: Account
    people: dict[str, Person]

    def look_up(self):
        current = self.people.get(normalized(self.account.email))
        if not self.account.moving:
            return Lookup(target=self.account.email, current=current)
        new = self.people.get(normalized(self.account.wanted_email))
        return Lookup(self.account.wanted_email, current, new, asked_for_new=True)

    def subscribe(self, email, newsletters):
        person = self.people.get(normalized(email)) or Person(email, "token", frozenset())
        self.people[normalized(email)] = replace(
            person, newsletters=person.newsletters | newsletters, opted_out=False
        )

    def unsubscribe(self, email, newsletters):
        person = self.people[normalized(email)]
        self.people[normalized(email)] = replace(
            person, newsletters=person.newsletters - newsletters
        )

    def newsletters(self, email):
        person = self.people.get(normalized(email))
        return person.newsletters if person else frozenset()


lines = st.builds(
    Line,
    newsletter=st.just(""),
    wanted=st.booleans(),
    state=st.sampled_from(State),
    entitled=st.booleans(),
    despite_opt_out=st.booleans(),
    removal_pending=st.booleans(),
).map(lambda line: replace(line, despite_opt_out=line.despite_opt_out and line.wanted))


@st.composite
def accounts(draw):
    decided = draw(st.dictionaries(st.sampled_from(sorted(OURS | FOREIGN)), lines))
    return Account(
        email=draw(st.sampled_from(ADDRESSES)),
        wanted_email=draw(st.sampled_from(ADDRESSES)),
        refused_email=draw(st.sampled_from(ADDRESSES)),
        lines=tuple(replace(line, newsletter=name) for name, line in decided.items()),
        ours=OURS,
        kept=draw(st.frozensets(st.sampled_from(sorted(OURS)))),
    )


people = st.builds(
    Person,
    email=st.just(""),
    token=st.just("token"),
    newsletters=st.frozensets(st.sampled_from(sorted(OURS | FOREIGN))),
    opted_out=st.booleans(),
    confirmed=st.booleans(),
)


@st.composite
def models(draw):
    keys = draw(st.sets(st.sampled_from(["one@example.com", "two@example.com"])))
    return Model(draw(accounts()), {key: replace(draw(people), email=key) for key in sorted(keys)})


def recorded(account, todo):
    """The account with what a lookup shows written down, as the ledger does it."""
    if account.moving:
        left = [name for name, state in todo.states.items() if state == State.OPTED_OUT]
        todo = replace(todo, states=dict.fromkeys(left, State.OPTED_OUT), returned=frozenset())
    return shown(account, todo)


def shown(account, todo):
    """The account with all that a plan knows written down."""

    def known(line):
        name = line.newsletter
        if name in todo.removed:
            gone = State.UNSUBSCRIBED if line.state in HELD else line.state
            line = replace(line, removal_pending=False, state=gone)
        if name in todo.returned:
            line = replace(line, wanted=line.entitled)
        state = todo.states.get(name, line.state)
        if name in todo.states and state == State.OPTED_OUT and line.state != State.OPTED_OUT:
            line = replace(line, wanted=False)
        if name in todo.states and state in HELD:
            line = replace(line, despite_opt_out=False)
        return replace(line, state=state)

    return replace(account, lines=tuple(known(line) for line in account.lines))


def with_state(account, names, state):
    return replace(
        account,
        lines=tuple(
            replace(line, state=state, despite_opt_out=False)
            if line.newsletter in names and state == State.SUBSCRIBED
            else replace(line, state=state, removal_pending=True)
            if line.newsletter in names
            else line
            for line in account.lines
        ),
    )


def sync(model):
    """One round: look up, subscribe, unsubscribe, settle."""
    lookup = model.look_up()
    todo = plan(model.account, lookup)
    account = recorded(model.account, todo)
    moving = account.moving
    if todo.subscribe:
        model.subscribe(lookup.target, todo.subscribe)
        lookup = lookup.after_subscribe(todo.subscribe, "token", moving=moving)
        if not moving:
            account = with_state(account, todo.subscribe, State.SUBSCRIBED)
    if todo.unsubscribe:
        model.unsubscribe(account.email, todo.unsubscribe)
        lookup = lookup.after_unsubscribe(todo.unsubscribe)
        account = with_state(account, todo.unsubscribe, State.UNSUBSCRIBED)
    if account.leaving and not todo.unsubscribe:
        account = replace(account, email="")
    if moving:
        account = shown(account, plan(account, lookup))
        settled = (replace(line, removal_pending=False) for line in account.lines)
        account = replace(account, email=lookup.target, lines=tuple(settled))
    model.account = account
