"""The history reaches back as far as it is told to, and its tallies further."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from mozillians_basket import checks, retention, tasks
from mozillians_basket.models import Batch, BatchItem, Event, Tally
from tests.factories import UserProfileFactory

OLD = timedelta(days=800)
YOUNG = timedelta(days=700)


@pytest.fixture(autouse=True)
def _history(db):
    now = timezone.now()
    for age in (OLD, OLD, YOUNG):
        Event.objects.create(kind=Event.Kind.SUBSCRIBED, created_at=now - age)
    for age in (OLD, YOUNG):
        batch = Batch.objects.create(
            state=Batch.State.FINISHED, finished_at=now - age, created_at=now - age
        )
        BatchItem.objects.create(batch=batch, member=UserProfileFactory(), state="done")
        Event.objects.create(kind=Event.Kind.DECIDED, batch=batch)
    unfinished = Batch.objects.create(created_at=now - OLD)
    BatchItem.objects.create(batch=unfinished, member=UserProfileFactory())


def numbers():
    return Event.objects.count(), Batch.objects.count(), BatchItem.objects.count()


def command(*options):
    out = StringIO()
    call_command("basket_prune", *options, stdout=out)
    return out.getvalue()


def test_beat_deletes_what_is_older_than_two_years():
    tasks.prune()

    assert numbers() == (3, 2, 2)
    assert min(Event.objects.values_list("created_at")) > (timezone.now() - OLD,)


def test_an_event_outlives_the_batch_that_it_belonged_to():
    tasks.prune()

    assert sorted(
        Event.objects.filter(kind=Event.Kind.DECIDED).values_list("batch", flat=True),
        key=lambda key: key is not None,
    ) == [None, Batch.objects.get(state=Batch.State.FINISHED).pk]


def test_a_batch_that_is_not_finished_is_left():
    command("--days", "1")

    assert list(Batch.objects.values_list("state", flat=True)) == [Batch.State.RUNNING]
    assert BatchItem.objects.count() == 1


def test_what_is_deleted_was_counted_before():
    tasks.prune()

    assert sum(Tally.objects.values_list("number", flat=True)) == 3


def test_without_a_number_of_days_all_is_kept(settings):
    settings.BASKET_HISTORY_DAYS = None

    tasks.prune()

    assert numbers() == (5, 3, 3)
    assert "the whole history is kept" in command()


def test_the_command_deletes_by_its_own_number_of_days():
    text = command("--days", "750")

    assert "2 events, 1 bulk requests and their 1 items" in text
    assert numbers() == (3, 2, 2)


def test_a_dry_run_says_it_and_does_nothing():
    text = command("--dry-run")

    assert "2 events, 1 bulk requests and their 1 items" in text
    assert "would be deleted" in text
    assert numbers() == (5, 3, 3)


@pytest.mark.parametrize("days", ["0", "-1", "soon"])
def test_a_bad_number_of_days_is_refused(days):
    with pytest.raises(CommandError):
        command(f"--days={days}")

    assert numbers() == (5, 3, 3)


def test_one_run_deletes_so_much_and_the_next_goes_on(monkeypatch):
    monkeypatch.setattr(retention, "CHUNK", 1)
    before = timezone.now() - timedelta(days=750)

    first = retention.prune(before, limit=1)
    second = retention.prune(before, limit=10)

    assert first == {"events": 1, "batches": 0, "items": 0}
    assert second == {"events": 1, "batches": 1, "items": 1}


@pytest.mark.parametrize("value", [0, -3, "soon", True, 1.5])
def test_a_bad_setting_is_a_message_of_the_checks(settings, value):
    settings.BASKET_HISTORY_DAYS = value

    (message,) = checks.check_numbers(None)

    assert message.id == "mozillians_basket.E020"
    assert "BASKET_HISTORY_DAYS" in message.msg


@pytest.mark.parametrize("value", [None, 30])
def test_a_number_of_days_and_none_are_fine(settings, value):
    settings.BASKET_HISTORY_DAYS = value

    assert checks.check_numbers(None) == []
