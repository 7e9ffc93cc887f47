"""The paths of the sandbox Basket when it runs as a server of its own."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(url="/admin/")),
    path("", include("mozillians_basket.sandbox.urls")),
    path("admin/", admin.site.urls),
]
