"""The form before a bulk request."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from mozillians_basket.admin.newsletters import Newsletter


class OrderForm(forms.Form):
    """The newsletters of a bulk request, and whether it overrides opt-outs."""

    newsletters = forms.MultipleChoiceField(
        label=_("Newsletters"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one newsletter.")},
    )
    despite_opt_out = forms.BooleanField(
        label=_("Also those who opted out themselves"),
        required=False,
        help_text=_("They said no. Tick this only if they asked to be subscribed again."),
    )

    def __init__(
        self, *args: Any, offered: Iterable[Newsletter], subscribe: bool, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["newsletters"].choices = [  # type: ignore[attr-defined]
            (newsletter.slug, newsletter.name) for newsletter in offered
        ]
        if not subscribe:
            del self.fields["despite_opt_out"]
