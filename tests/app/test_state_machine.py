"""Whatever happens in whatever order, Basket ends with exactly what is wanted."""

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.app.member_story import MemberStory


def test_basket_ends_with_exactly_what_is_wanted(basket):
    class Story(MemberStory):
        pass

    Story.basket = basket

    run_state_machine_as_test(
        Story,
        settings=settings(
            max_examples=20,
            stateful_step_count=10,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
