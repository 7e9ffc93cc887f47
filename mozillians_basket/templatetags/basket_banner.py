"""The banner, for pages whose view is Django's own."""

from typing import Any

from django import template

from mozillians_basket.admin.pages import standing_of_basket

register = template.Library()


@register.inclusion_tag("admin/mozillians_basket/banner.html", takes_context=True)
def basket_banner(context: dict[str, Any]) -> dict[str, Any]:
    """Context of the banner about problems between the site and Basket."""
    asked = {name: context.get(name) for name in ("request", "perms")}
    return {**standing_of_basket(), **asked}
