"""Groups, and their members with their status."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from project.people.models import UserProfile


class Group(models.Model):
    """A group of people. The code knows it by its slug."""

    name = models.CharField(_("name"), max_length=100)
    slug = models.SlugField(_("slug"), max_length=100, unique=True)

    class Meta:
        verbose_name = _("group")
        verbose_name_plural = _("groups")

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person in a group, or on the way into it."""

    class Status(models.TextChoices):
        """The steps into the group; only ``MEMBER`` is in it."""

        MEMBER = "member", _("member")
        PENDING = "pending", _("pending")
        PENDING_TERMS = "pending_terms", _("has yet to accept the terms")

    profile = models.ForeignKey(
        UserProfile,
        verbose_name=_("profile"),
        on_delete=models.CASCADE,
        related_name="memberships",
    )
    group = models.ForeignKey(
        Group, verbose_name=_("group"), on_delete=models.CASCADE, related_name="memberships"
    )
    status = models.CharField(
        _("status"), max_length=20, choices=Status.choices, default=Status.PENDING
    )
    date_joined = models.DateTimeField(_("date joined"), default=timezone.now)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [
            models.UniqueConstraint(
                fields=["profile", "group"],
                name="groups_membership_once_per_group",
                violation_error_message=_("This person is in that group already."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.profile} in {self.group}"
