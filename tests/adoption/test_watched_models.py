"""Changes of all kinds of related models are seen without a trigger."""

import json
from pathlib import Path
from typing import Any

import pytest

from mozillians_basket.sandbox.testing import SandboxServer
from tests.adoption.community import build_with_members, manage

MODELS = """
from django.contrib.auth.models import Group
from django.db import models


class Company(models.Model):
    name = models.CharField(max_length=20)
    minimum = models.IntegerField(default=0)


class Club(models.Model):
    name = models.CharField(max_length=20)


class City(models.Model):
    name = models.CharField(max_length=20)


class Place(models.Model):
    clubs = models.ManyToManyField(Club)
    city = models.ForeignKey(City, null=True, on_delete=models.SET_NULL)


class Home(Place):
    street = models.CharField(max_length=20, blank=True)


class Flag(models.Model):
    name = models.CharField(max_length=20)
    place = models.ForeignKey(Place, on_delete=models.CASCADE)


class Team(models.Model):
    name = models.CharField(max_length=20)


class Person(models.Model):
    mail = models.EmailField()
    active = models.BooleanField(default=False)
    company = models.ForeignKey(Company, null=True, on_delete=models.SET_NULL)
    groups = models.ManyToManyField(Group)


class Member(Person):
    level = models.IntegerField(default=0)
    home = models.ForeignKey(Home, null=True, on_delete=models.CASCADE)
    teams = models.ManyToManyField(Team, related_name="members")


class Staff(Member):
    desk = models.CharField(max_length=20, blank=True)


class Veteran(Member):
    class Meta:
        proxy = True


class Guild(models.Model):
    name = models.CharField(max_length=20)
    members = models.ManyToManyField(Member, through="Seat", related_name="guilds")


class Seat(models.Model):
    member = models.ForeignKey(Member, on_delete=models.CASCADE)
    guild = models.ForeignKey(Guild, on_delete=models.CASCADE)
    role = models.CharField(max_length=20, default="chair")


class Medal(models.Model):
    name = models.CharField(max_length=20)
    seat = models.ForeignKey(Seat, null=True, on_delete=models.SET_NULL)
"""

BASKET = """
from django.db.models import F, Q
from mozillians_basket.site import BasketSite, Policy


class Community(BasketSite):
    email = "mail"
    policies = (
        Policy("active", Q(active=True)),
        Policy("team", Q(teams__name="core")),
        Policy("group", Q(groups__name="nda")),
        Policy("guild", Q(guilds__name="smiths")),
        Policy("chair", Q(seat__role="chair")),
        Policy("medal", Q(seat__medal__name="gold")),
        Policy("company", Q(company__name="acme")),
        Policy("any-group", Q(groups__isnull=False)),
        Policy("club", Q(home__clubs__name="chess")),
        Policy("city", Q(home__city__name="Rome")),
        Policy("flag", Q(home__flag__name="blue")),
        Policy("level", Q(level__gt=F("company__minimum"))),
    )
"""

SETTINGS = """
ALLOWED_HOSTS = ["testserver"]
INSTALLED_APPS += ["members"]
BASKET_MEMBER_MODEL = "members.Member"
"""

CHANGES = """
import json
from django.contrib.auth.models import Group
from members.models import (
    City, Club, Company, Flag, Guild, Home, Medal, Member, Person, Place, Seat, Staff, Team, Veteran
)
from community.basket import Community
from mozillians_basket import dispatch
from mozillians_basket.ledger import touches
from mozillians_basket.models import Decision, Touch

dispatch.send = lambda *arguments: None
acme = Company.objects.create(name="acme")
ana = Staff.objects.create(mail="ana@example.com", active=True, company=acme, level=1)
ben = Member.objects.create(mail="ben@example.com", active=True, company=acme, level=1)
core = Team.objects.create(name="core")
nda = Group.objects.create(name="nda")
smiths = Guild.objects.create(name="smiths")
found = {}


def check(label, change):
    change()
    while touches.drain():
        pass
    for policy in Community.policies:
        entitled = set(Member.objects.filter(policy.entitled).values_list("pk", flat=True))
        wanted = Decision.objects.filter(newsletter=policy.newsletter, wanted=True)
        if entitled != set(wanted.values_list("member__site_member", flat=True)):
            found.setdefault(label, []).append(policy.newsletter)


def saved(row, **values):
    for name, value in values.items():
        setattr(row, name, value)
    row.save()


check("created", lambda: None)
check("parent saved", lambda: saved(Person.objects.get(pk=ben.pk), active=False))
check("proxy saved", lambda: saved(Veteran.objects.get(pk=ben.pk), active=True))
check("child saved", lambda: saved(Staff.objects.get(pk=ana.pk), active=False))
check("child of the member's model", lambda: saved(Member.objects.get(pk=ana.pk), active=True))
check("added from the member", lambda: ben.teams.add(core))
check("added from the other side", lambda: core.members.add(ana.member_ptr))
check("removed", lambda: core.members.remove(ana.member_ptr))
check("team renamed", lambda: saved(core, name="other"))
check("team renamed back", lambda: saved(core, name="core"))
check("cleared from the other side", lambda: core.members.clear())
check("set", lambda: ben.teams.set([core]))
check("cleared from the member", lambda: ben.teams.clear())
check("added again", lambda: core.members.add(ben))
check("team deleted", lambda: core.delete())
check("group added", lambda: ben.groups.add(nda))
check("group added from its side", lambda: nda.person_set.add(ana))
check("group cleared", lambda: nda.person_set.clear())
check("group added again", lambda: nda.person_set.set([ana, ben]))
check("group renamed", lambda: saved(nda, name="other"))
check("group renamed back", lambda: saved(nda, name="nda"))
check("group deleted", lambda: nda.delete())
check("seat by add()", lambda: smiths.members.add(ben))
check("seat saved", lambda: Seat.objects.create(guild=smiths, member=ana.member_ptr))
check("seat changed", lambda: saved(Seat.objects.get(member=ana), role="guest"))
deferred = Seat.objects.only("role").get(member=ana)
check("seat of an unread member changed", lambda: saved(deferred, role="chair"))
gold = Medal(name="gold", seat=Seat.objects.get(member=ana))
check("medal given", lambda: gold.save())
check("medal passed on", lambda: saved(gold, seat=Seat.objects.get(member=ben)))
check("medal taken away", lambda: saved(gold, seat=None))
check("seats cleared", lambda: smiths.members.clear())
check("seat by set()", lambda: ben.guilds.set([smiths]))
check("guild deleted", lambda: smiths.delete())
home, chess = Home.objects.create(), Club.objects.create(name="chess")
check("home", lambda: saved(Member.objects.get(pk=ben.pk), home=home))
rome = City.objects.create(name="Rome")
check("city of a home", lambda: saved(Home.objects.get(), city=rome))
check("city renamed", lambda: saved(rome, name="Oslo"))
check("city renamed back", lambda: saved(rome, name="Rome"))
check("city of a place", lambda: saved(Place.objects.get(), city=None))
flag = Flag(name="blue", place=Place.objects.get())
check("flag at a place", lambda: flag.save())
check("flag renamed", lambda: saved(flag, name="red"))
check("flag renamed back", lambda: saved(flag, name="blue"))
check("flag deleted", lambda: flag.delete())
check("club added to a home", lambda: home.clubs.add(chess))
check("club cleared", lambda: chess.place_set.clear())
check("home added to a club", lambda: chess.place_set.add(home))
check("club deleted", lambda: chess.delete())
check("company renamed", lambda: saved(acme, name="other"))
check("company's minimum", lambda: saved(acme, minimum=5))
check("company renamed back", lambda: saved(acme, name="acme", minimum=0))
check("company deleted", lambda: acme.delete())
check("member deleted", lambda: ben.delete())
Touch.objects.all().delete()
saved(Guild.objects.create(name="unrelated"), name="still unrelated")
print(json.dumps({"missed": found}))
"""


@pytest.fixture
def site(tmp_path: Path, basket_sandbox: SandboxServer) -> Path:
    """A new Django project whose members have relations of all kinds."""
    build_with_members(tmp_path, basket_sandbox, MODELS, SETTINGS, basket=BASKET)
    return tmp_path


@pytest.mark.programs
def test_change_of_any_related_model_is_seen(site: Path, basket_sandbox: SandboxServer) -> None:
    printed = manage(site, basket_sandbox, "shell", "-c", CHANGES)

    answer: dict[str, Any] = json.loads(printed.splitlines()[-1])
    assert answer == {"missed": {}}
