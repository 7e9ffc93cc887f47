"""Compare addresses in the database."""

from django.db.models import F, OuterRef, Q, Value
from django.db.models.functions import Upper
from django.db.models.lookups import Exact


def is_at(path: str, address: "str | OuterRef") -> Q:
    """
    The condition that the address at ``path`` is this one, whatever the case.

    By the indexes on ``Upper``: ``__iexact`` is a LIKE on SQLite and goes by none.
    """
    other = Value(address) if isinstance(address, str) else address
    return Q(Exact(Upper(F(path)), Upper(other)))
