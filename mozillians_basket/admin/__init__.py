"""The app in Django's admin: bulk actions for members, and the ledger to read."""

from django.contrib import admin

from mozillians_basket.admin.members import BasketMemberAdmin, register

__all__ = ["BasketMemberAdmin", "register"]

register(admin.site)
