"""The app in Django's admin: bulk actions for members, and the ledger to read."""

from django.contrib import admin

from mozillians_basket.admin.members import BasketDeletionNotice, BasketMemberAdmin, register

__all__ = ["BasketDeletionNotice", "BasketMemberAdmin", "register"]

register(admin.site)
