"""From the site's signals to touches: whose situation may have changed. They decide nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.apps import apps
from django.db.models import Field, Model, Q
from django.db.models.constants import LOOKUP_SEP
from django.db.models.signals import post_init, post_save, pre_delete
from waffle import get_waffle_switch_model

from mozillians_basket.conf import SWITCH, conf
from mozillians_basket.hints import hint, hint_sweep
from mozillians_basket.ledger import touch
from mozillians_basket.models import Touch
from mozillians_basket.site import BasketSite, get_site, site_path

_BEFORE = "_basket_before"


@dataclass(frozen=True)
class Watch:
    """One model whose changes matter, and how it leads to members."""

    model: type[Model]
    path: str
    """From the model to the member; empty for the member model itself."""

    names: frozenset[str]
    """Names of the fields that matter, as ``update_fields`` may spell them; empty for all."""

    tracked: tuple[str, ...]
    """Attributes whose values before a save are worth knowing."""

    email: str = ""
    """The attribute that holds the member's address, if it is on this model."""

    @property
    def label(self) -> str:
        """The model as ``"app_label.Model"``."""
        return self.model._meta.label

    @property
    def foreign_key(self) -> "Field[Any, Any] | None":
        """The first step of the path, where the model itself holds its value."""
        if not self.path:
            return None
        first = self.model._meta.get_field(self.path.split(LOOKUP_SEP)[0])
        if isinstance(first, Field) and first.concrete and first.is_relation:
            return first if getattr(first, "target_field", None) is not None else None
        return None


def watches(site: BasketSite) -> list[Watch]:
    """The member model and the models of the site's triggers."""
    email_field = site_path(site.member_model, site.email)[-1]
    found = [("", conf.MEMBER_MODEL, _named_in_policies(site))]
    found += [(each.member, each.model, frozenset(each.fields)) for each in site.triggers]
    result = []
    for path, label, fields in found:
        model = apps.get_model(label)
        concrete = [model._meta.get_field(name) for name in fields]
        first = model._meta.get_field(path.split(LOOKUP_SEP)[0]) if path else None
        tracked = {field.attname for field in concrete if isinstance(field, Field)}
        if isinstance(first, Field) and first.concrete:
            tracked.add(first.attname)
        on_model = isinstance(email_field, Field) and issubclass(model, email_field.model)
        names = frozenset(
            name
            for field in concrete
            for name in (field.name, getattr(field, "attname", field.name))
        )
        result.append(
            Watch(
                model=model,
                path=path,
                names=names,
                tracked=tuple(sorted(tracked)),
                email=email_field.attname
                if on_model and isinstance(email_field, Field) and email_field.attname in tracked
                else "",
            )
        )
    return result


def _named_in_policies(site: BasketSite) -> frozenset[str]:
    """The member model's own fields that matter to address and policies; empty if unclear."""
    fields = site.member_model._meta.concrete_fields
    own = {name for field in fields for name in (field.name, field.attname)}
    names = {site.email.split(LOOKUP_SEP)[0]}
    for policy in site.policies:
        for lookup in _lookups(policy.entitled):
            if lookup is None:
                return frozenset()
            names.add(lookup.split(LOOKUP_SEP)[0])
    return frozenset(names & own)


def _lookups(condition: Q) -> Iterator[str | None]:
    for child in condition.children:
        if isinstance(child, Q):
            yield from _lookups(child)
        elif isinstance(child, tuple) and not hasattr(child[1], "resolve_expression"):
            yield child[0]
        else:
            yield None


def remember_values(*, watch: Watch, instance: Model, **kwargs: Any) -> None:
    """Keep what a row held when it was read, to tell a change by."""
    values = instance.__dict__
    values[_BEFORE] = values.get(_BEFORE, {}) | {
        name: values[name] for name in watch.tracked if name in values
    }


def touch_saved(
    *,
    watch: Watch,
    instance: Model,
    created: bool,
    raw: bool,
    update_fields: frozenset[str] | None,
    **kwargs: Any,
) -> None:
    """
    Touch the members of a row that was saved.

    A save in which nothing that matters seems to have changed is noted too, as
    the row may have been overwritten with what was read long ago, but nobody
    is sent a message for it.
    """
    if raw or (watch.names and update_fields is not None and watch.names.isdisjoint(update_fields)):
        return
    before = instance.__dict__.get(_BEFORE, {})
    changed = {
        name
        for name in watch.tracked
        if name not in before or before[name] != instance.__dict__.get(name)
    }
    cause = Touch.Cause.CREATED if created else Touch.Cause.CHANGED
    earlier = before.get(watch.email, "") if watch.email in changed and not created else ""
    touch_id = _touch_members(watch, instance, cause, email=earlier or "")
    key = watch.foreign_key
    if key is not None and not created and key.attname in changed and before.get(key.attname):
        former = _touch_members(watch, instance, cause, key_value=before[key.attname])
        if former is not None:
            hint(former)
    if touch_id is not None and (created or changed or not watch.names):
        hint(touch_id)
    remember_values(watch=watch, instance=instance)


def _touch_members(
    watch: Watch, instance: Model, cause: Touch.Cause, *, email: str = "", key_value: Any = None
) -> int | None:
    """
    One INSERT; where the row does not hold the member's key, the worker follows the path.

    None where the key is empty: such a row concerns nobody.
    """
    key = watch.foreign_key
    if not watch.path:
        return touch(watch.label, cause, member_id=instance.pk, email=email)
    if key is not None and LOOKUP_SEP not in watch.path and _points_at_member(key):
        value = getattr(instance, key.attname) if key_value is None else key_value
        if value is None:
            return None
        return touch(watch.label, cause, member_id=value, email=email)
    return touch(watch.label, cause, source_key=instance.pk, path=watch.path, email=email)


def _points_at_member(key: "Field[Any, Any]") -> bool:
    return (
        key.related_model is get_site().member_model and key.target_field.primary_key  # type: ignore[attr-defined]
    )


def touch_deleted_member(*, watch: Watch, instance: Model, **kwargs: Any) -> None:
    """Touch a member who is being deleted, with the address, which nobody could ask for later."""
    site = get_site()
    found = site.member_model._base_manager.filter(pk=instance.pk).values_list(
        site.email, flat=True
    )
    hint(touch(watch.label, Touch.Cause.DELETED, member_id=instance.pk, email=found.first() or ""))


def touch_deleted(*, watch: Watch, instance: Model, **kwargs: Any) -> None:
    """Touch the members of a row that is being deleted, while the path still leads to them."""
    key = watch.foreign_key
    if key is not None and LOOKUP_SEP not in watch.path and _points_at_member(key):
        members = [getattr(instance, key.attname)]
    else:
        rows = watch.model._base_manager.filter(pk=instance.pk)
        members = list(rows.values_list(f"{watch.path}__pk", flat=True).distinct())
    for member in members:
        if member is not None:
            hint(touch(watch.label, Touch.Cause.DELETED, member_id=member))


def wake_sweeper(*, instance: Model, raw: bool, **kwargs: Any) -> None:
    """The switch was turned on: what happened while it was off need not wait for beat."""
    if not raw and getattr(instance, "name", "") == SWITCH and getattr(instance, "active", False):
        hint_sweep()


def connect_receivers() -> None:
    """Connect every watched model, its proxies and children, and the switch."""
    post_save.connect(
        wake_sweeper,
        sender=get_waffle_switch_model(),
        dispatch_uid="mozillians_basket.wake_sweeper",
    )
    for number, watch in enumerate(watches(get_site())):
        deleted = touch_deleted if watch.path else touch_deleted_member
        for model in apps.get_models(include_auto_created=True):
            if not issubclass(model, watch.model):
                continue
            for signal, receiver in (
                (post_init, remember_values),
                (post_save, touch_saved),
                (pre_delete, deleted),
            ):
                signal.connect(
                    partial(receiver, watch=watch),
                    sender=model,
                    weak=False,
                    dispatch_uid=f"mozillians_basket.{number}.{receiver.__name__}.{model._meta.label}",
                )
