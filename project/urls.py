"""The site's addresses."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path
from django.views.i18n import set_language

from project.groups import views as groups
from project.people import views as people

urlpatterns = [
    path("", people.home, name="home"),
    path("sign-in/", LoginView.as_view(redirect_authenticated_user=True), name="sign-in"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
    path("profile/", people.edit_profile, name="profile"),
    path("profile/address/", people.change_address, name="address"),
    path("profile/address/<str:token>/", people.confirm_address, name="confirm-address"),
    path("profile/delete/", people.delete_account, name="delete-account"),
    path("members/", people.members, name="members"),
    path("members/<int:pk>/", people.member, name="member"),
    path("groups/<slug:slug>/", groups.group, name="group"),
    path("newsletters/", include("mozillians_basket.urls")),
    path("language/", set_language, name="set-language"),
    path("admin/", admin.site.urls),
]

if settings.DEBUG:
    urlpatterns.append(path("mail/", people.sent_mail, name="mail"))
