"""The form for the note with which an admin dismisses problems."""

from django import forms
from django.utils.translation import gettext_lazy as _


class NoteForm(forms.Form):
    """The reason for the dismissal."""

    remark = forms.CharField(
        label=_("Note"),
        max_length=200,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_(
            "Why there is nothing to do, for the next one who looks. Addresses in it are left out."
        ),
    )
