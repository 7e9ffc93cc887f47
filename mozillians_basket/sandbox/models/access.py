"""The keys of callers, and the domains whose addresses are not stored."""

import secrets

from django.db import models


def new_key() -> str:
    """Return a fresh API key."""
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
