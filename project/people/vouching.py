"""The rule that a member is vouched while at least one vouch for them stands."""

from project.people.models import UserProfile, Vouch


def refresh_is_vouched(profile_id: int, *, using: str, without: int | None = None) -> bool:
    """
    Write whether the member is vouched, and return it. Belongs into a transaction.

    ``without`` is the key of a vouch that is about to go elsewhere and no longer counts.
    """
    profiles = UserProfile.objects.using(using).filter(pk=profile_id)
    # Of two transactions that each take away one of two last vouches, the second
    # must see what the first did. Not a full lock: each may hold the share of one
    # that a new foreign key takes, and both would wait for the other's.
    list(profiles.select_for_update(no_key=True).values_list("pk"))
    vouches = Vouch.objects.using(using).filter(vouchee_id=profile_id)
    if without is not None:
        vouches = vouches.exclude(pk=without)
    is_vouched = vouches.exists()
    profiles.exclude(is_vouched=is_vouched).update(is_vouched=is_vouched)
    return is_vouched
