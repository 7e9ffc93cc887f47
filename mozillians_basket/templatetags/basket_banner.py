"""The banner above the admin's pages, and what their templates need besides."""

from typing import Any

from django import template
from django.template import Context

from mozillians_basket.admin.pages import standing_of_basket
from mozillians_basket.admin.wording import listed

register = template.Library()
register.filter("listed", listed)


@register.inclusion_tag("admin/mozillians_basket/banner.html", takes_context=True)
def basket_banner(context: Context) -> dict[str, Any]:
    """Context of the banner about problems between the site and Basket."""
    known: dict[Any, Any] = context.flatten()
    return known if "basket_status" in known else {**standing_of_basket(), **known}
