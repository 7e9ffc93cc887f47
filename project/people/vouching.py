"""The rule that a member is vouched while they have at least one vouch."""

from project.people.models import UserProfile, Vouch


def refresh_is_vouched(profile_id: int, *, using: str, without: int | None = None) -> bool:
    """
    Write whether the member is vouched, and return it. Call it in a transaction.

    ``without`` is the key of a vouch that will move to another member and no longer counts.
    """
    profiles = UserProfile.objects.using(using).filter(pk=profile_id)
    # If two transactions each delete one of the last two vouches, the second must see
    # the first one's deletion. Not a full lock: each transaction may hold the share
    # lock of a new foreign key, and both would wait for each other's.
    list(profiles.select_for_update(no_key=True).values_list("pk"))
    vouches = Vouch.objects.using(using).filter(vouchee_id=profile_id)
    if without is not None:
        vouches = vouches.exclude(pk=without)
    is_vouched = vouches.exists()
    profiles.exclude(is_vouched=is_vouched).update(is_vouched=is_vouched)
    return is_vouched
