"""The paths of the sandbox Basket, to be included at the root of a site."""

from django.urls import path

from mozillians_basket.sandbox import control, openapi, pages, views

app_name = "basket_sandbox"

api = [
    path("news/subscribe/", views.subscribe),
    path("news/unsubscribe/<uuid:token>/", views.unsubscribe),
    path("news/user/<uuid:token>/", views.user),
    path("news/user-meta/<uuid:token>/", views.user_meta),
    path("news/custom_unsub_reason/", views.custom_unsub_reason),
    path("news/newsletters/", views.newsletters),
    path("news/lookup-user/", views.lookup),
    path("news/confirm/<uuid:token>/", views.confirm),
    path("news/recover/", views.recover),
    path("api/v1/news/newsletters/", views.newsletters_v1),
    path("api/v1/users/lookup/", views.lookup_v1),
    path("api/v1/users/confirm/<uuid:token>/", views.confirm_v1),
    path("api/v1/users/recover/", views.recover_v1),
]

urlpatterns = [
    *api,
    path("openapi.json", openapi.show, {"api": api}),
    path("news/", pages.newsletters),
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
