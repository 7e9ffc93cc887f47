"""The query with which each step begins: by indexes only, on each database."""

from django.db import connection
from django.test.utils import CaptureQueriesContext

from mozillians_basket import ledger
from mozillians_basket.models import Contact
from tests.app.steps import contact_of


def test_it_reads_no_table_whole(vouched):
    ledger.make_due([contact_of(vouched).pk], "a test")
    (lease,) = ledger.claim()
    addresses = [f"{number}@example.com" for number in range(3000)]
    Contact.objects.bulk_create(Contact(email=each, wanted_email=each) for each in addresses)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    with CaptureQueriesContext(connection) as captured:
        ledger.Sheet(lease).open()

    sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        cursor.execute(
            ("EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN ") + captured.captured_queries[0]["sql"]
        )
        plan = "\n".join(str(row) for row in cursor.fetchall())

    assert "basket_contact_email" in plan
    assert "basket_contact_wanted_email" in plan
    assert "Seq Scan on mozillians_basket_contact" not in plan
    assert not any("SCAN U" in line or "SCAN V" in line for line in plan.splitlines()), plan
