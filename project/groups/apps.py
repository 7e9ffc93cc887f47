"""The groups app's start."""

from django.apps import AppConfig


class GroupsConfig(AppConfig):
    """Groups and who is in them."""

    name = "project.groups"
