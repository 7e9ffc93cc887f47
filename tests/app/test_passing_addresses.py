"""Two members and one address, one after the other: neither takes what is the other's."""

from tests.app.steps import drain_everything, held, settle_everything
from tests.factories import UserProfileFactory


def change_address(profile, email):
    profile.user.email = email
    profile.user.save()


def test_who_leaves_an_address_takes_nothing_of_who_passed_through_it(basket, vouched, commit):
    with commit():
        leaver = UserProfileFactory()
    address = leaver.user.email
    change_address(leaver, "leaver-moved@example.com")
    basket.fail("subscribe", kind="drop", times=1)
    with commit():
        change_address(vouched, address)
    reached = held(basket, address)
    change_address(vouched, "final@example.com")

    drain_everything()
    settle_everything()

    assert reached == {address: {"mozilla-phone"}}
    assert held(basket, address, "leaver-moved@example.com", "final@example.com") == {
        address: set(),
        "leaver-moved@example.com": set(),
        "final@example.com": {"mozilla-phone"},
    }
