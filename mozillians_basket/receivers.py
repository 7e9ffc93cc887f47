"""Receivers of the site's signals, which write touches. They decide nothing."""

import logging
from functools import partial
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import DatabaseError
from django.db.models import Field, ForeignKey, Model, OneToOneRel
from django.db.models.constants import LOOKUP_SEP
from django.db.models.signals import m2m_changed, post_init, post_save, pre_delete
from waffle import get_waffle_switch_model

from mozillians_basket import dispatch
from mozillians_basket.conf import SWITCH
from mozillians_basket.dependencies import Dependencies, Link
from mozillians_basket.middleware import current_actor
from mozillians_basket.models import Touch
from mozillians_basket.rules.evaluate import LONGEST_EMAIL, contact_key
from mozillians_basket.site import BasketSite, Trigger, get_site, site_path

logger = logging.getLogger("mozillians_basket")

_BEFORE = "_basket_before"


class Watch:
    """One model whose changes matter, and how it leads to members."""

    def __init__(self, site: BasketSite, trigger: Trigger) -> None:
        self.model, self.path = apps.get_model(trigger.model), trigger.member
        fields = [self.model._meta.get_field(name) for name in trigger.fields]
        tracked = {field.attname for field in fields if isinstance(field, Field)}
        self.names = tracked.union(field.name for field in fields)
        """Names of the fields that matter, as ``update_fields`` may spell them; empty for all."""

        first = self.model._meta.get_field(self.path.split(LOOKUP_SEP)[0]) if self.path else None
        if isinstance(first, Field) and first.concrete:
            tracked.add(first.attname)
        self.tracked = sorted(tracked)
        """Attributes whose values before a save are worth knowing."""

        self.email = ""
        """The attribute that holds the member's address, if it is on this model."""
        if isinstance(site.email, str):
            end = [*site_path(site.member_model, site.email)][-1]
            if isinstance(end, Field) and issubclass(self.model, end.model):
                self.email = end.attname if end.attname in tracked else ""

        self.key: Any = None
        """The first step of the path, where the model itself holds the other row's primary key."""

        self.direct = False
        """Whether that other row is the member."""
        if isinstance(first, ForeignKey) and first.target_field.primary_key:
            self.key = first
            self.direct = first.name == self.path and first.related_model is site.member_model

        self.is_parent = isinstance(first, OneToOneRel) and issubclass(
            first.related_model, self.model
        )
        """Whether the member, or a model on the way, inherits it: children send for themselves."""


def watches(site: BasketSite) -> list[Watch]:
    """The member model, and the related models that the site depends on."""
    return [Watch(site, trigger) for trigger in Dependencies(site).triggers]


def remember_values(*, watch: Watch, instance: Model, **kwargs: Any) -> None:
    """Keep the values of a row as it was read, so that a save can tell what it changes."""
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
    Touch the members of a row that was saved, and the member that it belonged to before.

    A save without an apparent change is noted too, because it may have overwritten
    the row with values that were read long ago. It sends no message.
    """
    if raw or (watch.names and update_fields is not None and watch.names.isdisjoint(update_fields)):
        return
    before, now = instance.__dict__.get(_BEFORE, {}), instance.__dict__
    changed = {
        name for name in watch.tracked if name not in before or before[name] != now.get(name)
    }
    cause = Touch.Cause.CREATED if created else Touch.Cause.CHANGED
    former: dict[str, Any] = {} if created else {name: before.get(name) for name in changed}
    tell = bool(created or changed or not watch.names)
    email = former.get(watch.email, "")
    moved_from = former.get(watch.key.attname) if watch.key is not None else None
    note = partial(_touch, watch.model._meta.label, cause, tell=tell)
    if watch.direct and watch.key.attname in now:  # it is not deferred
        note(member_id=now[watch.key.attname], email=email)
        note(member_id=moved_from)
    elif watch.path:
        note(source_key=instance.pk, path=watch.path, email=email)
        if watch.key is not None:  # the members behind the row that it pointed to before
            source, rest = watch.key.related_model._meta.label, watch.path.partition(LOOKUP_SEP)[2]
            _touch(source, cause, tell=tell, source_key=moved_from, path=rest)
    else:
        note(member_id=instance.pk, email=email)
    remember_values(watch=watch, instance=instance)


def touch_deleted(*, watch: Watch, instance: Model, using: str, **kwargs: Any) -> None:
    """
    Touch the members of a row that is being deleted, while the path still leads to them.

    The touch of a member holds the address too, which cannot be read later.
    """
    email = None
    if watch.direct:
        keys = [getattr(instance, watch.key.attname)]
    elif watch.path:
        rows = watch.model._base_manager.using(using).filter(pk=instance.pk)
        keys = list(rows.values_list(f"{watch.path}__pk", flat=True).distinct())
    else:
        rows = get_site().rows().using(using).filter(pk=instance.pk)
        keys = [instance.pk]
        email = get_site().with_email(rows).values_list("basket_email", flat=True).first()
    for key in keys:
        _touch(watch.model._meta.label, Touch.Cause.DELETED, tell=True, member_id=key, email=email)


def touch_linked(
    *, link: Link, instance: Model, action: str, pk_set: set[Any] | None, using: str, **kwargs: Any
) -> None:
    """Touch the members behind the near side of a many-to-many relation whose rows change."""
    if action not in {"post_add", "post_remove", "pre_clear"}:
        return
    is_near = isinstance(instance, link.model)
    to_itself = link.through._meta.get_field(link.far).related_model is link.model
    keys = {instance.pk} if is_near else set()
    if to_itself or not is_near:
        if pk_set is None:  # all of them are removed
            rows = link.through._base_manager.using(using).filter(**{link.far: instance.pk})
            pk_set = set(rows.values_list(link.near, flat=True))
        keys |= pk_set
    for key in keys:
        found = {"source_key": key, "path": link.path} if link.path else {"member_id": key}
        _touch(link.model._meta.label, Touch.Cause.CHANGED, tell=True, **found)


def _touch(
    source: str,
    cause: Touch.Cause,
    *,
    tell: bool,
    member_id: Any = None,
    source_key: Any = None,
    path: str = "",
    email: Any = "",
) -> None:
    """
    Write a touch in the caller's transaction: one INSERT. Without a key, do nothing.

    An unusual value in a row must not make the site's request fail. So the columns
    are checked first, and a value that no column can hold is left to the reconciler.

    :param tell: whether a worker is sent a message after the commit.
    :param email: the address before. An address that Basket cannot take is ignored.
    """
    if member_id is None and source_key is None:
        return
    address = email.strip() if isinstance(email, str) else ""
    usable = len(address) <= LONGEST_EMAIL and address.isprintable() and contact_key(address)
    row = Touch(
        source=source,
        cause=cause,
        actor_id=current_actor(),
        member_id=member_id,
        source_key="" if source_key is None else str(source_key),
        path=path,
        email=address if usable else "",
    )
    try:
        row.clean_fields(exclude={"member", "actor"})
        if member_id is not None:
            member_key = get_site().member_model._meta.pk
            row.member_id = member_key.to_python(member_id)
            member_key.run_validators(row.member_id)
    except ValidationError as error:
        fields = ", ".join(getattr(error, "error_dict", {"member": error}))
        logger.warning(
            "A change of %s cannot be noted (%s); the reconciler will find it.", source, fields
        )
        return
    try:
        row.save(force_insert=True)
    except DatabaseError as error:
        error.add_note(
            "mozillians_basket could not note this change. If its tables are missing, run "
            '"manage.py migrate", or take the app out of INSTALLED_APPS.'
        )
        raise
    if tell:
        dispatch.after_commit(int(row.pk))


def touch_switch(*, instance: Model, raw: bool, **kwargs: Any) -> None:
    """Wake the sweeper when the switch is turned on, to send the changes made while it was off."""
    if not raw and getattr(instance, "name", "") == SWITCH and getattr(instance, "active", False):
        dispatch.wake_sweeper()


def connect_receivers() -> None:
    """Connect every watched model, its proxies and children, and the switch."""
    post_save.connect(
        touch_switch, sender=get_waffle_switch_model(), dispatch_uid="mozillians_basket.switch"
    )
    for number, link in enumerate(Dependencies(get_site()).links):
        m2m_changed.connect(
            partial(touch_linked, link=link),
            sender=link.through,
            weak=False,
            dispatch_uid=f"mozillians_basket.link.{number}",
        )
    for number, watch in enumerate(watches(get_site())):
        for model in apps.get_models(include_auto_created=True):
            if not issubclass(model, watch.model):
                continue
            if watch.is_parent and model._meta.concrete_model is not watch.model:
                continue
            for signal, receiver in (
                (post_init, remember_values),
                (post_save, touch_saved),
                (pre_delete, touch_deleted),
            ):
                signal.connect(
                    partial(receiver, watch=watch),
                    sender=model,
                    weak=False,
                    dispatch_uid=f"mozillians_basket.{number}.{receiver.__name__}.{model._meta.label}",
                )
