"""The paths of the sandbox Basket, to be included at the root of a site."""

from django.urls import path

from mozillians_basket.sandbox import control, details, lookups, messages, news, pages

app_name = "basket_sandbox"

urlpatterns = [
    path("news/", pages.newsletters),
    path("news/subscribe/", news.subscribe),
    path("news/unsubscribe/<uuid:token>/", news.unsubscribe),
    path("news/user/<uuid:token>/", news.user),
    path("news/user-meta/<uuid:token>/", details.user_meta),
    path("news/custom_unsub_reason/", details.custom_unsub_reason),
    path("news/newsletters/", lookups.newsletters),
    path("news/lookup-user/", lookups.lookup),
    path("news/confirm/<uuid:token>/", messages.confirm),
    path("news/recover/", messages.recover),
    path("api/v1/news/newsletters/", lookups.newsletters_v1),
    path("api/v1/users/lookup/", lookups.lookup_v1),
    path("api/v1/users/confirm/<uuid:token>/", messages.confirm_v1),
    path("api/v1/users/recover/", messages.recover_v1),
    path("newsletter/confirm/<uuid:token>/", pages.confirm, name="confirm"),
    path("newsletter/existing/<uuid:token>/", pages.existing, name="existing"),
    path("sandbox/people/", control.people),
    path("sandbox/requests/", control.requests),
    path("sandbox/counts/", control.counts),
    path("sandbox/faults/", control.faults),
    path("sandbox/messages/", control.messages),
    path("sandbox/newsletters/", control.newsletters),
    path("sandbox/reset/", control.reset),
]
