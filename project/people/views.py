"""Pages for members: their profile, their address, and vouching."""

from collections.abc import Callable
from email import message_from_bytes, policy
from functools import wraps
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.core.mail import send_mail
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from mozillians_basket.views import seconds_to_wait
from project.groups.models import Group
from project.people.forms import AddressForm, DeleteForm, ProfileForm
from project.people.models import UserProfile, Vouch

View = Callable[..., HttpResponse]

#: Seconds for which the link that confirms an address is valid.
LINK_AGE = 24 * 3600

#: The number of confirmation links that a member may request in an hour.
LINKS_PER_HOUR = 5

#: The salt that separates the links' signatures from those of other signed values.
SALT = "project.people.address"

PER_PAGE = 50

#: The line that Django writes to a file after each mail.
RULE = "-" * 79


def signed_in_user(request: HttpRequest) -> User:
    """Return the user of a view that requires one."""
    assert isinstance(request.user, User)  # noqa: S101 - for the types; login_required guarantees it
    return request.user


def own_profile(request: HttpRequest) -> UserProfile:
    """Return the user's profile. It is created at the first visit if there is none."""
    return UserProfile.objects.get_or_create(user=signed_in_user(request))[0]


def vouched_only(view: View) -> View:
    """Refuse members who are not vouched."""

    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not own_profile(request).is_vouched:
            raise PermissionDenied(_("Only vouched members see this page."))
        return view(request, *args, **kwargs)

    return guarded


def home(request: HttpRequest) -> HttpResponse:
    """Greet a visitor, or show a member their status."""
    if not request.user.is_authenticated:
        return render(request, "people/welcome.html")
    profile = own_profile(request)
    context = {
        "profile": profile,
        "vouches": profile.vouches_received.select_related("voucher__user").order_by("date"),
        "memberships": profile.memberships.select_related("group").order_by("group__name"),
        "groups": Group.objects.exclude(memberships__profile=profile).order_by("name"),
    }
    return render(request, "people/home.html", context)


@login_required
def edit_profile(request: HttpRequest) -> HttpResponse:
    """Let a member change their name and country."""
    profile = own_profile(request)
    form = ProfileForm(request.POST or None, instance=profile)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("Your profile is saved."))
        return redirect("profile")
    return render(request, "people/profile.html", {"form": form, "profile": profile})


@login_required
def change_address(request: HttpRequest) -> HttpResponse:
    """Mail a link to a new address; the address changes when the member follows it."""
    user = signed_in_user(request)
    form = AddressForm(user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        if seconds_to_wait(request, "address", LINKS_PER_HOUR):
            form.add_error("email", _("You have had many links sent. Try again in an hour."))
            return render(request, "people/address.html", {"form": form}, status=429)
        new = form.cleaned_data["email"]
        token = signing.dumps([user.pk, user.email, new], salt=SALT)
        link = request.build_absolute_uri(reverse("confirm-address", args=[token]))
        text = render_to_string("people/address_mail.txt", {"user": user, "link": link})
        send_mail(_("Confirm your new address"), text, None, [new])
        told = _("A link is on its way to %(address)s. Your address changes when you follow it.")
        messages.success(request, told % {"address": new})
        return redirect("home")
    return render(request, "people/address.html", {"form": form})


@never_cache
@login_required
def confirm_address(request: HttpRequest, token: str) -> HttpResponse:
    """
    Change the address of the member who requested the link, if it is unchanged since then.

    Only a POST changes it: programs that check mail for harmful links follow them too.
    """
    try:
        key, old, new = signing.loads(token, salt=SALT, max_age=LINK_AGE)
    except signing.BadSignature:
        key = old = new = None
    if key != request.user.pk:
        return render(request, "people/link_invalid.html", status=404)
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=key)
        if user.email != old:
            return render(request, "people/link_invalid.html", status=404)
        if request.method == "POST":
            user.email = new
            user.save(update_fields=["email"])
    if request.method == "POST":
        messages.success(request, _("Your address is %(address)s now.") % {"address": new})
        return redirect("home")
    return render(request, "people/address_confirm.html", {"old": old, "new": new})


@login_required
def delete_account(request: HttpRequest) -> HttpResponse:
    """Delete the account of a member who gives their password."""
    user = signed_in_user(request)
    form = DeleteForm(user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        logout(request)
        user.delete()
        messages.success(request, _("Your account is deleted."))
        return redirect("home")
    return render(request, "people/delete.html", {"form": form})


@vouched_only
def members(request: HttpRequest) -> HttpResponse:
    """List the members; ``q`` searches their names."""
    wanted = request.GET.get("q", "").strip()
    found = UserProfile.objects.select_related("user").order_by("user__username")
    if wanted:
        found = found.filter(Q(full_name__icontains=wanted) | Q(user__username__icontains=wanted))
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "people/members.html", {"page": page, "wanted": wanted})


@vouched_only
def member(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a member; a POST vouches for them, or takes the vouch back."""
    me = own_profile(request)
    them = get_object_or_404(UserProfile.objects.select_related("user"), pk=pk)
    mine = Vouch.objects.filter(voucher=me, vouchee=them)
    if request.method == "POST":
        if me == them:
            raise PermissionDenied(_("Nobody can vouch for themselves."))
        name = {"name": str(them)}
        if request.POST.get("act") == "vouch":
            reason = request.POST.get("reason", "").strip()
            Vouch.objects.get_or_create(voucher=me, vouchee=them, defaults={"reason": reason})
            messages.success(request, _("You have vouched for %(name)s.") % name)
        elif request.POST.get("act") == "take back":
            for vouch in mine:
                vouch.delete()
            messages.success(request, _("You no longer vouch for %(name)s.") % name)
        else:
            raise Http404
        return redirect("member", pk=pk)
    context = {
        "profile": them,
        "is_me": me == them,
        "mine": mine.first(),
        "vouches": them.vouches_received.select_related("voucher__user").order_by("date"),
    }
    return render(request, "people/member.html", context)


def sent_mail(request: HttpRequest) -> HttpResponse:
    """Show the mail that the site wrote to files, newest first; in development only."""
    files = sorted(Path(settings.MAIL_FOLDER).glob("*.log"), key=lambda file: -file.stat().st_mtime)
    found = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files[:20]]
    mails = [
        (mail["To"], mail["Subject"], mail.get_content().rstrip().removesuffix(RULE))
        for mail in found
    ]
    return render(request, "people/mail.html", {"mails": mails})
