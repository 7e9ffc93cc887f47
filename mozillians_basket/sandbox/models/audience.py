"""The people in the sandbox Basket, and their subscriptions."""

import uuid
from typing import Any

from django.db import models

from mozillians_basket.sandbox.models.catalogue import Newsletter


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
