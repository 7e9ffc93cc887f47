"""The members' own page: what they get and why, their choices, and Basket's link to manage them."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import Model, OneToOneField
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import formats, timezone
from django.utils.decorators import method_decorator
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.generic import TemplateView

from mozillians_basket import api
from mozillians_basket.client import calls, transport
from mozillians_basket.client.transport import switch_is_on
from mozillians_basket.conf import conf
from mozillians_basket.exceptions import BasketError, BasketRefused
from mozillians_basket.ledger.share import read
from mozillians_basket.models import Contact, Decision, Member, Status, alias
from mozillians_basket.rules.evaluate import contact_key
from mozillians_basket.rules.plan import stays
from mozillians_basket.rules.rows import DecidedBy, Rows, State, held
from mozillians_basket.site import Standing, get_site

#: Seconds that the page waits for Basket to send its link.
PATIENCE = 5.0

HOUR = 3600


@dataclass(frozen=True, slots=True)
class Newsletter:
    """One newsletter, in words for the member who looks at the page."""

    slug: str
    title: str | Promise
    state: str
    reason: str
    is_received: bool
    is_under_way: bool
    """Whether a worker or Basket has still to do something, so that the state will change."""

    may_subscribe: bool
    may_unsubscribe: bool


@method_decorator([never_cache, transaction.non_atomic_requests], name="dispatch")
class NewslettersView(LoginRequiredMixin, TemplateView):
    """
    Show a member's newsletters, and carry out what they choose.

    Everything shown is read from the ledger, so Basket may be down. Only the button
    that has Basket send its own link calls it, outside of any transaction.
    """

    template_name = "mozillians_basket/newsletters.html"

    choices_per_hour = 30
    """The number of times an hour that a user may subscribe or unsubscribe."""

    messages_per_hour = 3
    """The number of times an hour that a user may have Basket send its link."""

    def get_member(self) -> Model | None:
        """
        Return the site's member who is logged in; ``None`` if the user is no member.

        That is the user, or the member whose one-to-one field points at the user.
        Override it where neither is so.
        """
        user, model = self.request.user, get_site().member_model
        if isinstance(user, model):
            return user
        for field in model._meta.get_fields():
            if isinstance(field, OneToOneField) and field.related_model is get_user_model():
                return model._default_manager.filter(**{field.name: user}).first()
        raise ImproperlyConfigured(
            f"{model._meta.label} has no one-to-one field to the user model: "
            "override NewslettersView.get_member()."
        )

    def get_newsletters(self) -> Iterable[str]:
        """Return the slugs of the newsletters to show; by default all of this site's."""
        return sorted(get_site().newsletters)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Return the member, their newsletters as :class:`Newsletter`, and notices."""
        site_member = self.get_member()
        if site_member is None:
            return super().get_context_data(basket_member=None, **kwargs)
        status = Status.read()
        standing, (member, rows) = _standing(site_member), _read(site_member, status)
        names = self.get_newsletters()
        newsletters = [_newsletter(rows, member, standing, name) for name in names]
        return super().get_context_data(
            basket_member=site_member,
            basket_address=standing.email,
            basket_newsletters=newsletters,
            basket_notices=_notices(rows, member, standing, status),
            basket_is_under_way=(
                any(each.is_under_way for each in newsletters) or _is_moving(rows, member, standing)
            ),
            **kwargs,
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Subscribe to a newsletter, unsubscribe from it, or have Basket send its link."""
        member, choice = self.get_member(), request.POST.get("choice")
        name = request.POST.get("newsletter", "")
        known = choice == "manage" or (
            choice in {"subscribe", "unsubscribe"} and name in self.get_newsletters()
        )
        if member is None or not known:
            raise Http404
        limit = self.messages_per_hour if choice == "manage" else self.choices_per_hour
        if wait := seconds_to_wait(request, "manage" if choice == "manage" else "choose", limit):
            minutes = -(-wait // 60)
            text = ngettext(
                "You have done this very often. Try again in %(count)d minute.",
                "You have done this very often. Try again in %(count)d minutes.",
                minutes,
            )
            messages.error(request, text % {"count": minutes})
            context = self.get_context_data(**kwargs)
            return self.render_to_response(context, status=429, headers={"Retry-After": wait})
        if choice == "manage":
            done, told = _send_link(member)
        else:
            done, told = self._choose(member, name, subscribe=choice == "subscribe")
        messages.add_message(request, messages.SUCCESS if done else messages.ERROR, told)
        return HttpResponseRedirect(request.path)

    def _choose(self, site_member: Model, name: str, *, subscribe: bool) -> tuple[bool, str]:
        """Write a choice into the ledger; return whether it was allowed, and the words for it."""
        title = {"newsletter": str(conf.NEWSLETTER_TITLES.get(name, name))}
        with transaction.atomic(using=alias()):
            member, rows = _read(site_member, Status.read())
            allowed = not subscribe or _may_choose(rows, member, _standing(site_member), name)
            if allowed:
                choose = api.opt_in if subscribe else api.opt_out
                choose(site_member, name, actor=self.request.user)
                # A policy's outcome may have changed before the ledger's rows were locked.
                allowed = not subscribe or _may_choose(rows, member, _standing(site_member), name)
            if not allowed:
                transaction.set_rollback(True, using=alias())
                return False, _("%(newsletter)s is not open to you.") % title
        if subscribe:
            return True, _("You chose %(newsletter)s. It is being ordered for you.") % title
        return True, _("You opted out of %(newsletter)s. You are being unsubscribed.") % title


def seconds_to_wait(request: HttpRequest, action: str, limit: int) -> int:
    """
    Count one more action of a user; return 0, or the seconds until they may do it again.

    The count is in Django's cache, for each hour. While the cache is away nobody waits.
    """
    now = int(time.time())
    key = f"mozillians_basket.{action}.{request.user.pk}.{now // HOUR}"
    try:
        cache.add(key, 0, HOUR)
        count = cache.incr(key)
    except Exception:  # noqa: BLE001 - any error of the cache: the page works without it
        return 0
    return HOUR - now % HOUR if count > limit else 0


def _send_link(site_member: Model) -> tuple[bool, str]:
    """Have Basket send its own link; return whether it was sent, and the words for it."""
    standing = _standing(site_member)
    if not contact_key(standing.email):
        return False, _("You have no e-mail address that Basket can write to.")
    if not switch_is_on():
        return False, _("Basket is not asked for anything at the moment. Try again later.")
    try:
        with transport.within(PATIENCE):
            sent = calls.recover(standing.email)
    except BasketRefused:
        return False, _("Basket does not accept your e-mail address.")
    except BasketError:
        return False, _("Basket cannot be reached at the moment. Try again later.")
    if not sent:
        return False, _("Basket does not know your address: you have no newsletters there.")
    return True, _("Basket is sending a link to %(address)s.") % {"address": standing.email}


def _standing(site_member: Model) -> Standing:
    """Read what the site says about a member; nothing if it does not count them as one."""
    found: Standing | None = get_site().standings([site_member.pk]).get(site_member.pk)
    return found or Standing("", frozenset())


def _date(moment: datetime) -> str:
    return formats.date_format(timezone.localtime(moment) if settings.USE_TZ else moment)


def _read(site_member: Model, status: Status) -> tuple[Member, Rows]:
    """Read a member's row and all that bears on it, without locks; a new row if there is none."""
    found = list(Member.objects.filter(site_member=site_member.pk))
    rows = read((), found, status=status, lock=False)
    there = (each for each in rows.members.values() if each.site_member_id == site_member.pk)
    return next(there, Member(pk=0, site_member_id=site_member.pk)), rows


def _is_wanted(rows: Rows, member: Member, standing: Standing, name: str) -> bool:
    """Whether a newsletter is decided for a member, or will be once a policy's change is seen."""
    decision = rows.decision(member, name)
    if any(policy.newsletter == name for policy in get_site().policies):
        entitled = name in standing.entitled
        if entitled != decision.entitled and member.held_back_at is None:
            return entitled
    return bool(decision.wanted)


def _may_choose(rows: Rows, member: Member, standing: Standing, name: str) -> bool:
    """Whether a member may subscribe: it is open to all, or was decided for them."""
    wanted = _is_wanted(rows, member, standing, name)
    return wanted or name in standing.entitled or name in conf.OPEN_NEWSLETTERS


def _newsletter(rows: Rows, member: Member, standing: Standing, name: str) -> Newsletter:
    contact = rows.home(member) or Contact(pk=0)
    decision, row = rows.decision(member, name), rows.subscription(contact, name)
    places = [contact, *(rows.contacts[move.source_id] for move in rows.moves_of(member))]
    has = any(held(rows.subscription(place, name)) for place in places)
    vetoed = bool(rows.veto(member, name)) or rows.mailbox_opted_out(contact, name)
    opted_out = vetoed and not decision.despite_opt_out
    wanted = _is_wanted(rows, member, standing, name) and not opted_out
    others_want = rows.wanted(contact, name) and not wanted
    found_there = has and not wanted and bool(contact.pk) and stays(rows, contact, name)
    is_own = found_there and not others_want

    under_way = False
    if wanted and row.state == State.REFUSED and has:
        state = _("It comes to your former address: Basket does not accept the new one.")
    elif wanted and row.state == State.REFUSED:
        state = _("You do not get it: Basket does not accept your e-mail address.")
    elif wanted and row.state == State.LOST:
        state = _("You do not get it: Basket has lost it. An admin has been told.")
    elif wanted and has and row.missing_at is not None:
        state = _("Basket does not have it for you at the moment. This is being looked into.")
    elif wanted and has and not contact.optin:
        state = _("It waits for you: Basket has written to you. Confirm your address there.")
    elif wanted and has:
        state = _("You get it.")
    elif wanted:
        state, under_way = _("You do not get it yet: it is being ordered for you."), True
    elif has and others_want:
        state = _("It still comes to your address: another member with the same address gets it.")
    elif found_there:
        state = _("You get it.")
    elif has:
        state, under_way = _("You are being unsubscribed."), True
    else:
        state = _("You do not get it.")

    at = rows.veto(member, name) or row.opted_out_at
    if opted_out and at is not None:
        reason = _("You opted out on %(date)s.") % {"date": _date(at)}
    elif opted_out:
        reason = _("You have another e-mail address at Basket.")
    else:
        reason = _reason(decision, name, wanted=wanted, is_own=is_own)

    may_choose = _may_choose(rows, member, standing, name)
    lost = row.state == State.LOST
    return Newsletter(
        slug=name,
        title=conf.NEWSLETTER_TITLES.get(name, name),
        state=state,
        reason=reason,
        is_received=has and (wanted or found_there),
        is_under_way=under_way,
        may_subscribe=may_choose and (opted_out or lost or not (wanted or found_there)),
        may_unsubscribe=wanted or (is_own and not opted_out),
    )


def _reason(decision: Decision, name: str, *, wanted: bool, is_own: bool) -> str:
    """Say whose decision the state of a newsletter is, and since when."""
    labels = [policy.label for policy in get_site().policies if policy.newsletter == name]
    audience = labels[0] if labels else ""
    if decision.wanted == wanted and decision.decided_at is not None:
        date = {"date": _date(decision.decided_at)}
        match decision.decided_by, wanted:
            case DecidedBy.ADMIN, True:
                return _("An admin subscribed you on %(date)s.") % date
            case DecidedBy.ADMIN, False:
                return _("An admin unsubscribed you on %(date)s.") % date
            case DecidedBy.MEMBER, True:
                return _("You chose it on %(date)s.") % date
            case DecidedBy.POLICY, True if not audience:
                return _("It has belonged to your membership since %(date)s.") % date
            case DecidedBy.POLICY, True:
                said = _("It is for %(audience)s, and you have been one of them since %(date)s.")
                return said % {"audience": audience, **date}
    if is_own:
        return _("You subscribed to it at Basket.")
    if wanted:
        return _("It belongs to your membership.")
    if name in conf.OPEN_NEWSLETTERS:
        return _("It is open to all members.")
    if audience:
        return _("It is for %(audience)s.") % {"audience": audience}
    return _("It is not open to all members.")


def _is_moving(rows: Rows, member: Member, standing: Standing) -> bool:
    """Whether a member's address has changed, and their newsletters have yet to follow."""
    key, contact = contact_key(standing.email), rows.home(member)
    return bool(key) and bool(rows.moves_of(member) or (contact is not None and contact.key != key))


def _notices(rows: Rows, member: Member, standing: Standing, status: Status) -> list[str | Promise]:
    """Say what concerns all of a member's newsletters."""
    said: list[str | Promise] = []
    contact = rows.home(member)
    if not contact_key(standing.email):
        said.append(_("You have no e-mail address that Basket can write to."))
    elif _is_moving(rows, member, standing):
        said.append(_("Your e-mail address has changed. Your newsletters are moving to it."))
    if contact is not None and len([each for each in rows.at(contact) if each.key]) > 1:
        said.append(
            _(
                "Another member has the same e-mail address. A newsletter that one of you gets "
                "comes to both, and stays while one of you wants it."
            )
        )
    if member.held_back_at is not None:
        said.append(_("A change to your newsletters waits until an admin has approved it."))
    if not switch_is_on() or status.opened_at is not None:
        said.append(
            _("Basket is not told of any change at the moment. Your choices are kept until it is.")
        )
    return said
