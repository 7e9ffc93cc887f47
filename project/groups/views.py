"""The page of a group: members ask, accept the terms and leave; its managers accept them."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from project.groups.models import Group, Membership
from project.people.models import UserProfile
from project.people.views import own_profile

#: Users with this permission manage all groups.
MANAGE = "groups.change_membership"

Status = Membership.Status


@login_required
def group(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a group and the member's way into it; a POST does the next step."""
    shown = get_object_or_404(Group, slug=slug)
    profile = own_profile(request)
    manages = request.user.has_perm(MANAGE)
    if request.method == "POST":
        act = request.POST.get("act", "")
        if act in {"accept", "remove"}:
            _manage(request, shown, act, manages=manages)
        else:
            _step(request, shown, profile, act)
        return redirect("group", slug=slug)
    mine = Membership.objects.filter(group=shown, profile=profile).first()
    people = Membership.objects.filter(group=shown).select_related("profile__user")
    inside = mine is not None and mine.status == Status.MEMBER
    context = {
        "group": shown,
        "profile": profile,
        "mine": mine,
        "inside": inside,
        "manages": manages,
        "memberships": people.order_by("status", "date_joined") if manages else None,
        "insiders": people.filter(status=Status.MEMBER).order_by("date_joined") if inside else None,
    }
    return render(request, "groups/group.html", context)


def _step(request: HttpRequest, group: Group, profile: UserProfile, act: str) -> None:
    """Carry out a member's own step."""
    mine = Membership.objects.filter(group=group, profile=profile).first()
    name = {"group": group.name}
    if act == "ask" and mine is None:
        if not profile.is_vouched:
            raise PermissionDenied(_("Only vouched members may ask to join."))
        Membership.objects.create(group=group, profile=profile, status=Status.PENDING)
        messages.success(request, _("You have asked to join %(group)s.") % name)
    elif act == "accept terms" and mine is not None and mine.status == Status.PENDING_TERMS:
        mine.status = Status.MEMBER
        mine.save(update_fields=["status"])
        messages.success(request, _("You are a member of %(group)s now.") % name)
    elif act == "leave" and mine is not None:
        mine.delete()
        messages.success(request, _("You have left %(group)s.") % name)
    elif act in {"ask", "accept terms", "leave"}:
        messages.error(request, _("Something has changed; nothing was done."))
    else:
        raise Http404


def _manage(request: HttpRequest, group: Group, act: str, *, manages: bool) -> None:
    """Carry out a manager's step for a member."""
    if not manages:
        raise PermissionDenied(_("Only managers of the group may do this."))
    key = request.POST.get("membership", "")
    found = Membership.objects.filter(group=group, pk=int(key) if key.isdecimal() else 0)
    membership = found.select_related("profile__user").first()
    if membership is None or (act == "accept" and membership.status != Status.PENDING):
        messages.error(request, _("Something has changed; nothing was done."))
        return
    name = {"name": str(membership.profile), "group": group.name}
    if act == "accept":
        membership.status = Status.PENDING_TERMS
        membership.save(update_fields=["status"])
        messages.success(request, _("%(name)s has yet to accept the terms.") % name)
    else:
        membership.delete()
        messages.success(request, _("%(name)s is not in %(group)s any more.") % name)
