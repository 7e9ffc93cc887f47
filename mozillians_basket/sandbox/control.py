"""The endpoints under ``/sandbox/``, by which tests and demonstrations control the sandbox."""

import ipaddress
import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.forms.models import model_to_dict
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from mozillians_basket.sandbox import access, catalogue, changes, contacts, journal
from mozillians_basket.sandbox.faults import remove, set_fault
from mozillians_basket.sandbox.models import (
    Fault,
    HeldCall,
    Newsletter,
    Person,
    RateCount,
    ReceivedRequest,
    SentMessage,
    Subscription,
)
from mozillians_basket.sandbox.resets import resets

View = Callable[[HttpRequest, dict[str, Any]], Any]

PERSON_FIELDS = {
    "country",
    "first_name",
    "format",
    "lang",
    "last_name",
    "optin",
    "optout",
    "reason",
    "source_url",
    "token",
}


def control(*methods: str) -> Callable[[View], Callable[[HttpRequest], HttpResponse]]:
    """Make a view a control endpoint: only from this machine, only with an API key."""

    def decorate(view: View) -> Callable[[HttpRequest], HttpResponse]:
        @csrf_exempt
        @wraps(view)
        def answered(request: HttpRequest) -> HttpResponse:
            if not _is_local(request) or not access.has_valid_key_v1(request):
                return JsonResponse({"error": "only with a key and from this machine"}, status=403)
            if request.method not in methods:
                return JsonResponse({"error": "method not allowed"}, status=405)
            try:
                changes.catch_up()
                body = json.loads(request.body or b"{}")
                return JsonResponse(view(request, body))
            except (ValidationError, ValueError, TypeError, KeyError) as error:
                return JsonResponse({"error": str(error)}, status=400)

        return answered

    return decorate


@control("GET", "POST", "DELETE")
def faults(request: HttpRequest, body: dict[str, Any]) -> dict[str, Any]:
    """List the faults, set one, or remove one (``?id=``) or all."""
    if request.method == "POST":
        fault = Fault(**body)
        fault.full_clean()
        set_fault(fault)
        return {"fault": _fault(fault)}
    if request.method == "DELETE":
        chosen = Fault.objects.all()
        if "id" in request.GET:
            chosen = chosen.filter(pk=request.GET["id"])
        remove(chosen)
        changes.catch_up()
    return {"faults": [_fault(fault) for fault in Fault.objects.all()]}


@control("GET", "POST", "PUT", "DELETE")
def people(request: HttpRequest, body: dict[str, Any]) -> dict[str, Any]:
    """List the people, create or change one, add many, or delete one (``?email=``) or all."""
    if "emails" in body:
        return {"added": _add_people(**body)}
    if request.method in {"POST", "PUT"}:
        return {"person": _shown(_put_person(body))}
    everyone = Person.objects.all()
    if "email" in request.GET:
        everyone = everyone.filter(email_key=request.GET["email"].lower())
    if request.method == "DELETE":
        everyone.delete()
    return {"people": [_shown(person) for person in everyone]}


def _shown(person: Person) -> dict[str, Any]:
    """Describe a person as a lookup does, and add the source URL, which no lookup shows."""
    return {**contacts.describe(person, masked=False), "source_url": person.source_url}


@control("GET", "DELETE")
def requests(request: HttpRequest, body: dict[str, Any]) -> dict[str, Any]:
    """List the requests received so far, oldest first, or delete them."""
    if request.method == "DELETE":
        ReceivedRequest.objects.all().delete()
    return {"requests": journal.entries()}


@control("GET", "DELETE")
def counts(request: HttpRequest, body: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers of requests per endpoint and of connections, or set them to zero."""
    if request.method == "DELETE":
        journal.counters.clear()
    return {"counts": journal.counters.get()}


@control("GET", "DELETE")
def messages(request: HttpRequest, body: dict[str, Any]) -> dict[str, Any]:
    """List the messages sent so far, oldest first, or delete them."""
    if request.method == "DELETE":
        SentMessage.objects.all().delete()
    return {
        "messages": [
            model_to_dict(message, exclude=["id"]) for message in SentMessage.objects.order_by("pk")
        ]
    }


@control("POST")
def newsletters(request: HttpRequest, body: dict[str, Any]) -> dict[str, Any]:
    """Create or change newsletters, groups and blocked domains, in the form of such a file."""
    return {"loaded": catalogue.load_content({"newsletters": {}, **body})}


@control("POST")
def reset(request: HttpRequest, body: dict[str, Any]) -> dict[str, Any]:
    """
    Delete people, requests, faults and counters; keys and newsletters stay.

    Waits for the requests that are under way, or leaves them unanswered.
    """
    resets.begin()
    with transaction.atomic():
        for model in (Subscription, Person, ReceivedRequest, SentMessage, HeldCall, RateCount):
            model.objects.all().delete()
        for fault in Fault.objects.all():
            fault.delete()
    journal.counters.clear()
    return {"status": "ok"}


def _is_local(request: HttpRequest) -> bool:
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def _fault(fault: Fault) -> dict[str, Any]:
    return {"id": fault.pk, **model_to_dict(fault, exclude=["id"])}


@transaction.atomic
def _put_person(body: dict[str, Any]) -> Person:
    email = body.pop("email")
    person = Person.objects.filter(email_key=email.lower()).first() or Person(email=email)
    slugs = body.pop("newsletters", None)
    current = set() if person.pk is None else {n.slug for n in person.newsletters.all()}
    wanted = set(current if slugs is None else slugs)
    wanted |= set(body.pop("add", ()))
    wanted -= set(body.pop("remove", ()))
    found = {n.slug: n for n in Newsletter.objects.filter(slug__in=wanted)}
    if missing := wanted - set(found):
        raise ValueError(f"no such newsletters: {', '.join(sorted(missing))}")
    person.email = body.pop("new_email", email)
    for name, value in body.items():
        if name not in PERSON_FIELDS:
            raise ValueError(f"a person has no {name}")
        setattr(person, name, value)
    person.email_key = person.email.lower()
    person.full_clean(exclude=["email_key"])
    person.save()
    person.newsletters.set(found.values())
    return person


@transaction.atomic
def _add_people(emails: list[str], **fields: Any) -> int:
    """Create new people who differ in their addresses alone, by few queries; return how many."""
    keys = [email.lower() for email in emails]
    if known := Person.objects.filter(email_key__in=keys).first():
        raise ValueError(f"{known.email} is there already")
    first = _put_person({"email": emails[0], **fields})
    own = {name: value for name, value in fields.items() if name in PERSON_FIELDS}
    others = [Person(email=email, email_key=email.lower(), **own) for email in emails[1:]]
    for person in others:
        person.clean_fields()
    Person.objects.bulk_create(others)
    newsletters = first.newsletters.all()
    Subscription.objects.bulk_create(
        Subscription(person=person, newsletter=newsletter)
        for person in Person.objects.filter(email_key__in=keys[1:])
        for newsletter in newsletters
    )
    return len(emails)
