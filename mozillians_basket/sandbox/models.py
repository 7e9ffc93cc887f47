"""The sandbox Basket's tables."""

import secrets
import uuid
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone


def new_key() -> str:
    """Return a new API key."""
    return secrets.token_hex(16)


class ApiKey(models.Model):
    """A key that lets a caller do privileged things, such as looking up by address."""

    name = models.CharField(max_length=256)
    key = models.CharField(max_length=64, unique=True, default=new_key)
    enabled = models.BooleanField(default=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "API key"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class BlockedDomain(models.Model):
    """A domain. Addresses that end in it are answered "ok", and not stored."""

    domain = models.CharField(max_length=255, unique=True)

    class Meta:
        ordering = ["domain"]

    def __str__(self) -> str:
        return self.domain


class Newsletter(models.Model):
    """A newsletter, with the fields that ``/news/newsletters/`` shows."""

    slug = models.SlugField(unique=True)
    title = models.CharField(max_length=128)
    description = models.CharField(max_length=256, blank=True)
    show = models.BooleanField(default=False, help_text="Show it in lists, also to strangers.")
    active = models.BooleanField(default=True, help_text="Offered to new subscribers.")
    private = models.BooleanField(default=False, help_text="Subscribing needs an API key.")
    indent = models.BooleanField(default=False)
    vendor_id = models.CharField(max_length=128, blank=True)
    welcome = models.CharField(max_length=64, blank=True)
    languages = models.CharField(
        max_length=200, blank=True, help_text="Language codes, separated by commas."
    )
    requires_double_optin = models.BooleanField(
        default=False, help_text="Subscribers are asked to confirm their address."
    )
    order = models.IntegerField(default=0)
    firefox_confirm = models.BooleanField(default=False)
    is_mofo = models.BooleanField(default=False)
    is_waitlist = models.BooleanField(default=False)

    class Meta:
        ordering = ["order", "slug"]

    def __str__(self) -> str:
        return self.title

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save, without white space between the language codes."""
        self.languages = "".join(self.languages.split())
        super().save(*args, **kwargs)

    @property
    def language_list(self) -> list[str]:
        """The language codes; an empty list if there are none."""
        return [code for code in self.languages.split(",") if code]


class NewsletterGroup(models.Model):
    """A name that subscribes to several newsletters at once."""

    slug = models.SlugField(unique=True)
    title = models.CharField(max_length=128)
    description = models.CharField(max_length=256, blank=True)
    show = models.BooleanField(default=False)
    active = models.BooleanField(default=True, help_text="Its slug is accepted when subscribing.")
    newsletters = models.ManyToManyField(Newsletter, related_name="groups")

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.title


class Person(models.Model):
    """One contact. Its address is found in upper or lower case, and kept as last written."""

    email = models.CharField(max_length=254)
    email_key = models.CharField(max_length=254, unique=True, editable=False)
    token = models.UUIDField(unique=True, default=uuid.uuid4)
    first_name = models.CharField(max_length=255, blank=True)
    last_name = models.CharField(max_length=255, blank=True)
    country = models.CharField(max_length=2, blank=True)
    lang = models.CharField(max_length=16, blank=True, default="en")
    format = models.CharField(max_length=1, default="H", choices=[("H", "HTML"), ("T", "text")])
    source_url = models.CharField(max_length=1024, blank=True)
    optin = models.BooleanField(default=False, help_text="The address is confirmed.")
    optout = models.BooleanField(default=False, help_text="Opted out of everything.")
    mofo_relevant = models.BooleanField(default=False)
    reason = models.CharField(max_length=1000, blank=True, help_text="Why they unsubscribed.")
    created_date = models.DateTimeField(auto_now_add=True)
    last_modified_date = models.DateTimeField(auto_now=True)
    newsletters = models.ManyToManyField(Newsletter, through="Subscription", related_name="people")

    class Meta:
        verbose_name_plural = "people"
        ordering = ["email_key"]

    def __str__(self) -> str:
        return self.email

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save, with the key by which the address is found."""
        self.email_key = self.email.lower()
        super().save(*args, **kwargs)


class Subscription(models.Model):
    """A person's subscription to a newsletter."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="subscriptions")
    newsletter = models.ForeignKey(
        Newsletter, on_delete=models.CASCADE, related_name="subscriptions"
    )
    source_url = models.CharField(max_length=1024, blank=True)
    welcome_due = models.BooleanField(
        default=False, help_text="To be welcomed once the address is confirmed."
    )
    created_date = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["person", "newsletter"], name="one_per_newsletter")
        ]

    def __str__(self) -> str:
        return f"{self.person} gets {self.newsletter}"


class Fault(models.Model):
    """Something that goes wrong on purpose, for some or all requests."""

    class Kind(models.TextChoices):
        """The kinds of faults."""

        ANSWER = "answer", "answer this status and code instead"
        DELAY = "delay", "wait, then go on as usual"
        HANG = "hang", "wait, then close the connection unanswered"
        IGNORE = "ignore", "answer as usual, but do not apply"
        DROP = "drop", "apply, but close the connection unanswered"
        MALFORMED = "malformed", "apply, but answer broken JSON"
        HTML = "html", "answer a page of HTML instead"
        RATE_LIMIT = "rate_limit", "answer 429"
        MAINTENANCE = "maintenance", "behave as in maintenance"
        READ_ONLY_MAINTENANCE = "read_only_maintenance", "look people up, but only queue changes"
        LATE = "late", "carry out a queued change later"
        DOUBLED = "doubled", "carry out a queued change now, and later once more"
        PEOPLE_VANISH = "people_vanish", "people vanish, until this is removed"
        SUBSCRIPTIONS_VANISH = (
            "subscriptions_vanish",
            "subscriptions vanish, until this is removed",
        )
        STORE_FAILS = "store_fails", "the store of contacts fails"
        STORE_REFUSES = "store_refuses", "the store of contacts refuses Basket"
        STORE_GONE = "store_gone", "the store of contacts is out of reach"
        STORE_READ_ONLY = "store_read_only", "the store of contacts fails on writing"
        RACE = "race", "let parallel first subscribes of one person race"

    class Spread(models.TextChoices):
        """The distribution of delays around ``seconds``."""

        FIXED = "fixed", "always the same"
        UNIFORM = "uniform", "anything from nothing to twice as long"
        EXPONENTIAL = "exponential", "mostly shorter, sometimes much longer"

    class Endpoint(models.TextChoices):
        """The endpoints that a fault can be limited to."""

        CONFIRM = "confirm", "confirm"
        UNSUBSCRIBE_REASON = "custom-unsub-reason", "custom-unsub-reason"
        LOOKUP = "lookup", "lookup"
        NEWSLETTERS = "newsletters", "newsletters"
        RECOVER = "recover", "recover"
        SUBSCRIBE = "subscribe", "subscribe"
        UNSUBSCRIBE = "unsubscribe", "unsubscribe"
        USER = "user", "user"
        USER_META = "user-meta", "user-meta"

    LOSSES = {Kind.PEOPLE_VANISH, Kind.SUBSCRIPTIONS_VANISH}
    """The kinds that strike once, at the stored people and subscriptions, and strike no request."""

    kind = models.CharField(max_length=32, choices=Kind.choices, default=Kind.ANSWER)
    endpoint = models.CharField(
        max_length=32,
        blank=True,
        choices=Endpoint.choices,
        help_text="Only requests of this endpoint; none for all.",
    )
    email = models.CharField(
        max_length=254,
        blank=True,
        help_text="Only requests about addresses like this, or people at them: *@example.com.",
    )
    newsletter = models.SlugField(
        blank=True,
        help_text="Only people who get this newsletter, or only its subscriptions; none for all.",
    )
    status = models.PositiveSmallIntegerField(
        default=500, validators=[MinValueValidator(100), MaxValueValidator(599)]
    )
    code = models.PositiveSmallIntegerField(null=True, blank=True)
    desc = models.CharField(max_length=200, blank=True)
    seconds = models.FloatField(default=0, validators=[MinValueValidator(0)])
    spread = models.CharField(max_length=16, choices=Spread.choices, default=Spread.FIXED)
    retry_after = models.CharField(max_length=64, blank=True, help_text="For 429: seconds or date.")
    share = models.FloatField(
        default=1,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text="The share of matching requests or people that it strikes.",
    )
    seed = models.IntegerField(default=0, help_text="Decides which ones a share strikes.")
    remaining = models.PositiveIntegerField(
        null=True, blank=True, help_text="How many more it strikes; empty for all."
    )
    seen = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        if self.kind in self.LOSSES:
            return f"{self.get_kind_display()} ({self.newsletter or 'every newsletter'})"
        return f"{self.get_kind_display()} ({self.endpoint or 'every endpoint'})"

    def clean(self) -> None:
        """Refuse limits that have no meaning for this kind."""
        if self.kind in self.LOSSES:
            if self.endpoint or self.remaining is not None:
                raise ValidationError("A loss strikes once, and no request.")
            if self.newsletter and not Newsletter.objects.filter(slug=self.newsletter).exists():
                raise ValidationError({"newsletter": "There is no such newsletter."})
        elif self.newsletter:
            raise ValidationError({"newsletter": "Only a loss can be limited to a newsletter."})


class Snapshot(models.Model):
    """All people and subscriptions from before a loss, as Django serializes them."""

    fault = models.OneToOneField(Fault, on_delete=models.CASCADE)
    taken = models.DateTimeField(auto_now_add=True)
    content = models.TextField()

    def __str__(self) -> str:
        return f"people and subscriptions at {self.taken}"


class ReceivedRequest(models.Model):
    """A request that was received, without its secrets."""

    received = models.DateTimeField(auto_now_add=True)
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=255)
    endpoint = models.CharField(max_length=32)
    email = models.CharField(max_length=320, blank=True)
    newsletters = models.CharField(max_length=1024, blank=True)
    status = models.PositiveSmallIntegerField(null=True, help_text="Empty when left unanswered.")
    code = models.PositiveSmallIntegerField(null=True)
    new_connection = models.BooleanField(null=True)
    seconds = models.FloatField(default=0)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class SentMessage(models.Model):
    """A message that was sent to somebody."""

    class Kind(models.TextChoices):
        """The purpose of the message."""

        CONFIRM = "confirm", "asks to confirm the address"
        WELCOME = "welcome", "welcomes to newsletters"
        RECOVER = "recover", "leads back to one's subscriptions"

    sent = models.DateTimeField(auto_now_add=True)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    email = models.CharField(max_length=254)
    lang = models.CharField(max_length=16)
    subject = models.CharField(max_length=200)
    body = models.TextField()

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.subject


class RateCount(models.Model):
    """The number of equal calls in the current period."""

    key = models.CharField(max_length=64, unique=True)
    started = models.FloatField()
    count = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.count)


class HeldCall(models.Model):
    """
    A change that was accepted and is carried out later.

    It waits for its time or for the end of the fault that holds it back, whichever is first.
    In any case it waits for the end of maintenance.
    """

    received = models.DateTimeField(auto_now_add=True)
    due = models.DateTimeField(default=timezone.now)
    fault = models.ForeignKey(Fault, null=True, on_delete=models.SET_NULL)
    kind = models.CharField(max_length=16)
    data = models.JSONField()

    class Meta:
        ordering = ["due", "pk"]

    def __str__(self) -> str:
        return self.kind
