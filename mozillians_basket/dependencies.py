"""The models and fields that a site's policies, address and fields depend on."""

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db.models import (
    CASCADE,
    DO_NOTHING,
    PROTECT,
    RESTRICT,
    F,
    Field,
    ForeignKey,
    ForeignObjectRel,
    ManyToManyField,
    Model,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.constants import LOOKUP_SEP
from django.db.models.expressions import Col
from django.db.models.sql import Query
from django.db.models.sql.where import ExtraWhere

from mozillians_basket.site import BasketSite, Trigger, expression, method_of, site_path

#: After the deletion of a row, the rows that refer to it are deleted too, or unchanged.
NOT_CHANGED_BY_DELETION = (CASCADE, PROTECT, RESTRICT, DO_NOTHING)


@dataclass(frozen=True)
class Link:
    """A many-to-many relation on the way to a policy's condition."""

    through: type[Model]
    near: str
    """The field of ``through`` for the side that leads to the member."""

    far: str
    path: str
    """From the near side to the member; empty if that is the member."""

    @property
    def model(self) -> Any:
        """The model on the near side."""
        return self.through._meta.get_field(self.near).related_model


class Dependencies:
    """
    The models, fields and many-to-many relations that a site depends on.

    :raises django.core.exceptions.FieldDoesNotExist: when a path leads nowhere.
    """

    def __init__(self, site: BasketSite) -> None:
        self._model = site.member_model
        self._triggered = {trigger.model.lower() for trigger in site.triggers}
        self._fields: dict[tuple[str, str], set[str]] = defaultdict(set)
        own_fields = self._fields[self._model._meta.label, ""]
        self.links: list[Link] = []
        self.unseen: list[str] = []
        """Parts whose changes no signal shows, in words."""

        for policy in site.policies:
            self._add(f"the policy for {policy.newsletter!r}", policy.entitled)
        self._add("the address", expression(site.email))
        for name, what in site.fields.items():
            if not method_of(site, name):
                self._add(f"fields[{name!r}]", expression(what))
        if site.members is not None:
            query = site.members.all().query
            self._joins = query.alias_map
            self._add("the members", query.where)
        for trigger in site.triggers:
            self._fields[trigger.model, trigger.member].update(trigger.fields or {""})
        self._add_through_models()
        if self.unseen:  # any field of the member may matter
            own_fields.clear()
        self.links = list(dict.fromkeys(self.links))
        self.triggers = [
            Trigger(model, path, () if "" in names else frozenset(names))
            for (model, path), names in self._fields.items()
        ]
        """The member model, and related models, those of the site's own triggers included."""

    def _add(self, where: str, node: Any) -> None:
        """Add what a condition, an expression or a value of one depends on."""
        if isinstance(node, Col):
            self._follow(where, *self._joined_fields(node))
        elif isinstance(node, Q):
            for child in node.children:
                self._add(where, child)
        elif isinstance(node, tuple):
            self._walk(where, node[0])
            self._add(where, node[1])
        elif isinstance(node, QuerySet | Query | Subquery):
            model = node.query.model if isinstance(node, Subquery) else node.model
            if model is not None and model._meta.label_lower not in self._triggered:
                self.unseen.append(f"{where}: a subquery on {model._meta.label}")
        elif isinstance(node, F):
            self._walk(where, str(node.name))  # type: ignore[attr-defined]
        elif hasattr(node, "get_source_expressions") and not isinstance(node, Value):
            sources = [source for source in node.get_source_expressions() if source is not None]
            for source in sources:
                self._add(where, source)
            if not sources:  # the time, raw SQL, chance
                self.unseen.append(f"{where}: {type(node).__name__}")
        elif isinstance(node, ExtraWhere):
            self.unseen.append(f"{where}: raw SQL")

    def _joined_fields(self, column: Col) -> list[Any]:
        """The fields from the member model to a column, along the joins of a query."""
        fields: list[Any] = [column.target]
        join: Any = self._joins[column.alias]
        while join.parent_alias:
            fields.insert(0, join.join_field)
            join = self._joins[join.parent_alias]
        steps: list[Any] = []
        for field in fields:
            if owner := field.model._meta.auto_created:  # two joins are one ManyToManyField
                through = {each.remote_field.through: each for each in owner._meta.many_to_many}
                many = through[field.model]
                forward = field.name == many.m2m_reverse_field_name()
                steps[-1] = many if forward else many.remote_field
            else:
                steps.append(field)
        return steps

    def _walk(self, where: str, lookup: str) -> None:
        """Add the fields along a lookup; its end may be a transform such as ``icontains``."""
        fields: list[Any] = []
        with suppress(FieldDoesNotExist):
            for field in site_path(self._model, lookup):
                fields.append(field)  # noqa: PERF402 - those before the one that is not there
        self._follow(where, *fields)

    def _follow(self, where: str, *fields: Any) -> None:
        """Add fields that follow each other, from the member model on."""
        here, back = self._model, ""
        for field in fields:
            # A member and their parents' rows have one key. Other rows need the step down.
            down = _down(here, field.model, back) if back else ""
            if isinstance(field, ForeignObjectRel):
                forward: Any = field.remote_field
                if forward.many_to_many:
                    self._link(forward, forward.m2m_reverse_field_name(), down)
                here, back = forward.model, _joined(forward.name, down)
                self._field(here, back, here._meta.pk if forward.many_to_many else forward)
            elif isinstance(field, ManyToManyField):
                self._link(field, field.m2m_field_name(), down)
                here, back = field.related_model, self._way_back(where, field, down)
                self._field(here, back, here._meta.pk)  # its deletion takes the rows along
            elif isinstance(field, ForeignKey):
                self._field(here, back, field)
                here, back = field.related_model, self._way_back(where, field, down)
                if field.remote_field.on_delete not in NOT_CHANGED_BY_DELETION:
                    self._field(here, back, here._meta.pk)
            elif isinstance(field, Field) and field.concrete:
                self._field(here, back, field)
                return
            else:
                self.unseen.append(f"{where}: {here._meta.label}.{field.name}, a generic relation")
                return

    def _way_back(self, where: str, field: Any, back: str) -> str:
        if field.remote_field.hidden:
            self.unseen.append(
                f"{where}: {field.model._meta.label}.{field.name}, whose related_name hides the "
                "way back"
            )
        return _joined(field.related_query_name(), back)

    def _field(self, here: type[Model], back: str, field: Any) -> None:
        """Add a field of a model; one that is inherited belongs to a parent's table."""
        self._fields[here._meta.label, back].add(field.name)
        for parent in here._meta.get_parent_list():
            if issubclass(parent, field.model) and field.model is not here:
                self._fields[parent._meta.label, _down(here, parent, back)].add(field.name)

    def _link(self, field: Any, near: str, path: str) -> None:
        """Add a many-to-many relation; the rows of a model of the site's are watched too."""
        through = field.remote_field.through
        names = {field.m2m_field_name(), field.m2m_reverse_field_name()}
        [far] = names - {near} or {near}
        self.links.append(Link(through, near, far, path))
        if not through._meta.auto_created:
            self._fields[through._meta.label, _joined(near, path)].update(names)

    def _add_through_models(self) -> None:
        """Add the relations whose rows are watched, as ``add()`` sends no save for them."""
        watched = {label.lower(): path for label, path in self._fields if path}
        for model in apps.get_models():
            for field in model._meta.local_many_to_many:
                through: Any = field.remote_field.through
                path = watched.get(through._meta.label_lower, "")
                first, _sep, rest = path.partition(LOOKUP_SEP)
                names = [field.m2m_field_name(), field.m2m_reverse_field_name()]
                if first in names:
                    far = names[1 - names.index(first)]
                    self.links.append(Link(through, first, far, rest))


def _down(child: Any, parent: type[Model], back: str) -> str:
    """Extend a way back by the steps from the table of a model's parent down to its own."""
    while child is not parent:
        link: Any = child._meta.get_ancestor_link(parent)
        if link is None:  # a proxy has the table of the model itself
            break
        back, child = _joined(link.related_query_name(), back), link.related_model
    return back


def _joined(step: str, back: str) -> str:
    return f"{step}{LOOKUP_SEP}{back}" if back else step
