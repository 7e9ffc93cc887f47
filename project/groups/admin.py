"""Groups and memberships in the admin."""

from typing import TYPE_CHECKING

from django.contrib import admin

from project.groups.models import Group, Membership

if TYPE_CHECKING:
    GroupModelAdmin = admin.ModelAdmin[Group]
    MembershipModelAdmin = admin.ModelAdmin[Membership]
else:
    GroupModelAdmin = MembershipModelAdmin = admin.ModelAdmin


@admin.register(Group)
class GroupAdmin(GroupModelAdmin):
    """The list and form of groups."""

    list_display = ("name", "slug")
    ordering = ("name", "pk")
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}


@admin.register(Membership)
class MembershipAdmin(MembershipModelAdmin):
    """The list and form of memberships."""

    list_display = ("profile", "group", "status", "date_joined")
    list_filter = ("status", "group")
    list_select_related = ("profile__user", "group")
    ordering = ("-date_joined", "-pk")
    search_fields = ("profile__full_name", "profile__user__username", "group__name")
    autocomplete_fields = ("profile", "group")
