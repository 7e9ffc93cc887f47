"""The newsletters that people can subscribe to."""

from typing import Any

from django.db import models


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
