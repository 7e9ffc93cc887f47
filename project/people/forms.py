"""The forms of members: profile, address, deletion."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _

from project.people.models import UserProfile

if TYPE_CHECKING:
    ProfileModelForm = forms.ModelForm[UserProfile]
else:
    ProfileModelForm = forms.ModelForm


class ProfileForm(ProfileModelForm):
    """A member's name and country."""

    class Meta:
        model = UserProfile
        fields = ["full_name", "country"]
        help_texts = {"country": _("Two letters, as BR for Brazil.")}

    def clean_country(self) -> str:
        """Write the country's code in capitals."""
        country: str = self.cleaned_data["country"].upper()
        if country and not (country.isascii() and country.isalpha() and len(country) == 2):
            raise forms.ValidationError(_("A country's code has two letters."))
        return country


class AddressForm(forms.Form):
    """A member's new address."""

    email = forms.EmailField(
        label=_("New address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email", "dir": "ltr"}),
    )

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._user = user

    def clean_email(self) -> str:
        """Refuse the member's present address."""
        email: str = self.cleaned_data["email"]
        if email == self._user.email:
            raise forms.ValidationError(_("That is your address already."))
        return email


class DeleteForm(forms.Form):
    """The member's password, to confirm the deletion of the account."""

    password = forms.CharField(
        label=_("Your password"),
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._user = user

    def clean_password(self) -> str:
        """Refuse a wrong password."""
        password: str = self.cleaned_data["password"]
        if not self._user.check_password(password):
            raise forms.ValidationError(_("That is not your password."))
        return password
