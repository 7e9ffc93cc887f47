"""
Django signals for a site's own code, about the newsletters of its members.

A worker sends them after the commit of the change. Receivers get ``sender``
(the member model), ``member_key`` (the member's primary key, as text),
``newsletter``, ``decided_by`` (``policy``, ``admin`` or ``member``) and ``cause``,
the reason as the history has it. A receiver that fails is logged, and harms neither
the others nor the app. A signal may be lost with its message; the ledger is not.
The signal ``call_made`` is another kind, and described there.
"""

from typing import NamedTuple

from django.dispatch import Signal

#: Basket has a newsletter now that a member wants.
subscription_confirmed = Signal()

#: Basket refuses to subscribe a member, or refuses their address already when it is looked up.
#: A newsletter that Basket does not know is no refusal: it pauses, and admins are told by mail.
#: Receivers get ``error_code`` too. It comes once for each newsletter that the member lacks for
#: it, and again after an admin's retry, an order or the member's own choice. Only another address
#: helps against a code in ``rules.answers.ADDRESS_CODES``.
subscription_refused = Signal()

#: A member opted out of a newsletter, at Basket or on the site.
opted_out = Signal()

#: A member chose a newsletter on the site, or came back to it at Basket.
opted_in = Signal()

#: A call to Basket has ended. Receivers get ``call`` (``lookup``, ``subscribe``, ``unsubscribe``,
#: ``newsletters`` or ``recover``), ``status`` (the HTTP status; 0 without an answer) and
#: ``seconds``; ``sender`` is ``None``. It comes at once, in the process and the thread that made
#: the call, many at a time: receivers must be quick, and leave the database alone.
call_made = Signal()

SIGNALS = {
    "subscription_confirmed": subscription_confirmed,
    "subscription_refused": subscription_refused,
    "opted_out": opted_out,
    "opted_in": opted_in,
}


class Announcement(NamedTuple):
    """The content of one signal, as it travels to the worker that sends it."""

    signal: str
    member_key: str
    newsletter: str
    decided_by: str
    cause: str
    error_code: str = ""
