#!/usr/bin/env python
"""Run Django's commands on the consumer site, with its development settings by default."""

import os

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings.dev")
    execute_from_command_line()
