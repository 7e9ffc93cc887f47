"""Changes that the site's pages make, each in a transaction of its own as a request's."""

import time

from django.db import transaction

from project.groups.models import Group, Membership
from project.people.models import Vouch


def vouch(first: int, count: int, per_second: float | None = None) -> dict[str, float]:
    """
    Vouch for members, so many a second or as fast as it goes.

    :return: when it ``began`` (seconds since 1970), and how many seconds of ``cpu`` it took.
    """
    moment, used = time.time(), time.process_time()
    began = time.perf_counter()
    for number in range(count):
        if per_second is not None:
            time.sleep(max(0.0, began + number / per_second - time.perf_counter()))
        with transaction.atomic():
            Vouch.objects.create(vouchee_id=first + number)
    return {"began": moment, "cpu": time.process_time() - used}


def flip(first: int, members: int, times: int, once_more: int) -> int:
    """
    Have members join and leave the NDA group in turns, ``times`` saves in one transaction each.

    :param once_more: up to this key they flip once more, and so end up in the group.
    :return: how many saves there were.
    """
    group = Group.objects.get(slug="nda")
    changes = 0
    for number in range(first, first + members):
        row = Membership(profile_id=number, group=group, status=Membership.Status.PENDING)
        with transaction.atomic():
            for turn in range(times + (number <= once_more)):
                inside = turn % 2 == 0
                row.status = Membership.Status.MEMBER if inside else Membership.Status.PENDING
                row.save()
                changes += 1
    return changes
