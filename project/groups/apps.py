"""The configuration of the groups app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class GroupsConfig(AppConfig):
    """The groups app."""

    name = "project.groups"
    verbose_name = _("Groups")
