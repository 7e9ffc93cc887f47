"""Profiles, and the vouches that make members trusted."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.base import ModelBase
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class UserProfile(models.Model):
    """A user's profile. The site's code creates it; not every user has one."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        on_delete=models.CASCADE,
        related_name="profile",
    )
    full_name = models.CharField(_("full name"), max_length=255, blank=True)
    country = models.CharField(
        _("country"), max_length=2, blank=True, help_text=_("ISO 3166-1 code of two letters")
    )
    is_vouched = models.BooleanField(
        _("is vouched"),
        default=False,
        db_index=True,
        editable=False,
        help_text=_("Has at least one vouch. Follows from the vouches."),
    )

    class Meta:
        verbose_name = _("profile")
        verbose_name_plural = _("profiles")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_vouched_as_read = self.__dict__.get("is_vouched")

    def __str__(self) -> str:
        return self.full_name or self.user.get_username()

    def save(
        self,
        *,
        force_insert: bool | tuple[ModelBase, ...] = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        """
        Save the row without ``is_vouched``, unless that has changed or is in ``update_fields``.

        A profile that was read before its owner was vouched for must not undo the
        vouching when its full name is saved.
        """
        known = not (self._state.adding or force_insert)
        same = self.__dict__.get("is_vouched") == self._is_vouched_as_read
        if known and same and update_fields is None and using in (None, self._state.db):
            unwritten = self.get_deferred_fields() | {"id", "is_vouched"}
            update_fields = [
                field.name for field in self._meta.concrete_fields if field.attname not in unwritten
            ]
        super().save(
            force_insert=force_insert,
            force_update=force_update,
            using=using,
            update_fields=update_fields,
        )
        self._is_vouched_as_read = self.__dict__.get("is_vouched")

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        """Read the row again, and note ``is_vouched`` as read."""
        super().refresh_from_db(*args, **kwargs)
        self._is_vouched_as_read = self.__dict__.get("is_vouched")


class Vouch(models.Model):
    """One member's vouch for another. ``voucher`` is empty once they have left the site."""

    voucher = models.ForeignKey(
        UserProfile,
        verbose_name=_("voucher"),
        on_delete=models.SET_NULL,
        related_name="vouches_made",
        null=True,
        blank=True,
    )
    vouchee = models.ForeignKey(
        UserProfile,
        verbose_name=_("vouchee"),
        on_delete=models.CASCADE,
        related_name="vouches_received",
    )
    reason = models.TextField(_("reason"), blank=True)
    date = models.DateTimeField(_("date"), default=timezone.now)

    class Meta:
        verbose_name = _("vouch")
        verbose_name_plural = _("vouches")
        constraints = [
            models.CheckConstraint(
                condition=~Q(voucher=F("vouchee")),
                name="people_vouch_not_for_oneself",
                violation_error_message=_("Nobody can vouch for themselves."),
            ),
            models.UniqueConstraint(
                fields=["voucher", "vouchee"],
                name="people_vouch_once_per_pair",
                violation_error_message=_("This member has vouched for that one already."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.voucher or '-'} → {self.vouchee}"

    def save(self, **kwargs: Any) -> None:
        """Save the vouch in one transaction with ``is_vouched``, which ``receivers`` writes."""
        with transaction.atomic(using=kwargs.get("using")):
            super().save(**kwargs)
