"""The members' own page: its text, its buttons, and their effect at Basket."""

import pytest
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone
from waffle.testutils import override_switch

from mozillians_basket import tasks, views
from mozillians_basket.conf import SWITCH
from mozillians_basket.ledger import decisions
from mozillians_basket.models import Contact, Decision, Event, Status, Touch
from mozillians_basket.site import BasketSite
from mozillians_basket.views import NewslettersView
from project.people.models import UserProfile
from tests.app.steps import settle_everything
from tests.factories import UserFactory, UserProfileFactory, VouchFactory

URL = reverse("mozillians_basket:newsletters")
PHONE, NDA, OPEN = "mozilla-phone", "mozillians-nda", "mozilla-foundation"
NOWHERE = "http://127.0.0.1:1"


class Users(BasketSite):
    """A site whose members are its users."""


@pytest.fixture
def member(vouched, client):
    """A vouched member who is signed in, and gets phone news."""
    client.force_login(vouched.user)
    return vouched


@pytest.fixture
def newcomer(basket, client):
    """A member without a vouch who is signed in."""
    profile = UserProfileFactory.create()
    client.force_login(profile.user)
    return profile


@pytest.fixture
def choose(client, commit):
    """Choose on the page as a browser does, up to the page that follows."""

    def choose(choice, newsletter=PHONE):
        with commit():
            return client.post(URL, {"choice": choice, "newsletter": newsletter}, follow=True)

    return choose


def held(basket, profile):
    """Return the newsletters that Basket has for a member; None if Basket does not know them."""
    person = basket.person(User.objects.get(profile=profile).email)
    return None if person is None else set(person.newsletters)


def shown(client, newsletter=PHONE):
    """Return the page's text about a newsletter."""
    found = client.get(URL).context["basket_newsletters"]
    return next(each for each in found if each.slug == newsletter)


def text_of(page):
    return " ".join(page.content.decode().split())


# Access


@pytest.mark.parametrize("method", ["get", "post"])
def test_visitor_is_sent_to_sign_in_and_decides_nothing(member, method):
    fields = {"choice": "unsubscribe", "newsletter": PHONE}

    answer = getattr(Client(), method)(URL, fields)

    assert (answer.status_code, answer.url.partition("?")[0]) == (302, reverse("sign-in"))
    assert not Decision.objects.filter(opted_out_at__isnull=False).exists()


def test_user_who_is_no_member_is_told_so_and_decides_nothing(client, basket):
    client.force_login(UserFactory.create())

    page = client.get(URL)
    answer = client.post(URL, {"choice": "unsubscribe", "newsletter": PHONE})

    assert "You are not a member of this site" in text_of(page)
    assert answer.status_code == 404


def test_choice_without_a_csrf_token_is_refused(member, basket):
    client = Client(enforce_csrf_checks=True)
    client.force_login(member.user)

    answer = client.post(URL, {"choice": "unsubscribe", "newsletter": PHONE})

    assert answer.status_code == 403
    assert held(basket, member) == {PHONE}


def test_choice_is_the_signed_in_members_own(member, choose, basket, commit):
    with commit():
        other = VouchFactory.create().vouchee

    choose("unsubscribe")

    assert held(basket, member) == set()
    assert held(basket, other) == {PHONE}


@pytest.mark.parametrize(
    "fields",
    [
        {"choice": "subscribe", "newsletter": "app-dev"},
        {"choice": "subscribe"},
        {"choice": "everything", "newsletter": PHONE},
        {},
    ],
)
def test_unknown_choice_or_foreign_newsletter_is_not_found(member, client, basket, fields):
    answer = client.post(URL, fields)

    assert answer.status_code == 404
    assert held(basket, member) == {PHONE}


def test_member_is_the_user_where_users_are_the_members(db, settings):
    settings.BASKET_MEMBER_MODEL, settings.BASKET_SITE = "auth.User", f"{__name__}.Users"
    view = NewslettersView()
    view.setup(RequestFactory().get(URL))
    view.request.user = UserFactory.create()

    assert view.get_member() == view.request.user


# The text of the page


def test_member_reads_what_they_get_and_why(member, client):
    phone, nda = shown(client), shown(client, NDA)

    assert (phone.title, phone.state, phone.is_received) == ("Mozilla phone", "You get it.", True)
    assert phone.reason.startswith("It is for vouched members, and you have been one of them since")
    assert (phone.may_subscribe, phone.may_unsubscribe) == (False, True)
    assert (nda.state, nda.reason) == ("You do not get it.", "It is for members of the NDA group.")
    assert (nda.may_subscribe, nda.may_unsubscribe) == (False, False)


def test_page_asks_basket_nothing_and_needs_no_basket(member, client, basket, settings):
    basket.clear_requests()

    client.get(URL)
    settings.BASKET_URL = NOWHERE
    page = client.get(URL)

    assert basket.requests == []
    assert "You get it." in text_of(page)


def test_member_reads_that_something_is_under_way(newcomer, client):
    VouchFactory.create(vouchee=newcomer)

    phone = shown(client)

    assert phone.state == "You do not get it yet: it is being ordered for you."
    assert phone.is_under_way
    assert 'data-basket-every="3000"' in text_of(client.get(URL))


def test_member_reads_that_nothing_is_sent_while_the_switch_is_off(member, client):
    with override_switch(SWITCH, active=False):
        page = client.get(URL)

    assert "Basket is not told of any change at the moment" in text_of(page)


def test_member_reads_that_nothing_is_sent_while_the_breaker_is_open(member, client):
    Status.objects.update(opened_at=timezone.now())

    assert "Basket is not told of any change at the moment" in text_of(client.get(URL))


def test_member_reads_that_basket_refuses_their_address(newcomer, client, basket, commit):
    basket.fail("subscribe", status=400, code=2)
    with commit():
        VouchFactory.create(vouchee=newcomer)

    assert shown(client).state == "You do not get it: Basket does not accept your e-mail address."


def test_member_reads_that_basket_waits_for_their_confirmation(newcomer, client, basket, commit):
    basket.put_person(newcomer.user.email, newsletters=[PHONE], optin=False)
    with commit():
        VouchFactory.create(vouchee=newcomer)

    assert shown(client).state.startswith("It waits for you: Basket has written to you.")


def test_member_reads_that_an_admin_subscribed_them(newcomer, client, basket, commit):
    with commit():
        decisions.order([newcomer.pk], [NDA], subscribe=True)
        tasks.lookup_users_task.delay()

    nda = shown(client, NDA)

    assert nda.state == "You get it."
    assert nda.reason.startswith("An admin subscribed you on")


def test_member_reads_that_they_left_at_basket(member, client, basket):
    basket.opt_out(member.user.email, PHONE)
    Contact.objects.update(touched_at=timezone.now())
    settle_everything()

    phone = shown(client)

    assert phone.state == "You do not get it."
    assert phone.reason.startswith("You opted out on")
    assert phone.may_subscribe


def test_member_reads_that_another_one_has_the_same_address(member, client, basket, commit):
    with commit():
        VouchFactory.create(vouchee__user__email=member.user.email)
        decisions.choose(member.pk, [PHONE], subscribe=False)
        tasks.lookup_users_task.delay()

    page, phone = client.get(URL), shown(client)

    assert "Another member has the same e-mail address." in text_of(page)
    assert phone.state.startswith("It still comes to your address")
    assert held(basket, member) == {PHONE}


def test_newsletter_of_a_neighbour_is_not_called_the_members_own_choice(member, client, commit):
    with commit():
        neighbour = VouchFactory.create(vouchee__user__email=member.user.email).vouchee
        decisions.order([neighbour.pk], [NDA], subscribe=True)
        tasks.lookup_users_task.delay()

    nda = shown(client, NDA)

    assert nda.state.startswith("It still comes to your address")
    assert nda.reason == "It is for members of the NDA group."
    assert not nda.may_unsubscribe


def test_member_reads_that_their_address_is_changing(member, client):
    member.user.email = "new@example.com"
    member.user.save()

    page = client.get(URL)

    assert "They come to <strong>new@example.com</strong>" in text_of(page)
    assert "Your e-mail address has changed." in text_of(page)
    assert page.context["basket_is_under_way"]


def test_page_stops_looking_once_the_address_has_changed(member, client, basket):
    member.user.email = "new@example.com"
    member.user.save()
    settle_everything()

    page = client.get(URL)

    assert held(basket, member) == {PHONE}
    assert not page.context["basket_is_under_way"]


def test_member_without_an_address_is_told_so(newcomer, client):
    User.objects.update(email="")

    assert "You have no e-mail address that Basket can write to." in text_of(client.get(URL))


def test_page_shows_no_other_members_data(member, client, commit):
    with commit():
        other = VouchFactory.create().vouchee

    assert other.user.email not in text_of(client.get(URL))


def test_page_is_not_kept_by_caches(member, client):
    assert "no-store" in client.get(URL).headers["Cache-Control"]


# Opting out and back in


def test_opted_out_member_gets_it_no_more_and_no_policy_gives_it_back(
    member, choose, basket, commit, client
):
    page = choose("unsubscribe")
    with commit():
        member.vouches_received.all().delete()
    with commit():
        VouchFactory.create(vouchee=member)

    assert "You opted out of Mozilla phone." in text_of(page)
    assert held(basket, member) == set()
    assert shown(client).reason.startswith("You opted out on")


def test_member_who_opted_out_comes_back(member, choose, basket, client):
    choose("unsubscribe")

    page = choose("subscribe")

    assert "You chose Mozilla phone." in text_of(page)
    assert held(basket, member) == {PHONE}
    assert shown(client).state == "You get it."


def test_choice_is_in_the_history_with_its_cause_and_actor(member, choose):
    choose("unsubscribe")
    choose("subscribe")

    chosen = Event.objects.get(kind=Event.Kind.DECIDED)
    assert (chosen.actor_id, chosen.cause) == (member.user.pk, "the member's own choice")
    causes = Event.objects.filter(kind=Event.Kind.UNSUBSCRIBED).values_list("cause", flat=True)
    assert list(causes) == ["the member's own choice"]


def test_choice_made_while_the_switch_is_off_is_sent_later(member, choose, basket):
    with override_switch(SWITCH, active=False):
        choose("unsubscribe")
        before = held(basket, member)
    settle_everything()

    assert before == {PHONE}
    assert held(basket, member) == set()


def test_choice_is_taken_while_basket_is_down_and_sent_later(member, choose, basket, settings):
    settings.BASKET_URL = NOWHERE
    page = choose("unsubscribe")
    settings.BASKET_URL = basket.url
    settle_everything()

    assert page.status_code == 200
    assert held(basket, member) == set()


def test_newsletter_of_a_policy_that_is_not_met_cannot_be_chosen(newcomer, choose, basket):
    page = choose("subscribe", NDA)

    assert "Members under NDA is not open to you." in text_of(page)
    assert not Decision.objects.filter(wanted=True).exists()
    assert held(basket, newcomer) is None


def test_policy_that_is_met_no_longer_gives_no_choice_even_if_no_signal_said_so(
    member, choose, basket
):
    choose("unsubscribe")
    UserProfile.objects.update(is_vouched=False)

    page = choose("subscribe")
    settle_everything()

    assert "Mozilla phone is not open to you." in text_of(page)
    assert held(basket, member) == set()


def test_member_may_come_back_to_what_an_admin_ordered(newcomer, choose, basket, commit):
    with commit():
        decisions.order([newcomer.pk], [NDA], subscribe=True)
        tasks.lookup_users_task.delay()
    choose("unsubscribe", NDA)

    choose("subscribe", NDA)

    assert held(basket, newcomer) == {NDA}


def test_open_newsletter_can_be_chosen_by_any_member_and_left(
    newcomer, choose, basket, client, settings
):
    settings.BASKET_OPEN_NEWSLETTERS = [OPEN]

    before = shown(client, OPEN)
    choose("subscribe", OPEN)
    between = held(basket, newcomer)
    choose("unsubscribe", OPEN)

    assert (before.reason, before.may_subscribe) == ("It is open to all members.", True)
    assert between == {OPEN}
    assert held(basket, newcomer) == set()


def test_newsletter_of_the_site_that_is_not_open_cannot_be_chosen(
    newcomer, choose, basket, client, settings
):
    settings.BASKET_NEWSLETTERS = [OPEN]

    page = choose("subscribe", OPEN)

    assert "mozilla-foundation" not in settings.BASKET_OPEN_NEWSLETTERS
    assert "is not open to you" in text_of(page)
    assert held(basket, newcomer) is None


def test_newsletter_subscribed_at_basket_can_be_left_here(newcomer, choose, basket, commit, client):
    basket.put_person(newcomer.user.email, newsletters=[NDA, "app-dev"])
    with commit():
        VouchFactory.create(vouchee=newcomer)
    found = shown(client, NDA)

    choose("unsubscribe", NDA)

    assert (found.state, found.reason) == ("You get it.", "You subscribed to it at Basket.")
    assert held(basket, newcomer) == {PHONE, "app-dev"}


# The throttle


def test_too_many_choices_are_refused_with_the_time_to_wait(
    member, client, basket, commit, monkeypatch
):
    monkeypatch.setattr(NewslettersView, "choices_per_hour", 2)
    fields = {"choice": "unsubscribe", "newsletter": PHONE}
    for choice in ("unsubscribe", "subscribe"):
        with commit():
            client.post(URL, {**fields, "choice": choice})

    answer = client.post(URL, fields)

    assert answer.status_code == 429
    assert "You have done this very often. Try again in" in text_of(answer)
    assert 0 < int(answer.headers["Retry-After"]) <= 3600
    assert held(basket, member) == {PHONE}


def test_each_user_is_counted_alone(member, newcomer, client, monkeypatch):
    monkeypatch.setattr(NewslettersView, "choices_per_hour", 1)
    fields = {"choice": "unsubscribe", "newsletter": PHONE}
    client.post(URL, fields)
    client.force_login(member.user)

    assert client.post(URL, fields).status_code == 302


def test_cache_that_is_away_stops_nobody(member, choose, basket, settings):
    settings.CACHES = {
        **settings.CACHES,
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1",
        },
    }

    choose("unsubscribe")

    assert held(basket, member) == set()


# Basket's own link


def sent(basket):
    return [(message.kind, message.email) for message in basket.messages]


def test_basket_sends_its_link_to_the_members_own_address(member, choose, basket):
    page = choose("manage")

    assert f"Basket is sending a link to {member.user.email}." in text_of(page)
    assert sent(basket) == [("recover", member.user.email)]


def test_member_unknown_to_basket_is_told_so(newcomer, choose, basket):
    page = choose("manage")

    assert "Basket does not know your address" in text_of(page)
    assert sent(basket) == []


def test_link_is_not_asked_for_while_the_switch_is_off(member, choose, basket):
    basket.clear_requests()

    with override_switch(SWITCH, active=False):
        page = choose("manage")

    assert "Basket is not asked for anything at the moment." in text_of(page)
    assert basket.requests == []


@pytest.mark.parametrize("fault", [{"status": 500}, {"kind": "html", "status": 404}])
def test_member_is_told_that_basket_fails_to_send_the_link(member, choose, basket, fault):
    basket.fail("recover", **fault)

    page = choose("manage")

    assert page.status_code == 200
    assert "Basket" in text_of(page)
    assert 'class="error"' in text_of(page)
    assert sent(basket) == []


def test_link_is_sent_only_a_few_times_an_hour(member, client, basket):
    answers = [client.post(URL, {"choice": "manage"}) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [302, 302, 302, 429]
    assert len(sent(basket)) == 3


def test_link_of_somebody_without_an_address_is_not_asked_for(newcomer, choose, basket):
    User.objects.update(email="")
    Touch.objects.all().delete()
    basket.clear_requests()

    page = choose("manage")

    assert "You have no e-mail address" in text_of(page)
    assert basket.requests == []


# The site's own templates


def test_site_overrides_a_block_of_the_page(member, client, settings, tmp_path):
    folder = tmp_path / "mozillians_basket"
    folder.mkdir()
    (folder / "newsletters.html").write_text(
        '{% extends "mozillians_basket/newsletters.html" %}'
        "{% block heading %}<h1>Post for you</h1>{% endblock %}"
    )
    [engine] = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": [tmp_path, *engine["DIRS"]]}]

    page = text_of(client.get(URL))

    assert "<h1>Post for you</h1>" in page
    assert "You get it." in page


def test_page_stands_alone_without_the_sites_templates(member, client, settings):
    [engine] = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": []}]

    page = text_of(client.get(URL))

    assert "<title>My newsletters</title>" in page
    assert "You get it." in page


@pytest.mark.parametrize(("language", "direction"), [("en", "ltr"), ("fr", "ltr"), ("ar", "rtl")])
def test_page_alone_reads_in_the_direction_of_its_language(
    member, client, settings, language, direction
):
    [engine] = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": []}]

    page = text_of(client.get(URL, headers={"accept-language": language}))

    assert f'<html lang="{language}" dir="{direction}">' in page


def test_page_shows_a_member_who_moves_while_it_is_read(member, client, commit, monkeypatch):
    read = views.read

    def read_after_a_move(*arguments, **options):
        member.user.email = "moved@example.com"
        with commit():
            member.user.save()
        return read(*arguments, **options)

    monkeypatch.setattr(views, "read", read_after_a_move)

    page = client.get(URL)

    assert page.status_code == 200
    assert [each.slug for each in page.context["basket_newsletters"]]
