"""The pages for people, and the answers for monitors."""

import uuid
from collections.abc import Callable

from django.core.cache import cache
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from mozillians_basket.sandbox import changes, contacts
from mozillians_basket.sandbox.contacts import Action
from mozillians_basket.sandbox.models import Newsletter, Person


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Say what this server is, and lead on."""
    return render(request, "basket_sandbox/pages/home.html")


def healthz(request: HttpRequest) -> HttpResponse:
    """Answer that the server runs."""
    return HttpResponse("pong", content_type="text/plain")


def readiness(request: HttpRequest) -> HttpResponse:
    """Answer whether cache and database work; status 500 if not."""
    states = {"caches": _state(_use_cache), "databases": _state(_use_database)}
    is_ready = all(state["ok"] for state in states.values())
    body = {name: [{"default": state}] for name, state in states.items()}
    return JsonResponse(body, status=200 if is_ready else 500)


@require_safe
@cache_control(max_age=300)
def newsletters(request: HttpRequest) -> HttpResponse:
    """List the newsletters that anybody may subscribe to."""
    offered = Newsletter.objects.filter(active=True, private=False)
    return render(request, "basket_sandbox/pages/newsletters.html", {"newsletters": offered})


# The token in the path is the proof: a person who has it may change these subscriptions.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "POST"])
def confirm(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    """Let somebody confirm their address."""
    person = _person(token)
    if request.method == "POST":
        changes.confirm(token, site=request.build_absolute_uri("/"))
        return redirect("basket_sandbox:existing", token=token)
    return render(request, "basket_sandbox/pages/confirm.html", {"person": person})


@csrf_exempt
@never_cache
@require_http_methods(["GET", "POST"])
def existing(request: HttpRequest, token: uuid.UUID) -> HttpResponse:
    """Show a person their subscriptions, and let them change these or leave."""
    person = _person(token)
    if request.method == "POST":
        _change(request, token)
        return redirect(request.path)
    current = set(person.newsletters.all())
    offered = [*Newsletter.objects.filter(active=True, private=False)]
    hidden = [newsletter for newsletter in current if newsletter not in offered]
    choices = [(newsletter, newsletter in current) for newsletter in [*offered, *hidden]]
    context = {"person": person, "choices": choices}
    return render(request, "basket_sandbox/pages/existing.html", context)


def _change(request: HttpRequest, token: uuid.UUID) -> None:
    fields = {"token": str(token)}
    slugs = request.POST.getlist("newsletters")
    if "leave" in request.POST:
        everything = ",".join(Newsletter.objects.values_list("slug", flat=True))
        changes.carry_out(Action.UNSUBSCRIBE, {**fields, "newsletters": everything, "optout": "Y"})
        return
    person = _person(token)
    dropped = person.newsletters.exclude(slug__in=slugs).values_list("slug", flat=True)
    changes.carry_out(Action.UNSUBSCRIBE, {**fields, "newsletters": ",".join(dropped)})
    public = Newsletter.objects.filter(slug__in=slugs, private=False)
    wanted = ",".join(public.values_list("slug", flat=True))
    changes.carry_out(Action.SUBSCRIBE, {**fields, "newsletters": wanted})


def _state(use: Callable[[], object]) -> dict[str, bool | str]:
    try:
        use()
    except Exception as error:  # noqa: BLE001
        return {"ok": False, "error": type(error).__name__}
    return {"ok": True}


def _use_cache() -> None:
    cache.set("basket_sandbox.readiness", "ok")
    cache.get("basket_sandbox.readiness")


def _use_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _person(token: uuid.UUID) -> Person:
    person = contacts.find(token=token)
    if person is None:
        raise Http404
    return person
