"""The addresses of a site that has all the optional views."""

from django.db import connections
from django.urls import path
from health_check.views import HealthCheckView

from mozillians_basket.contrib.health import health
from mozillians_basket.contrib.health_check import BasketHealthCheck
from mozillians_basket.contrib.metrics import metrics
from project.urls import urlpatterns as site_urlpatterns


class Check(BasketHealthCheck):
    """The check, with an end for connections to a database in memory: Django keeps them open."""

    def run(self):
        try:
            super().run()
        finally:
            for each in connections.all(initialized_only=True):
                if each.connection is not None:
                    each.connection.close()


urlpatterns = [
    *site_urlpatterns,
    path("health/basket/", health),
    path("metrics/", metrics),
    path("health/", HealthCheckView.as_view(checks=[Check])),
    path("health/strict/", HealthCheckView.as_view(checks=[(Check, {"warnings": True})])),
]
