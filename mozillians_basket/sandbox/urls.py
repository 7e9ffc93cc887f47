"""The paths of the sandbox Basket, to be included at the root of a site."""

from django.urls import path

from mozillians_basket.sandbox import control, news, users

urlpatterns = [
    path("news/subscribe/", news.subscribe),
    path("news/unsubscribe/<uuid:token>/", news.unsubscribe),
    path("news/user/<uuid:token>/", news.user),
    path("news/newsletters/", news.newsletters),
    path("news/lookup-user/", news.lookup_user),
    path("api/v1/news/newsletters/", users.newsletters),
    path("api/v1/users/lookup/", users.lookup),
    path("sandbox/people/", control.people),
    path("sandbox/requests/", control.requests),
    path("sandbox/faults/", control.faults),
    path("sandbox/reset/", control.reset),
]
