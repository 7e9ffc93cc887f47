"""The brake: how many removals of a newsletter policies may make within an hour."""

from dataclasses import dataclass

from mozillians_basket.rules.rows import Settings


@dataclass(frozen=True, slots=True)
class Brake:
    """The removals of one newsletter in the last hour, against what Basket has of it."""

    confirmed: int = 0
    """Confirmed subscriptions of the newsletter."""

    removed: int = 0
    """Removals by policies within the last hour."""

    on: bool = False
    """Whether removals are held back already and no admin has answered yet."""

    def allows(self, more: int, settings: Settings) -> bool:
        """
        Whether policies may remove ``more`` subscriptions now.

        Up to ``brake_floor`` an hour, or ``brake_ratio`` of the confirmed ones if
        that is more; once the brake is on, none until an admin approves.
        """
        limit = max(settings.brake_floor, settings.brake_ratio * self.confirmed)
        return not self.on and self.removed + more <= limit
