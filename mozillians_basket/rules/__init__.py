"""
The rules of the ledger, as functions of rows and answers: no Django, no clock, no settings read.

A worker reads the rows that bear on some contacts into ``Rows``, calls a rule
and writes the copy that it returns. From a change to Basket:

1. ``evaluate``: where the members are now, and what their policies decide;
   ``order``, ``opt_in`` and ``opt_out`` for admins and members.
2. ``apply_lookups``: what Basket's answers to the lookups mean.
3. ``plan``, then ``begin_subscribe``, the calls, ``end_subscribe``.
4. ``plan``, then ``begin_unsubscribe``, the calls, ``end_unsubscribe``.
5. ``settle``: what is over, what is erased, and when to look again.

``verdict`` tells opt-outs from losses, newsletter by newsletter, and ``end_question``
applies what an admin says to a possible loss.
"""
