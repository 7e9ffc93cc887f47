"""The consumer site: a small Mozillians that uses mozillians_basket."""

from project.celery import app as celery_app

__all__ = ["celery_app"]
