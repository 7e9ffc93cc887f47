"""Tables of an earlier version become those of this one, and keep the opt-outs in them."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from mozillians_basket.models import Suppression

INFERRED = "2026-06-12T12:00:00+00:00"


def migrate_to(name):
    """Migrate the app to one of its versions, and return the models of that version."""
    executor = MigrationExecutor(connection)
    executor.migrate([("mozillians_basket", name)])
    return executor.loader.project_state([("mozillians_basket", name)]).apps


@pytest.fixture
def tables_of_0_1_0(transactional_db):
    """The models of version 0.1.0, whose tables stand in place of those of now."""
    yield migrate_to("0001_initial")
    [(_app, newest)] = MigrationExecutor(connection).loader.graph.leaf_nodes("mozillians_basket")
    migrate_to(newest)


def test_opt_outs_of_erased_mailboxes_are_kept(tables_of_0_1_0):
    now = timezone.now()
    tables_of_0_1_0.get_model("mozillians_basket", "Suppression").objects.create(
        hash="a" * 64,
        newsletters=["mozilla-phone", "mozillians-nda"],
        inferred={"mozilla-phone": INFERRED},
        erased_at=now,
    )

    migrate_to("0002_times_of_opt_outs")

    kept = Suppression.objects.get().opt_outs()
    phone, nda = kept["mozilla-phone"], kept["mozillians-nda"]
    assert phone.opted_out_at.isoformat() == phone.missing_at.isoformat() == INFERRED
    assert (nda.opted_out_at, nda.missing_at) == (now, None)


def test_tables_go_back_to_the_version_before(tables_of_0_1_0):
    migrate_to("0002_times_of_opt_outs")
    times = {"opted_out_at": INFERRED, "missing_at": INFERRED}
    newsletters = {"mozillians-nda": {**times, "missing_at": None}, "mozilla-phone": times}
    Suppression.objects.create(hash="b" * 64, newsletters=newsletters, erased_at=timezone.now())

    before = migrate_to("0001_initial")

    row = before.get_model("mozillians_basket", "Suppression").objects.get()
    assert row.newsletters == ["mozilla-phone", "mozillians-nda"]
    assert row.inferred == {"mozilla-phone": INFERRED}
