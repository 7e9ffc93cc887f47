"""People whose changes are made on the site, with the newsletters that Basket should have."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from mozillians_basket.ledger import decisions
from project.groups.models import Membership
from project.people.models import UserProfile, Vouch
from tests.factories import GroupFactory, UserProfileFactory

PHONE, NDA = "mozilla-phone", "mozillians-nda"


@dataclass
class Somebody:
    """A member, with their state on the site and an admin's orders since its last change."""

    email: str
    vouched: bool = False
    joined: bool = False
    ordered: dict[str, bool] = field(default_factory=dict)
    profile: UserProfile | None = None

    @property
    def wanted(self) -> set[str]:
        """The newsletters at their address: an order counts until the policy's outcome changes."""
        entitled = {PHONE: self.vouched, NDA: self.joined}
        return {name for name, meets in (entitled | self.ordered).items() if meets}

    @property
    def key(self) -> int:
        """The key of their profile."""
        assert self.profile is not None
        return self.profile.pk

    def arrive(self) -> None:
        """Create their account."""
        self.profile = UserProfileFactory.create(user__email=self.email)
        if self.vouched:
            Vouch.objects.create(vouchee=self.profile)
        if self.joined:
            self._member_of_nda(Membership.Status.MEMBER)

    def vouch(self) -> None:
        Vouch.objects.create(vouchee_id=self.key)
        self.vouched = True
        self.ordered.pop(PHONE, None)

    def unvouch(self) -> None:
        for vouch in Vouch.objects.filter(vouchee_id=self.key):
            vouch.delete()
        self.vouched = False
        self.ordered.pop(PHONE, None)

    def join(self) -> None:
        self._member_of_nda(Membership.Status.MEMBER)
        self.joined = True
        self.ordered.pop(NDA, None)

    def leave(self) -> None:
        self._member_of_nda(Membership.Status.PENDING)
        self.joined = False
        self.ordered.pop(NDA, None)

    def move(self, email: str) -> None:
        assert self.profile is not None
        self.profile.user.email = self.email = email
        self.profile.user.save()

    def delete(self) -> None:
        assert self.profile is not None
        self.profile.user.delete()
        self.profile = None

    def order(self, newsletter: str, *, subscribe: bool) -> None:
        decisions.order([self.key], [newsletter], subscribe=subscribe)
        self.ordered[newsletter] = subscribe

    def _member_of_nda(self, status: Membership.Status) -> None:
        group = GroupFactory.create(slug="nda")
        Membership.objects.update_or_create(
            profile_id=self.key, group=group, defaults={"status": status}
        )


def wanted(people: Iterable[Somebody]) -> dict[str, set[str]]:
    """Return the site's newsletters that Basket should have, by address, of all with an account."""
    found: dict[str, set[str]] = defaultdict(set)
    for person in people:
        if person.profile is not None:
            found[person.email] |= person.wanted
    return dict(found)
