"""The configuration of the groups app."""

from django.apps import AppConfig


class GroupsConfig(AppConfig):
    """The groups app."""

    name = "project.groups"
