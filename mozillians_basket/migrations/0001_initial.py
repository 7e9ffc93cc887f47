"""The app's tables; the member model is the site's."""

from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules

import django.core.serializers.json
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader

import mozillians_basket.models.contacts
from mozillians_basket.conf import conf


def member_migration() -> tuple[str, str]:
    """
    The migration that makes the member model, or the first one of its app.

    ``swappable_dependency`` knows the first one only; the model may come with a later one.
    """
    label, name = conf.MEMBER_MODEL.lower().split(".")
    module, _explicit = MigrationLoader.migrations_module(label)
    spec = find_spec(module) if module else None
    for file in iter_modules(spec.submodule_search_locations if spec else ()):
        if file.name[0] in "_~":
            continue
        operations = list(import_module(f"{module}.{file.name}").Migration.operations)
        for operation in operations:
            operations += getattr(operation, "state_operations", ())
            if isinstance(operation, migrations.RenameModel):
                made = operation.new_name_lower
            elif isinstance(operation, migrations.CreateModel):
                made = operation.name_lower
            else:
                continue
            if made == name:
                return label, file.name
    return label, "__first__"


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        member_migration(),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Status",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "failures",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="Of one kind of call, without a success.",
                        verbose_name="failures in a row",
                    ),
                ),
                (
                    "failing_call",
                    models.CharField(blank=True, max_length=20, verbose_name="failing call"),
                ),
                (
                    "failed_contacts",
                    models.JSONField(blank=True, default=list, verbose_name="contacts that failed"),
                ),
                (
                    "reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("unavailable", "Basket is out of reach or fails"),
                            ("rate limit", "Basket's rate limit"),
                            ("misconfigured", "Basket refuses this site"),
                            ("unexpected", "an error on this side"),
                            ("worker died", "the worker died"),
                        ],
                        max_length=20,
                        verbose_name="reason",
                    ),
                ),
                (
                    "http_status",
                    models.PositiveSmallIntegerField(
                        blank=True, null=True, verbose_name="HTTP status"
                    ),
                ),
                (
                    "error_code",
                    models.CharField(blank=True, max_length=40, verbose_name="error code"),
                ),
                (
                    "opened_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="breaker open since"),
                ),
                ("probes", models.PositiveIntegerField(default=0, verbose_name="probes")),
                (
                    "probe_contact",
                    models.BigIntegerField(
                        blank=True, null=True, verbose_name="contact of the probe"
                    ),
                ),
                (
                    "next_probe_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="next probe"),
                ),
                (
                    "notified_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="admins told"),
                ),
                (
                    "unknown_newsletters",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="Newsletters that Basket does not know, and since when.",
                        verbose_name="unknown newsletters",
                    ),
                ),
                (
                    "catalogue_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When Basket was last asked for the newsletters that it did not know.",
                        null=True,
                        verbose_name="catalogue asked",
                    ),
                ),
                (
                    "removals",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="By newsletter and minute, removals by policies in the last hour.",
                        verbose_name="removals",
                    ),
                ),
                (
                    "paced_until",
                    models.DateTimeField(
                        blank=True,
                        help_text="Up to when starts are used up.",
                        null=True,
                        verbose_name="paced until",
                    ),
                ),
                (
                    "swept_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="last sweep"),
                ),
                (
                    "reconciled_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="last reconciliation"),
                ),
                (
                    "verified_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="last verification"),
                ),
                (
                    "verified_to",
                    models.DateTimeField(
                        blank=True,
                        help_text="The pass of verification has reached contacts last looked up at this time.",
                        null=True,
                        verbose_name="verified up to",
                    ),
                ),
                (
                    "counted_to",
                    models.DateTimeField(
                        blank=True,
                        help_text="Events before this moment are in the hourly counts.",
                        null=True,
                        verbose_name="counted up to",
                    ),
                ),
                (
                    "member_model",
                    models.CharField(
                        blank=True,
                        help_text="The model that the tables were made for.",
                        max_length=200,
                        verbose_name="member model",
                    ),
                ),
                ("database", models.CharField(blank=True, max_length=100, verbose_name="database")),
                (
                    "worker_settings",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="Digests of the settings of the worker that swept last.",
                        verbose_name="settings of the worker",
                    ),
                ),
            ],
            options={
                "verbose_name": "overview",
                "verbose_name_plural": "overview",
                "permissions": [
                    ("manage_basket", "Can approve removals, answer losses and stop everything"),
                    ("export_addresses", "Can export members' addresses"),
                ],
            },
        ),
        migrations.CreateModel(
            name="BulkRequest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "not confirmed"),
                            ("running", "running"),
                            ("finished", "finished"),
                            ("cancelled", "cancelled"),
                        ],
                        default="draft",
                        max_length=20,
                        verbose_name="state",
                    ),
                ),
                (
                    "action",
                    models.CharField(
                        choices=[("subscribe", "subscribe"), ("unsubscribe", "unsubscribe")],
                        max_length=20,
                        verbose_name="action",
                    ),
                ),
                (
                    "selection",
                    models.CharField(
                        blank=True,
                        help_text="How the members were selected, in words: the list's filters and search.",
                        max_length=300,
                        verbose_name="selection",
                    ),
                ),
                ("newsletters", models.JSONField(default=list, verbose_name="newsletters")),
                (
                    "despite_opt_out",
                    models.BooleanField(default=False, verbose_name="despite opt-outs"),
                ),
                (
                    "keys",
                    models.JSONField(
                        blank=True,
                        default=list,
                        encoder=django.core.serializers.json.DjangoJSONEncoder,
                        help_text="The keys of the selected members.",
                        verbose_name="members",
                    ),
                ),
                (
                    "position",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="How many of the keys have been begun.",
                        verbose_name="position",
                    ),
                ),
                ("total", models.PositiveIntegerField(default=0, verbose_name="total")),
                (
                    "counts",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="How many items ended in each state; empty until the request is over.",
                        verbose_name="counts",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="created"),
                ),
                (
                    "finished_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="finished"),
                ),
                (
                    "actor",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="actor",
                    ),
                ),
            ],
            options={
                "verbose_name": "bulk request",
                "verbose_name_plural": "bulk requests",
            },
        ),
        migrations.CreateModel(
            name="BulkItem",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "pending"),
                            ("done", "done"),
                            ("failed", "failed"),
                            ("skipped", "skipped"),
                        ],
                        default="pending",
                        max_length=20,
                        verbose_name="state",
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=40, verbose_name="reason")),
                (
                    "ordered_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="ordered"),
                ),
                (
                    "finished_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="finished"),
                ),
                (
                    "member",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.BASKET_MEMBER_MODEL,
                        verbose_name="member",
                    ),
                ),
                (
                    "request",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="items",
                        to="mozillians_basket.bulkrequest",
                        verbose_name="bulk request",
                    ),
                ),
            ],
            options={
                "verbose_name": "bulk item",
                "verbose_name_plural": "bulk items",
            },
        ),
        migrations.CreateModel(
            name="Contact",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "email",
                    models.CharField(
                        help_text="As the site writes it.", max_length=254, verbose_name="address"
                    ),
                ),
                (
                    "key",
                    models.CharField(
                        help_text="One mailbox has one key, however its address is spelled.",
                        max_length=254,
                        verbose_name="normalised address",
                    ),
                ),
                (
                    "token",
                    models.CharField(
                        blank=True,
                        help_text="Basket's token of this person: a secret.",
                        max_length=64,
                        verbose_name="token",
                    ),
                ),
                (
                    "renamed_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When a lookup found that the person has another address at Basket.",
                        null=True,
                        verbose_name="renamed",
                    ),
                ),
                (
                    "renamed_people",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="Tokens of people who took another address at Basket, with newsletters.",
                        verbose_name="renamed people",
                    ),
                ),
                (
                    "renamed_removal_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="Set until a lookup shows what it took away.",
                        null=True,
                        verbose_name="unsubscribe of a renamed person sent",
                    ),
                ),
                (
                    "optin",
                    models.BooleanField(
                        default=True,
                        help_text="False while Basket waits for the person's confirmation.",
                        verbose_name="confirmed at Basket",
                    ),
                ),
                (
                    "clear",
                    models.BooleanField(
                        default=False,
                        help_text="The last member left or was deleted: everything of ours goes.",
                        verbose_name="clear",
                    ),
                ),
                (
                    "touched_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="Set while the contact has to be synced.",
                        null=True,
                        verbose_name="touched",
                    ),
                ),
                (
                    "settled_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When ledger and Basket last agreed.",
                        null=True,
                        verbose_name="settled",
                    ),
                ),
                (
                    "priority",
                    models.SmallIntegerField(
                        choices=[(0, "change"), (1, "bulk request"), (2, "verification")],
                        default=0,
                        verbose_name="priority",
                    ),
                ),
                (
                    "not_before",
                    models.DateTimeField(blank=True, null=True, verbose_name="not before"),
                ),
                (
                    "attempts",
                    models.PositiveIntegerField(default=0, verbose_name="failures in a row"),
                ),
                (
                    "parked",
                    models.BooleanField(
                        default=False,
                        help_text="Waits for an admin or for a new change.",
                        verbose_name="parked",
                    ),
                ),
                (
                    "retry",
                    models.BooleanField(
                        default=False,
                        help_text="An admin asks to try again what Basket refused.",
                        verbose_name="retry",
                    ),
                ),
                (
                    "problem",
                    models.CharField(
                        blank=True,
                        help_text="A kind of problem, or the error code with which Basket refused.",
                        max_length=40,
                        verbose_name="problem",
                    ),
                ),
                (
                    "cause",
                    models.CharField(
                        blank=True,
                        help_text="Why it was last touched.",
                        max_length=200,
                        verbose_name="cause",
                    ),
                ),
                (
                    "failing_since",
                    models.DateTimeField(blank=True, null=True, verbose_name="failing since"),
                ),
                (
                    "dismissed_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When an admin dismissed the problem.",
                        null=True,
                        verbose_name="dismissed",
                    ),
                ),
                (
                    "lease",
                    models.CharField(
                        blank=True,
                        help_text="Names the share that the contact is in; only its worker writes.",
                        max_length=40,
                        verbose_name="lease",
                    ),
                ),
                (
                    "leased_until",
                    models.DateTimeField(blank=True, null=True, verbose_name="leased until"),
                ),
                (
                    "looked_up_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When the last lookup began.",
                        null=True,
                        verbose_name="looked up",
                    ),
                ),
                (
                    "subscribe_calls",
                    mozillians_basket.models.contacts.MomentsField(
                        blank=True,
                        default=list,
                        encoder=django.core.serializers.json.DjangoJSONEncoder,
                        help_text="Basket refuses the fifth equal call within five minutes.",
                        verbose_name="last subscribe calls",
                    ),
                ),
                (
                    "actor",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        help_text="The user who caused that, if known.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="actor",
                    ),
                ),
            ],
            options={
                "verbose_name": "contact",
                "verbose_name_plural": "contacts",
                "permissions": [("sync_members", "Can change members' newsletters")],
            },
        ),
        migrations.CreateModel(
            name="FailingContact",
            fields=[],
            options={
                "verbose_name": "problem",
                "verbose_name_plural": "problems",
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("mozillians_basket.contact",),
        ),
        migrations.CreateModel(
            name="Event",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("decided", "decided"),
                            ("subscribed", "subscribed"),
                            ("unsubscribed", "unsubscribed"),
                            ("moved", "address changed"),
                            ("opted_out", "opted out"),
                            ("returned", "came back"),
                            ("renamed", "has another address at Basket"),
                            ("missing", "missing at Basket"),
                            ("refused", "refused"),
                            ("parked", "parked"),
                            ("erased", "erased"),
                            ("retried", "an admin asked to try again"),
                            ("dismissed", "an admin dismissed a problem"),
                            ("ordered", "bulk request ordered"),
                            ("cancelled", "bulk request cancelled"),
                            ("asked", "admins were asked"),
                            ("answered", "an admin answered"),
                        ],
                        max_length=20,
                        verbose_name="kind",
                    ),
                ),
                ("newsletters", models.JSONField(default=list, verbose_name="newsletters")),
                ("outcome", models.CharField(blank=True, max_length=40, verbose_name="outcome")),
                (
                    "error_code",
                    models.CharField(blank=True, max_length=40, verbose_name="error code"),
                ),
                ("cause", models.CharField(blank=True, max_length=200, verbose_name="cause")),
                ("note", models.CharField(blank=True, max_length=200, verbose_name="note")),
                ("task_id", models.CharField(blank=True, max_length=64, verbose_name="task")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="when"),
                ),
                (
                    "actor",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="actor",
                    ),
                ),
                (
                    "bulk_request",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="mozillians_basket.bulkrequest",
                        verbose_name="bulk request",
                    ),
                ),
                (
                    "contact",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        help_text="Empty where it concerns the whole site.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="mozillians_basket.contact",
                        verbose_name="contact",
                    ),
                ),
                (
                    "member",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.BASKET_MEMBER_MODEL,
                        verbose_name="member",
                    ),
                ),
            ],
            options={
                "verbose_name": "event",
                "verbose_name_plural": "history",
            },
        ),
        migrations.CreateModel(
            name="HourlyCount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("hour", models.DateTimeField(help_text="Its beginning.", verbose_name="hour")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("decided", "decided"),
                            ("subscribed", "subscribed"),
                            ("unsubscribed", "unsubscribed"),
                            ("moved", "address changed"),
                            ("opted_out", "opted out"),
                            ("returned", "came back"),
                            ("renamed", "has another address at Basket"),
                            ("missing", "missing at Basket"),
                            ("refused", "refused"),
                            ("parked", "parked"),
                            ("erased", "erased"),
                            ("retried", "an admin asked to try again"),
                            ("dismissed", "an admin dismissed a problem"),
                            ("ordered", "bulk request ordered"),
                            ("cancelled", "bulk request cancelled"),
                            ("asked", "admins were asked"),
                            ("answered", "an admin answered"),
                        ],
                        max_length=20,
                        verbose_name="kind",
                    ),
                ),
                (
                    "newsletter",
                    models.CharField(
                        blank=True,
                        help_text=(
                            "Empty for all events of the kind, whatever newsletters they name."
                        ),
                        max_length=100,
                        verbose_name="newsletter",
                    ),
                ),
                ("number", models.PositiveIntegerField(verbose_name="number")),
            ],
            options={
                "verbose_name": "hourly count",
                "verbose_name_plural": "hourly counts",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("hour", "kind", "newsletter"), name="basket_one_count_per_hour"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Member",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "opted_out_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When the person turned everything off at Basket.",
                        null=True,
                        verbose_name="opted out",
                    ),
                ),
                (
                    "held_back_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="Since when a brake keeps a removal from being applied.",
                        null=True,
                        verbose_name="held back",
                    ),
                ),
                (
                    "contact",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="members",
                        to="mozillians_basket.contact",
                        verbose_name="contact",
                    ),
                ),
                (
                    "site_member",
                    models.OneToOneField(
                        blank=True,
                        db_constraint=False,
                        help_text="Empty for a bare address.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="basket_member",
                        to=settings.BASKET_MEMBER_MODEL,
                        verbose_name="member",
                    ),
                ),
            ],
            options={
                "verbose_name": "member",
                "verbose_name_plural": "members",
            },
        ),
        migrations.CreateModel(
            name="Decision",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("newsletter", models.CharField(max_length=100, verbose_name="newsletter")),
                (
                    "entitled",
                    models.BooleanField(
                        default=False,
                        help_text="The last outcome of the policy.",
                        verbose_name="entitled",
                    ),
                ),
                ("wanted", models.BooleanField(default=False, verbose_name="wanted")),
                (
                    "decided_by",
                    models.CharField(
                        blank=True,
                        choices=[("policy", "policy"), ("admin", "admin"), ("member", "member")],
                        help_text="Empty where the row only carries an opt-out.",
                        max_length=10,
                        verbose_name="decided by",
                    ),
                ),
                ("decided_at", models.DateTimeField(blank=True, null=True, verbose_name="decided")),
                (
                    "opted_out_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="opted out"),
                ),
                (
                    "inferred",
                    models.BooleanField(
                        default=False,
                        help_text="A control sample took the missing newsletter for that opt-out.",
                        verbose_name="inferred",
                    ),
                ),
                (
                    "despite_opt_out",
                    models.BooleanField(
                        default=False,
                        help_text="The order overrides opt-outs until a lookup shows that it was carried out.",
                        verbose_name="despite opt-out",
                    ),
                ),
                (
                    "held_back_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="Since when a brake keeps the removal from being applied.",
                        null=True,
                        verbose_name="held back",
                    ),
                ),
                (
                    "member",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="decisions",
                        to="mozillians_basket.member",
                        verbose_name="member",
                    ),
                ),
            ],
            options={
                "verbose_name": "decision",
                "verbose_name_plural": "decisions",
            },
        ),
        migrations.CreateModel(
            name="Move",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("moved_at", models.DateTimeField(verbose_name="moved")),
                (
                    "member",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="moves",
                        to="mozillians_basket.member",
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="moves_away",
                        to="mozillians_basket.contact",
                        verbose_name="from",
                    ),
                ),
                (
                    "target",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty while the member has no address.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="moves_here",
                        to="mozillians_basket.contact",
                        verbose_name="to",
                    ),
                ),
            ],
            options={
                "verbose_name": "move",
                "verbose_name_plural": "moves",
            },
        ),
        migrations.CreateModel(
            name="Subscription",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("newsletter", models.CharField(max_length=100, verbose_name="newsletter")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("unknown", "unknown"),
                            ("subscribed", "subscribed"),
                            ("unsubscribed", "unsubscribed"),
                            ("opted out", "opted out"),
                            ("refused", "refused"),
                            ("missing at Basket", "missing at Basket"),
                        ],
                        default="unknown",
                        max_length=20,
                        verbose_name="state",
                    ),
                ),
                (
                    "confirmed_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="Since when Basket has it: a call said so, or a lookup showed it.",
                        null=True,
                        verbose_name="confirmed",
                    ),
                ),
                (
                    "seen_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When a lookup last showed it.",
                        null=True,
                        verbose_name="seen",
                    ),
                ),
                (
                    "missing_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When a lookup first missed it.",
                        null=True,
                        verbose_name="missing",
                    ),
                ),
                (
                    "requested_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="A call without an answer.",
                        null=True,
                        verbose_name="subscribe sent",
                    ),
                ),
                (
                    "removed_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When the last call began.",
                        null=True,
                        verbose_name="unsubscribe sent",
                    ),
                ),
                (
                    "removal_pending",
                    models.BooleanField(
                        default=False,
                        help_text="Basket queues unsubscribes.",
                        verbose_name="removal pending",
                    ),
                ),
                (
                    "decided",
                    models.BooleanField(
                        default=False,
                        help_text="Somebody who is or was there decided on it; nothing else is taken away.",
                        verbose_name="decided",
                    ),
                ),
                (
                    "opted_out_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="opted out"),
                ),
                (
                    "error_code",
                    models.CharField(
                        blank=True,
                        help_text="Why Basket refused it.",
                        max_length=40,
                        verbose_name="error code",
                    ),
                ),
                (
                    "contact",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="subscriptions",
                        to="mozillians_basket.contact",
                        verbose_name="contact",
                    ),
                ),
            ],
            options={
                "verbose_name": "subscription",
                "verbose_name_plural": "subscriptions",
            },
        ),
        migrations.CreateModel(
            name="Suppression",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("hash", models.CharField(max_length=64, verbose_name="hash")),
                ("newsletters", models.JSONField(default=list, verbose_name="newsletters")),
                (
                    "inferred",
                    models.JSONField(
                        default=dict,
                        help_text="When control samples inferred some of the opt-outs, by newsletter.",
                        verbose_name="inferred",
                    ),
                ),
                ("erased_at", models.DateTimeField(verbose_name="erased")),
            ],
            options={
                "verbose_name": "suppression",
                "verbose_name_plural": "suppressions",
                "constraints": [
                    models.UniqueConstraint(fields=("hash",), name="basket_one_suppression")
                ],
            },
        ),
        migrations.CreateModel(
            name="Touch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "source",
                    models.CharField(
                        help_text="The model that changed.", max_length=200, verbose_name="source"
                    ),
                ),
                (
                    "source_key",
                    models.CharField(blank=True, max_length=200, verbose_name="source key"),
                ),
                (
                    "path",
                    models.CharField(
                        blank=True,
                        help_text="How a worker gets from the source to its members, if the signal did not.",
                        max_length=200,
                        verbose_name="path to the member",
                    ),
                ),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("created", "created"),
                            ("changed", "changed"),
                            ("deleted", "deleted"),
                        ],
                        max_length=10,
                        verbose_name="cause",
                    ),
                ),
                (
                    "email",
                    models.CharField(
                        blank=True,
                        help_text="The member's address before the change, if the signal knew it.",
                        max_length=254,
                        verbose_name="address before",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="created"),
                ),
                (
                    "actor",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        help_text="The user in whose request it was saved, if the middleware is installed.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="actor",
                    ),
                ),
                (
                    "member",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        help_text="The member, if the signal knew the key without a query.",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.BASKET_MEMBER_MODEL,
                        verbose_name="member",
                    ),
                ),
            ],
            options={
                "verbose_name": "touch",
                "verbose_name_plural": "touches",
            },
        ),
        migrations.CreateModel(
            name="Approval",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("newsletter", models.CharField(max_length=100, verbose_name="newsletter")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("loss", "possible loss at Basket"),
                            ("brake", "removals held back"),
                        ],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                ("since", models.DateTimeField(verbose_name="since")),
                (
                    "number",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="The most that were missing; how many are held back.",
                        verbose_name="number",
                    ),
                ),
                ("total", models.PositiveIntegerField(default=0, verbose_name="of")),
                (
                    "examples",
                    models.JSONField(
                        blank=True,
                        default=list,
                        encoder=django.core.serializers.json.DjangoJSONEncoder,
                        verbose_name="examples",
                    ),
                ),
                (
                    "causes",
                    models.JSONField(
                        blank=True,
                        default=list,
                        help_text="Of removals: each cause, the key of its actor, and a number.",
                        verbose_name="causes",
                    ),
                ),
                (
                    "told_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="admins told"),
                ),
                (
                    "answer",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("opted out", "they opted out"),
                            ("lost", "Basket lost them"),
                            ("remove", "remove them"),
                            ("itself", "closed by itself"),
                        ],
                        max_length=20,
                        verbose_name="answer",
                    ),
                ),
                (
                    "answered_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="answered"),
                ),
                (
                    "shown_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When the admin had looked. Later removals are not covered.",
                        null=True,
                        verbose_name="shown",
                    ),
                ),
                ("progress", models.PositiveIntegerField(default=0, verbose_name="progress")),
                (
                    "carried_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When a worker last carried it on.",
                        null=True,
                        verbose_name="last step",
                    ),
                ),
                ("closed_at", models.DateTimeField(blank=True, null=True, verbose_name="closed")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="created"),
                ),
                (
                    "actor",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="actor",
                    ),
                ),
            ],
            options={
                "verbose_name": "approval",
                "verbose_name_plural": "approvals",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("closed_at__isnull", True)),
                        fields=("newsletter", "kind"),
                        name="basket_one_open_approval",
                    )
                ],
            },
        ),
        migrations.AddIndex(
            model_name="bulkrequest",
            index=models.Index(
                condition=models.Q(("state", "running")), fields=["id"], name="basket_bulk_running"
            ),
        ),
        migrations.AddIndex(
            model_name="bulkitem",
            index=models.Index(
                fields=["request", "state", "finished_at"], name="basket_item_progress"
            ),
        ),
        migrations.AddIndex(
            model_name="bulkitem",
            index=models.Index(
                condition=models.Q(("state", "pending")),
                fields=["member"],
                name="basket_item_pending",
            ),
        ),
        migrations.AddConstraint(
            model_name="bulkitem",
            constraint=models.UniqueConstraint(
                fields=("request", "member"), name="basket_one_item_per_member_and_request"
            ),
        ),
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(
                condition=models.Q(("parked", False), ("touched_at__isnull", False)),
                fields=["priority", "touched_at"],
                name="basket_contact_due",
            ),
        ),
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(
                condition=models.Q(("lease", ""), _negated=True),
                fields=["lease"],
                name="basket_contact_lease",
            ),
        ),
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(
                condition=models.Q(("failing_since__isnull", False)),
                fields=["failing_since"],
                name="basket_contact_failing",
            ),
        ),
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(fields=["looked_up_at"], name="basket_contact_looked_up"),
        ),
        migrations.AddConstraint(
            model_name="contact",
            constraint=models.UniqueConstraint(
                fields=("key",), name="basket_one_contact_per_mailbox"
            ),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["contact", "-created_at"], name="basket_event_of_contact"),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(
                condition=models.Q(("member__isnull", False)),
                fields=["member", "-created_at"],
                name="basket_event_of_member",
            ),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["-created_at", "-id"], name="basket_event_newest"),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["kind", "-created_at", "-id"], name="basket_event_kind"),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(
                condition=models.Q(("actor__isnull", False)),
                fields=["actor", "-created_at", "-id"],
                name="basket_event_actor",
            ),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(
                condition=models.Q(("bulk_request__isnull", False)),
                fields=["bulk_request", "-created_at", "-id"],
                name="basket_event_bulk_request",
            ),
        ),
        migrations.AddIndex(
            model_name="decision",
            index=models.Index(fields=["newsletter", "entitled"], name="basket_decision_entitled"),
        ),
        migrations.AddIndex(
            model_name="decision",
            index=models.Index(
                condition=models.Q(("held_back_at__isnull", False)),
                fields=["newsletter", "held_back_at"],
                name="basket_decision_held_back",
            ),
        ),
        migrations.AddConstraint(
            model_name="decision",
            constraint=models.UniqueConstraint(
                fields=("member", "newsletter"), name="basket_one_decision_per_newsletter"
            ),
        ),
        migrations.AddConstraint(
            model_name="move",
            constraint=models.UniqueConstraint(
                fields=("member", "source"), name="basket_one_move_per_source"
            ),
        ),
        migrations.AddIndex(
            model_name="subscription",
            index=models.Index(
                condition=models.Q(("confirmed_at__isnull", False)),
                fields=["newsletter", "confirmed_at"],
                name="basket_subscription_confirmed",
            ),
        ),
        migrations.AddIndex(
            model_name="subscription",
            index=models.Index(
                condition=models.Q(("confirmed_at__isnull", False), ("missing_at__isnull", False)),
                fields=["newsletter", "missing_at"],
                name="basket_subscription_missing",
            ),
        ),
        migrations.AddIndex(
            model_name="subscription",
            index=models.Index(
                condition=models.Q(("missing_at__isnull", False), ("state", "opted out")),
                fields=["newsletter", "missing_at"],
                name="basket_subscription_inferred",
            ),
        ),
        migrations.AddIndex(
            model_name="subscription",
            index=models.Index(
                condition=models.Q(("confirmed_at__isnull", False), ("seen_at__isnull", True)),
                fields=["confirmed_at"],
                name="basket_subscription_unseen",
            ),
        ),
        migrations.AddIndex(
            model_name="subscription",
            index=models.Index(fields=["newsletter", "state"], name="basket_subscription_state"),
        ),
        migrations.AddConstraint(
            model_name="subscription",
            constraint=models.UniqueConstraint(
                fields=("contact", "newsletter"), name="basket_one_subscription_per_newsletter"
            ),
        ),
    ]
