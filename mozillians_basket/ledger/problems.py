"""What is wrong with a contact, and since when."""

from django.utils import timezone

from mozillians_basket.models import Contact

PROBLEM_FIELDS = ["error", "error_code", "failing_since", "dismissed_at"]


def show_problem(contact: Contact, label: str, code: int | None) -> None:
    """Set it on the contact, unsaved. Another problem than before is no longer put aside."""
    if contact.error != label:
        contact.dismissed_at = None
    contact.error, contact.error_code = label, code
    contact.failing_since = contact.failing_since or timezone.now()


def clear_problem(contact: Contact) -> None:
    """Nothing is wrong any more; unsaved."""
    contact.error, contact.error_code = "", None
    contact.failing_since = contact.dismissed_at = None
