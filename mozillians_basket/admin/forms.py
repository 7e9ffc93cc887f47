"""What an admin is asked before a bulk action."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from mozillians_basket.site import get_site


class NewslettersForm(forms.Form):
    """Which newsletters a bulk action is about."""

    newsletters = forms.MultipleChoiceField(
        label=_("Newsletters"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one newsletter.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["newsletters"].choices = [  # type: ignore[attr-defined]
            (slug, slug) for slug in sorted(get_site().newsletters)
        ]


class SubscribeForm(NewslettersForm):
    """Which newsletters, and whether an opt-out counts."""

    despite_opt_out = forms.BooleanField(
        label=_("Also those who opted out themselves"),
        required=False,
        help_text=_("They said no. Tick this only if they asked to be subscribed again."),
    )
