"""Profiles, vouches and users in the admin."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from mozillians_basket.admin import BasketDeletionNotice, BasketMemberAdmin
from project.people.models import UserProfile, Vouch

if TYPE_CHECKING:
    ProfileModelAdmin = admin.ModelAdmin[UserProfile]
    VouchModelAdmin = admin.ModelAdmin[Vouch]
    UserModelAdmin = UserAdmin[User]
else:
    ProfileModelAdmin = VouchModelAdmin = admin.ModelAdmin
    UserModelAdmin = UserAdmin


@admin.register(UserProfile)
class UserProfileAdmin(BasketMemberAdmin, ProfileModelAdmin):
    """The list and form of profiles."""

    list_display = ("user", "full_name", "email", "country", "is_vouched")
    list_filter = ("is_vouched", "country")
    list_select_related = ("user",)
    search_fields = ("full_name", "user__username", "user__email")
    ordering = ("pk",)
    autocomplete_fields = ("user",)
    readonly_fields = ("is_vouched",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[UserProfile]:
        """Fetch each profile's user too: the autocomplete fields name a profile by it."""
        return super().get_queryset(request).select_related("user")

    @admin.display(description=_("email address"), ordering="user__email")
    def email(self, profile: UserProfile) -> str:
        """The address of the profile's user."""
        return profile.user.email


@admin.register(Vouch)
class VouchAdmin(VouchModelAdmin):
    """The list and form of vouches."""

    list_display = ("vouchee", "voucher", "date")
    list_select_related = ("vouchee__user", "voucher__user")
    date_hierarchy = "date"
    ordering = ("-date", "-pk")
    search_fields = (
        "vouchee__full_name",
        "vouchee__user__username",
        "voucher__full_name",
        "voucher__user__username",
    )
    autocomplete_fields = ("vouchee", "voucher")


admin.site.unregister(User)


@admin.register(User)
class AccountAdmin(BasketDeletionNotice, UserModelAdmin):
    """Users as Django shows them. A user's profile is deleted with them."""
