"""The addresses of a site that has all the optional views."""

from django.urls import path
from health_check.views import HealthCheckView

from mozillians_basket.contrib.health import health
from mozillians_basket.contrib.metrics import metrics

CHECK = "mozillians_basket.contrib.health_check.BasketHealthCheck"

urlpatterns = [
    path("health/basket/", health),
    path("metrics/", metrics),
    path("health/", HealthCheckView.as_view(checks=[CHECK])),
    path("health/strict/", HealthCheckView.as_view(checks=[(CHECK, {"warnings": True})])),
]
