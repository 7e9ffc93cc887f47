"""Names in a list, for the admin's templates."""

from django import template

from mozillians_basket.admin.wording import listed

register = template.Library()
register.filter("listed", listed)
