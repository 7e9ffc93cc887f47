"""The app of a site that watches its workers."""

import os

from django.apps import AppConfig


class Monitoring(AppConfig):
    """Connects the metrics, as the docs say."""

    name = "tests.services"
    label = "monitoring"

    def ready(self) -> None:
        """Have workers answer at the port of this test."""
        from mozillians_basket.contrib.metrics import serve_from_worker

        serve_from_worker(int(os.environ["METRICS_PORT"]))
