"""What the tests of the app can ask for."""

import pytest

from tests.factories import VouchFactory


@pytest.fixture
def commit(django_capture_on_commit_callbacks):
    """A block whose end is a commit, after which the worker has done its work."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


@pytest.fixture
def vouched(basket, commit):
    """A vouched member, as Basket has them."""
    with commit():
        vouch = VouchFactory()
    return vouch.vouchee
