"""The members' own page, for a site to include."""

from django.urls import path

from mozillians_basket.views import NewslettersView

app_name = "mozillians_basket"

urlpatterns = [path("", NewslettersView.as_view(), name="newsletters")]
