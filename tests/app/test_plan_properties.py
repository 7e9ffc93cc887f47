"""What holds of ``plan`` whoever the member is, and whatever Basket has."""

from hypothesis import given

from mozillians_basket.addresses import same_address
from mozillians_basket.plan import differs, plan
from mozillians_basket.states import HELD, State
from tests.app.plan_model import FOREIGN, OURS, models, recorded, sync, with_state


@given(models())
def test_a_plan_never_touches_newsletters_of_others(model):
    todo = plan(model.account, model.look_up())

    assert todo.subscribe <= OURS
    assert todo.unsubscribe <= OURS
    assert set(todo.states) <= OURS


@given(models())
def test_nobody_is_subscribed_to_what_they_opted_out_of_unless_an_admin_says_so(model):
    lookup = model.look_up()
    everything_off = any(each and each.opted_out for each in (lookup.current, lookup.new))
    has = lookup.current.newsletters if lookup.current else frozenset()
    has |= lookup.new.newsletters if lookup.new else frozenset()

    todo = plan(model.account, lookup)

    despite = {line.newsletter for line in model.account.lines if line.despite_opt_out}
    off = {
        line.newsletter
        for line in model.account.lines
        if line.state == State.OPTED_OUT and line.newsletter not in has
    }
    assert not todo.subscribe & off - despite
    if everything_off:
        assert todo.subscribe <= despite


@given(models())
def test_what_was_sent_is_not_sent_again(model):
    lookup = model.look_up()
    moving = model.account.moving
    todo = plan(model.account, lookup)
    account = recorded(model.account, todo)
    if todo.subscribe:
        lookup = lookup.after_subscribe(todo.subscribe, "token", moving=moving)
        if not moving:
            account = with_state(account, todo.subscribe, State.SUBSCRIBED)

    between = plan(account, lookup)
    if todo.unsubscribe:
        lookup = lookup.after_unsubscribe(todo.unsubscribe)
        account = with_state(account, todo.unsubscribe, State.UNSUBSCRIBED)
    after = plan(account, lookup)

    assert (between.subscribe, between.unsubscribe) == (frozenset(), todo.unsubscribe)
    assert (after.subscribe, after.unsubscribe) == (frozenset(), frozenset())


@given(models())
def test_writing_down_what_a_lookup_shows_does_not_change_what_is_sent(model):
    lookup = model.look_up()
    todo = plan(model.account, lookup)

    again = plan(recorded(model.account, todo), lookup)

    assert (again.subscribe, again.unsubscribe) == (todo.subscribe, todo.unsubscribe)


@given(models())
def test_the_lookup_that_is_kept_up_says_what_basket_would(model):
    lookup = model.look_up()
    todo = plan(model.account, lookup)

    if todo.subscribe:
        lookup = lookup.after_subscribe(todo.subscribe, "token", moving=model.account.moving)
        model.subscribe(lookup.target, todo.subscribe)
    if todo.unsubscribe:
        lookup = lookup.after_unsubscribe(todo.unsubscribe)
        model.unsubscribe(model.account.email, todo.unsubscribe)

    fresh = model.look_up()
    for kept, asked in ((lookup.current, fresh.current), (lookup.new, fresh.new)):
        assert (kept and kept.newsletters) == (asked and asked.newsletters)


@given(models())
def test_the_ledger_shows_no_difference_after_at_most_three_rounds(model):
    rounds = 0
    while differs(model.account) and rounds < 4:
        sync(model)
        rounds += 1

    assert not differs(model.account)
    assert rounds <= 3


@given(models())
def test_after_the_rounds_basket_holds_what_the_ledger_says(model):
    for _ in range(4):
        sync(model)

    account = model.account
    has = model.newsletters(account.email) & OURS if account.email else frozenset()
    for line in account.lines:
        if line.newsletter not in OURS or not account.email:
            continue
        present = line.newsletter in has
        if line.state in HELD:
            assert present
            assert line.wanted
        if line.state == State.UNSUBSCRIBED:
            assert not line.wanted
            assert not present or line.newsletter in account.kept


@given(models())
def test_at_no_moment_does_a_mover_have_none_of_what_they_keep(model):
    account = model.account
    lookup = model.look_up()
    todo = plan(account, lookup)
    if not account.moving:
        return
    before = model.newsletters(account.email) | model.newsletters(account.wanted_email)
    keep = before & (
        {line.newsletter for line in account.lines if line.wanted and line.newsletter in OURS}
        | FOREIGN
    )
    kept_out = {name for name, state in todo.states.items() if state == State.OPTED_OUT}
    keep = {name for name in keep if name not in kept_out and name not in todo.returned}

    moments = [before]
    if todo.subscribe:
        model.subscribe(account.wanted_email, todo.subscribe)
        moments.append(model.newsletters(account.email) | model.newsletters(account.wanted_email))
    if todo.unsubscribe:
        model.unsubscribe(account.email, todo.unsubscribe)
        moments.append(model.newsletters(account.email) | model.newsletters(account.wanted_email))

    for moment in moments:
        assert keep <= moment
    assert not same_address(account.email, account.wanted_email)


@given(models())
def test_who_leaves_ends_with_nothing_of_ours_that_nobody_else_wants(model):
    if not model.account.leaving:
        return
    email = model.account.email
    foreign = model.newsletters(email) & FOREIGN

    for _ in range(3):
        sync(model)

    assert model.newsletters(email) & OURS <= model.account.kept
    assert model.newsletters(email) & FOREIGN == foreign
    assert model.account.email == ""
