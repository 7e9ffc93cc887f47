"""The description of a site: its members, their addresses, and policies for newsletters."""

import logging
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import compress, product
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db import InterfaceError, OperationalError, router, transaction
from django.db.models import Exists, F, Field, ForeignObjectRel, Model, OuterRef, Q, QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.utils.module_loading import import_string

from mozillians_basket.conf import conf
from mozillians_basket.exceptions import UnknownNewsletter
from mozillians_basket.redaction import redacted
from mozillians_basket.sandbox.formats import country_code, is_url

logger = logging.getLogger("mozillians_basket")

#: Basket stores English for any other language code (measured).
LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z]{2})?", re.IGNORECASE)

LONGEST_NAME, LONGEST_URL = 255, 1024


def _name(text: str) -> str:
    return text if text.isprintable() and len(text) <= LONGEST_NAME else ""


#: The fields that a site may send at subscribe (Newsletter API, /news/subscribe), each with
#: a function that returns a value as Basket takes it, or nothing if Basket takes another one.
FIELDS: Mapping[str, Callable[[str], str]] = {
    "country": lambda text: country_code(text) or "",
    "lang": lambda text: text if LANGUAGE.fullmatch(text) else "",
    "format": lambda text: text if text.lower() in {"h", "html", "t", "text"} else "",
    "first_name": _name,
    "last_name": _name,
    "source_url": lambda text: (
        text if text.isprintable() and len(text) <= LONGEST_URL and is_url(text) else ""
    ),
}


@dataclass(frozen=True)
class Policy:
    """The members who should get a newsletter."""

    newsletter: str
    """The newsletter's slug in Basket."""

    entitled: Q
    """The members who should get it, as a condition on the member model."""

    label: Any = ""
    """These members in words, for admins: "members of the NDA group"."""


@dataclass(frozen=True)
class Trigger:
    """A model whose changes may change what a member should get. It decides nothing."""

    model: str
    """The model as ``"app_label.Model"``."""

    member: str
    """The path from that model to the member, in the ORM's double-underscore spelling."""

    fields: Collection[str] = ()
    """Only changes of these fields matter; empty means that every save does."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The address of one member and the outcome of the policies, as the site has them now."""

    email: str = field(repr=False)
    """The address to write to; empty when the member has none."""

    entitled: frozenset[str]
    """The newsletters whose policy they meet."""


class BasketSite:
    """
    Subclass this once and name the subclass in ``BASKET_SITE``.

    Nothing else of the app knows the site's models.
    """

    email: Any = "email"
    """
    The primary e-mail address: a path from the member model, or an expression.

    It must have one value for each member. Where a path would lead to many rows, give
    an expression that chooses one, such as a ``Subquery``.
    """

    members: "QuerySet[Any] | None" = None
    """The rows of the member model that are members at all, as a queryset; default: all."""

    leaving: str = "deleted"
    """
    The treatment of a member who drops out of ``members``, such as a deactivated one.

    ``"deleted"``: as if the row were deleted. Everything of ours is taken away, and the
    address is erased. ``"not entitled"``: the member meets no policy, and stays known.
    """

    policies: tuple[Policy, ...] = ()
    """The policies, at most one for each newsletter."""

    fields: Mapping[str, Any] = {}
    """
    Basket's fields that are sent at subscribe: see ``FIELDS``.

    Each is a path from the member model, an expression, or a method of this class
    that takes a member, given by name or itself. A value that Basket would not take
    is left out. The ``source_url`` of a member wins over ``BASKET_SOURCE_URL``.
    """

    triggers: tuple[Trigger, ...] = ()
    """Models whose changes matter, besides the member model, which is always watched."""

    @property
    def member_model(self) -> type[Model]:
        """The model named by ``BASKET_MEMBER_MODEL``."""
        return apps.get_model(conf.MEMBER_MODEL)

    @property
    def newsletters(self) -> frozenset[str]:
        """The newsletters that this site may change. All others are never touched."""
        return frozenset(policy.newsletter for policy in self.policies) | conf.NEWSLETTERS

    def rows(self) -> "QuerySet[Model]":
        """The members, on the database that is written to: a replica may be behind."""
        model = self.member_model
        known = self.members if self.leaving == "deleted" else None
        rows = model._base_manager.all() if known is None else known.all()
        return rows.using(router.db_for_write(model))

    def entitled(self, policy: Policy) -> "QuerySet[Model]":
        """The members who should get the newsletter of a policy."""
        rows = self.rows() if self.members is None else self.members.all()
        return rows.using(self.rows().db).filter(policy.entitled)

    def with_email(self, members: "QuerySet[Model]") -> "QuerySet[Model]":
        """Annotate members with their address, as ``basket_email``."""
        found: QuerySet[Model] = members.annotate(basket_email=expression(self.email))
        return found

    def members_at(self, emails: Iterable[str]) -> list[Any]:
        """The keys of the members who have one of these addresses, whatever its case."""
        found = Q(pk__in=[])
        for email in emails:
            found |= Q(basket_email__iexact=email.strip())
        return list(self.with_email(self.rows()).filter(found).values_list("pk", flat=True))

    def fields_of(self, member_ids: Iterable[Any]) -> dict[Any, dict[str, str]]:
        """
        Read the ``fields`` of these members, in one query.

        Where the site's code or the database refuses to compute one, they are read one
        by one, so that it is missing alone. No value stops a subscribe.
        """
        keys = list(member_ids)
        try:
            return self._read_fields(keys, self.fields) if self.fields else {}
        except (OperationalError, InterfaceError):
            raise
        except Exception:  # noqa: BLE001 - each value is read again
            found: dict[Any, dict[str, str]] = {key: {} for key in keys}
        for key, name in product(keys, self.fields):
            try:
                found[key] |= self._read_fields([key], [name]).get(key, {})
            except (OperationalError, InterfaceError):
                raise
            except Exception as error:  # noqa: BLE001 - only its class is logged
                kind = type(error).__qualname__
                text = "%s.fields[%r] of a member is left out: %s."
                logger.error(text, conf.SITE, name, kind)  # noqa: TRY400
        return found

    def _read_fields(self, keys: list[Any], names: Iterable[str]) -> dict[Any, dict[str, str]]:
        columns: dict[str, Any] = {}
        methods: dict[str, Callable[[Any], Any]] = {}
        for name in names:
            if method := method_of(self, name):
                methods[name] = method
            else:
                columns[name] = expression(self.fields[name])
        members = self.rows().filter(pk__in=keys)
        found: dict[Any, dict[str, str]] = {key: {} for key in keys}
        with transaction.atomic(using=members.db):
            if columns:
                computed = {f"_basket_{name}": what for name, what in columns.items()}
                rows = members.annotate(**computed).values_list("pk", *computed)
                for pk, *values in rows:
                    for name, value in zip(columns, values, strict=True):
                        found[pk][name] = usable(name, value)
            for member in members if methods else ():
                for name, method in methods.items():
                    found[member.pk][name] = usable(name, method(member))
        return {pk: {n: value for n, value in each.items() if value} for pk, each in found.items()}

    def chosen(self, newsletters: str | Iterable[str]) -> tuple[str, ...]:
        """
        The named newsletters, sorted and without repetition.

        :raises UnknownNewsletter: when none is named, or one that is not this site's.
        """
        names = newsletters.split(",") if isinstance(newsletters, str) else newsletters
        slugs = {name.strip() for name in names} - {""}
        if not slugs:
            raise UnknownNewsletter("Name at least one newsletter.")
        if foreign := slugs - self.newsletters:
            raise UnknownNewsletter(
                f"{redacted(', '.join(sorted(foreign)))}: not a newsletter of this site. "
                "Add it to BASKET_NEWSLETTERS, or name one of: "
                f"{', '.join(sorted(self.newsletters))}."
            )
        return tuple(sorted(slugs))

    def standings(self, member_ids: Iterable[Any]) -> dict[Any, Standing]:
        """
        Evaluate the policies for these members, in one query.

        A member who is missing from the answer no longer exists, or is a member no more.
        """
        return dict(self._evaluated(Q(pk__in=list(member_ids)), Q()))

    def standings_between(self, first: Any, last: Any) -> dict[Any, Standing]:
        """Evaluate the policies for the thousands of members from one key to another."""
        chosen = Q(pk__gte=first, pk__lte=last)
        # In the subqueries too, or PostgreSQL may read all members who meet a policy.
        return dict(self._evaluated(chosen, chosen, read=by_cursor))

    def _evaluated(
        self, chosen: Q, chosen_inside: Q, read: Callable[..., Iterable[Any]] = iter
    ) -> Iterator[tuple[Any, Standing]]:
        """
        Read the chosen members' keys, addresses, and whether they meet each policy.

        :param chosen_inside: a condition for the subqueries of the policies.
        :param read: reads the rows of the query.
        """
        tests = {
            f"_basket_{number}": Exists(
                self.entitled(policy).filter(chosen_inside, pk=OuterRef("pk"))
            )
            for number, policy in enumerate(self.policies)
        }
        members = self.with_email(self.rows().filter(chosen)).annotate(**tests)
        entitled: dict[tuple[bool, ...], frozenset[str]] = {}  # one set for all who meet the same
        for pk, email, *answers in read(members.values_list("pk", "basket_email", *tests)):
            met = tuple(answers)
            if met not in entitled:
                entitled[met] = frozenset(each.newsletter for each in compress(self.policies, met))
            yield pk, Standing((email or "").strip(), entitled[met])


def by_cursor(rows: "QuerySet[Any, Any]") -> Iterator[Any]:
    """
    Read thousands of rows by a cursor of the database server.

    For a cursor, PostgreSQL starts no parallel processes, which take longer than such a query.
    """
    return rows.iterator(chunk_size=10_000)


def usable(name: str, value: Any) -> str:
    """Return a value as Basket takes it at subscribe; empty if it would take another one."""
    as_taken = FIELDS.get(name)
    return as_taken("" if value is None else str(value).strip()) if as_taken else ""


def method_of(site: BasketSite, field_name: str) -> Callable[[Any], Any] | None:
    """Return the site's method for one of its ``fields``; ``None`` where it is another value."""
    value = site.fields[field_name]
    if callable(value):
        return partial(value, site)
    method = getattr(site, value, None) if isinstance(value, str) else None
    return method if callable(method) else None


def expression(value: Any) -> Any:
    """Return the expression for what a site gives as a path or as an expression."""
    return F(value) if isinstance(value, str) else value


def site_path(model: type[Model], path: str) -> "Iterator[Field[Any, Any] | ForeignObjectRel]":
    """
    Yield the fields along a double-underscore path.

    :raises django.core.exceptions.FieldDoesNotExist: when one is not there.
    """
    here: type[Model] | None = model
    for name in path.split(LOOKUP_SEP):
        if here is None:
            raise FieldDoesNotExist(f"{name!r} follows a field that is no relation in {path!r}")
        is_key = name == "pk" and here._meta.pk is not None
        step = here._meta.get_field(here._meta.pk.name if is_key else name)
        yield step
        here = step.related_model


@lru_cache(maxsize=8)
def _load(path: str) -> BasketSite:
    site = import_string(path)
    if not (isinstance(site, type) and issubclass(site, BasketSite)):
        raise ImproperlyConfigured(f"BASKET_SITE = {path!r} is not a subclass of BasketSite.")
    return site()


def get_site() -> BasketSite:
    """
    The site's description, as ``BASKET_SITE`` names it now.

    :raises ImportError: when the path leads nowhere.
    :raises django.core.exceptions.ImproperlyConfigured: when it leads to something else.
    """
    return _load(conf.SITE)
