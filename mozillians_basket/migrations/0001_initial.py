"""The ledger's tables; the member model is the site's."""

import datetime

import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.BASKET_MEMBER_MODEL),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Pulse",
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
                            ("unavailable", "Basket is out of reach or broken"),
                            ("misconfigured", "Basket refuses this site"),
                        ],
                        max_length=20,
                        verbose_name="reason",
                    ),
                ),
                (
                    "status",
                    models.PositiveSmallIntegerField(
                        blank=True, null=True, verbose_name="HTTP status"
                    ),
                ),
                (
                    "error_code",
                    models.SmallIntegerField(
                        blank=True, null=True, verbose_name="Basket's error code"
                    ),
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
                    "losing_since",
                    models.DateTimeField(
                        blank=True,
                        help_text="Too much is gone at Basket at once: nothing of it is taken for a choice.",
                        null=True,
                        verbose_name="losing since",
                    ),
                ),
                (
                    "brakes",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="Newsletters of which the reconciler would remove too much at once.",
                        verbose_name="brakes",
                    ),
                ),
                (
                    "releases",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="What an admin has released, until the worker has carried it out.",
                        verbose_name="releases",
                    ),
                ),
                (
                    "verified_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="last verification"),
                ),
                (
                    "reconciled_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="last reconciliation"),
                ),
                (
                    "tallied_to",
                    models.DateTimeField(
                        blank=True,
                        help_text="Events before this moment are in the tallies.",
                        null=True,
                        verbose_name="counted up to",
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
            ],
            options={
                "verbose_name": "overview",
                "verbose_name_plural": "overview",
            },
        ),
        migrations.CreateModel(
            name="Batch",
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
                            ("expanding", "collecting members"),
                            ("running", "running"),
                            ("finished", "finished"),
                            ("cancelled", "cancelled"),
                        ],
                        default="running",
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
                ("newsletters", models.JSONField(default=list, verbose_name="newsletters")),
                (
                    "despite_opt_out",
                    models.BooleanField(
                        default=False, verbose_name="also those who opted out themselves"
                    ),
                ),
                (
                    "selection",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="Which members were selected: their keys, or the list's filters.",
                        verbose_name="selection",
                    ),
                ),
                (
                    "expanded_to",
                    models.CharField(
                        blank=True,
                        help_text="The key of the last member for whom there is an item.",
                        max_length=200,
                        verbose_name="collected up to",
                    ),
                ),
                ("total", models.PositiveIntegerField(default=0, verbose_name="total")),
                (
                    "counts",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="How many items ended in which state; empty until it is over.",
                        verbose_name="counts",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now,
                        help_text="A decision that is newer than this one stands.",
                        verbose_name="created",
                    ),
                ),
                (
                    "retried_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When an admin last asked to try what had failed until then once more.",
                        null=True,
                        verbose_name="retried",
                    ),
                ),
                (
                    "finished_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="finished"),
                ),
                (
                    "actor",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="actor",
                    ),
                ),
            ],
            options={
                "verbose_name": "batch",
                "verbose_name_plural": "batches",
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
                    models.EmailField(
                        blank=True,
                        help_text="The address under which Basket has this person, if at all.",
                        max_length=254,
                        verbose_name="address in Basket",
                    ),
                ),
                (
                    "wanted_email",
                    models.EmailField(
                        blank=True, max_length=254, verbose_name="address on the site"
                    ),
                ),
                (
                    "moving_to",
                    models.EmailField(
                        blank=True,
                        help_text="A new address that a call may have reached before it was confirmed.",
                        max_length=254,
                        verbose_name="moving to",
                    ),
                ),
                (
                    "token",
                    models.CharField(
                        blank=True,
                        help_text="Basket's token of this person: a secret. Tells a renamed from a lost one.",
                        max_length=36,
                        verbose_name="token",
                    ),
                ),
                (
                    "refused_email",
                    models.EmailField(
                        blank=True,
                        help_text="A new address that Basket does not accept.",
                        max_length=254,
                        verbose_name="refused address",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="created"),
                ),
                (
                    "departed_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When the member was deleted; the address is erased once Basket knows.",
                        null=True,
                        verbose_name="departed",
                    ),
                ),
                (
                    "touched_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="touched"),
                ),
                (
                    "settled_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="The touch that was last carried to Basket; due while it is older.",
                        null=True,
                        verbose_name="settled",
                    ),
                ),
                (
                    "verify",
                    models.BooleanField(
                        default=False,
                        help_text="Look up even when the ledger shows no difference.",
                        verbose_name="ask Basket",
                    ),
                ),
                (
                    "verified_at",
                    models.DateTimeField(
                        default=datetime.datetime(1970, 1, 1, 0, 0, tzinfo=datetime.UTC),
                        help_text="When Basket was last asked; 1970 for never.",
                        verbose_name="verified",
                    ),
                ),
                (
                    "claimed_touch",
                    models.DateTimeField(
                        blank=True, null=True, verbose_name="touch of the running sync"
                    ),
                ),
                (
                    "lease",
                    models.PositiveBigIntegerField(
                        default=0,
                        help_text="Grows with each claim and step: only the last one writes.",
                        verbose_name="lease",
                    ),
                ),
                (
                    "leased_until",
                    models.DateTimeField(blank=True, null=True, verbose_name="leased until"),
                ),
                (
                    "lookup",
                    models.JSONField(
                        blank=True,
                        help_text="What Basket answered to the running sync; emptied when it ends.",
                        null=True,
                        verbose_name="lookup",
                    ),
                ),
                (
                    "asked",
                    models.JSONField(
                        blank=True,
                        help_text="Which newsletters a subscribe names that has no answer yet, and since when.",
                        null=True,
                        verbose_name="subscribe under way",
                    ),
                ),
                (
                    "revision",
                    models.PositiveBigIntegerField(
                        default=0,
                        help_text="Grows when anybody but the holder of the lease changes the contact or its lines.",
                        verbose_name="revision",
                    ),
                ),
                (
                    "priority",
                    models.SmallIntegerField(
                        choices=[(0, "removal"), (1, "change"), (2, "bulk request")],
                        default=1,
                        help_text="Removals do not wait behind others, nor changes behind bulk requests.",
                        verbose_name="priority",
                    ),
                ),
                (
                    "parked_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When it had failed too often; waits for an admin or a new change.",
                        null=True,
                        verbose_name="parked",
                    ),
                ),
                (
                    "not_before",
                    models.DateTimeField(blank=True, null=True, verbose_name="not before"),
                ),
                ("attempts", models.PositiveIntegerField(default=0, verbose_name="attempts")),
                ("error", models.CharField(blank=True, max_length=40, verbose_name="last error")),
                (
                    "error_code",
                    models.SmallIntegerField(
                        blank=True, null=True, verbose_name="Basket's error code"
                    ),
                ),
                ("cause", models.CharField(blank=True, max_length=200, verbose_name="last cause")),
                (
                    "failing_since",
                    models.DateTimeField(
                        blank=True,
                        help_text="When the problem that it has now began; empty while it has none.",
                        null=True,
                        verbose_name="failing since",
                    ),
                ),
                (
                    "dismissed_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When an admin put the problem aside; another problem is shown again.",
                        null=True,
                        verbose_name="dismissed",
                    ),
                ),
                (
                    "member",
                    models.OneToOneField(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="basket_contact",
                        to=settings.BASKET_MEMBER_MODEL,
                        verbose_name="member",
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
            name="BatchItem",
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
                            ("cancelled", "cancelled"),
                        ],
                        default="pending",
                        max_length=20,
                        verbose_name="state",
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=100, verbose_name="reason")),
                (
                    "error_code",
                    models.SmallIntegerField(
                        blank=True, null=True, verbose_name="Basket's error code"
                    ),
                ),
                (
                    "before",
                    models.JSONField(
                        blank=True,
                        help_text="What stood in the ledger before the decision, to go back to; no address.",
                        null=True,
                        verbose_name="before",
                    ),
                ),
                (
                    "finished_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="finished"),
                ),
                (
                    "batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="mozillians_basket.batch",
                        verbose_name="batch",
                    ),
                ),
                (
                    "member",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.BASKET_MEMBER_MODEL,
                        verbose_name="member",
                    ),
                ),
                (
                    "contact",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty until the worker has written the decision into the ledger.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="batch_items",
                        to="mozillians_basket.contact",
                        verbose_name="contact",
                    ),
                ),
            ],
            options={
                "verbose_name": "batch item",
                "verbose_name_plural": "batch items",
            },
        ),
        migrations.CreateModel(
            name="Problem",
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
                            ("decided", "an admin decided"),
                            ("subscribed", "subscribed"),
                            ("unsubscribed", "unsubscribed"),
                            ("moved", "address changed"),
                            ("opted_out", "opted out"),
                            ("returned", "subscribed again on their own"),
                            ("renamed", "has another address at Basket"),
                            ("refused", "refused"),
                            ("postponed", "postponed"),
                            ("parked", "parked"),
                            ("erased", "erased"),
                            ("retried", "an admin asked to try again"),
                            ("dismissed", "an admin dismissed a problem"),
                            ("ordered", "bulk request ordered"),
                            ("cancelled", "bulk request cancelled"),
                            ("released", "a brake was released"),
                        ],
                        max_length=20,
                        verbose_name="kind",
                    ),
                ),
                ("newsletters", models.JSONField(default=list, verbose_name="newsletters")),
                ("outcome", models.CharField(blank=True, max_length=40, verbose_name="outcome")),
                (
                    "error_code",
                    models.SmallIntegerField(
                        blank=True, null=True, verbose_name="Basket's error code"
                    ),
                ),
                ("cause", models.CharField(blank=True, max_length=200, verbose_name="cause")),
                ("remark", models.CharField(blank=True, max_length=200, verbose_name="note")),
                ("task_id", models.CharField(blank=True, max_length=64, verbose_name="task")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="when"),
                ),
                (
                    "actor",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="actor",
                    ),
                ),
                (
                    "batch",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        to="mozillians_basket.batch",
                        verbose_name="batch",
                    ),
                ),
                (
                    "contact",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        help_text="Empty where it concerns the whole site.",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="events",
                        to="mozillians_basket.contact",
                        verbose_name="contact",
                    ),
                ),
            ],
            options={
                "verbose_name": "event",
                "verbose_name_plural": "history",
            },
        ),
        migrations.CreateModel(
            name="Repair",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "action",
                    models.CharField(
                        choices=[("retry", "try again"), ("dismiss", "put aside")],
                        max_length=20,
                        verbose_name="action",
                    ),
                ),
                (
                    "contacts",
                    models.JSONField(
                        default=list, help_text="Their keys.", verbose_name="contacts"
                    ),
                ),
                ("remark", models.CharField(blank=True, max_length=200, verbose_name="note")),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="created"),
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
                "verbose_name": "repair",
                "verbose_name_plural": "repairs",
                "default_permissions": (),
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
                    "entitled",
                    models.BooleanField(
                        default=False,
                        help_text="What the policy last said.",
                        verbose_name="entitled",
                    ),
                ),
                ("wanted", models.BooleanField(default=False, verbose_name="wanted")),
                (
                    "decided_by",
                    models.CharField(
                        choices=[("policy", "policy"), ("admin", "admin"), ("member", "member")],
                        default="policy",
                        max_length=10,
                        verbose_name="decided by",
                    ),
                ),
                (
                    "decided_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="decided"),
                ),
                (
                    "despite_opt_out",
                    models.BooleanField(
                        default=False,
                        help_text="An admin said explicitly that an opt-out does not count.",
                        verbose_name="despite opt-out",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("unknown", "unknown"),
                            ("subscribed", "subscribed"),
                            ("awaiting", "awaiting confirmation"),
                            ("unsubscribed", "unsubscribed"),
                            ("opted_out", "opted out"),
                            ("refused", "refused"),
                        ],
                        default="unknown",
                        max_length=20,
                        verbose_name="state",
                    ),
                ),
                (
                    "error_code",
                    models.SmallIntegerField(
                        blank=True, null=True, verbose_name="Basket's error code"
                    ),
                ),
                (
                    "confirmed_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When Basket first had it.",
                        null=True,
                        verbose_name="confirmed",
                    ),
                ),
                (
                    "verified_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When a lookup last showed this state.",
                        null=True,
                        verbose_name="verified",
                    ),
                ),
                (
                    "missing_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When a verification found it gone; not yet taken for the person's choice.",
                        null=True,
                        verbose_name="missing",
                    ),
                ),
                (
                    "removed_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When this site last sent an unsubscribe, written before the call.",
                        null=True,
                        verbose_name="removal sent",
                    ),
                ),
                (
                    "requested_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When this site last sent a subscribe, until Basket shows it to be done.",
                        null=True,
                        verbose_name="subscribe sent",
                    ),
                ),
                (
                    "contact",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
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
            name="Tally",
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
                            ("decided", "an admin decided"),
                            ("subscribed", "subscribed"),
                            ("unsubscribed", "unsubscribed"),
                            ("moved", "address changed"),
                            ("opted_out", "opted out"),
                            ("returned", "subscribed again on their own"),
                            ("renamed", "has another address at Basket"),
                            ("refused", "refused"),
                            ("postponed", "postponed"),
                            ("parked", "parked"),
                            ("erased", "erased"),
                            ("retried", "an admin asked to try again"),
                            ("dismissed", "an admin dismissed a problem"),
                            ("ordered", "bulk request ordered"),
                            ("cancelled", "bulk request cancelled"),
                            ("released", "a brake was released"),
                        ],
                        max_length=20,
                        verbose_name="kind",
                    ),
                ),
                ("number", models.PositiveIntegerField(verbose_name="number")),
            ],
            options={
                "verbose_name": "tally",
                "verbose_name_plural": "tallies",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("hour", "kind"), name="basket_one_tally_per_hour_and_kind"
                    )
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
                        help_text="How the worker gets from the source to its members, if the event did not.",
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
                    models.EmailField(
                        blank=True,
                        help_text="The member's address before the event, where the event knew it.",
                        max_length=254,
                        verbose_name="address before",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="created"),
                ),
                (
                    "member",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="Whose situation may have changed, if the event knew it without a query.",
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
        migrations.AddIndex(
            model_name="batch",
            index=models.Index(
                condition=models.Q(("finished_at__isnull", True)),
                fields=["id"],
                name="basket_batch_open",
            ),
        ),
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(
                condition=models.Q(
                    ("parked_at__isnull", True),
                    models.Q(
                        ("settled_at__isnull", True),
                        ("touched_at__gt", models.F("settled_at")),
                        _connector="OR",
                    ),
                ),
                fields=["priority", "touched_at"],
                name="basket_contact_due",
            ),
        ),
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(
                condition=models.Q(("departed_at__isnull", True)),
                fields=["verified_at"],
                name="basket_contact_verified",
            ),
        ),
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(
                condition=models.Q(("leased_until__isnull", False)),
                fields=["leased_until"],
                name="basket_contact_leased",
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
            index=models.Index(
                django.db.models.functions.text.Upper("email"), name="basket_contact_email"
            ),
        ),
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(
                django.db.models.functions.text.Upper("wanted_email"),
                name="basket_contact_wanted_email",
            ),
        ),
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(
                django.db.models.functions.text.Upper("moving_to"),
                condition=models.Q(("moving_to", ""), _negated=True),
                name="basket_contact_moving_to",
            ),
        ),
        migrations.AddIndex(
            model_name="batchitem",
            index=models.Index(
                fields=["batch", "state", "finished_at"], name="basket_item_progress"
            ),
        ),
        migrations.AddIndex(
            model_name="batchitem",
            index=models.Index(
                condition=models.Q(("contact__isnull", True), ("state", "pending")),
                fields=["batch", "id"],
                name="basket_item_not_started",
            ),
        ),
        migrations.AddConstraint(
            model_name="batchitem",
            constraint=models.UniqueConstraint(
                fields=("batch", "member"), name="basket_one_item_per_member_and_batch"
            ),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["contact", "-created_at"], name="basket_event_of_contact"),
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
            index=models.Index(fields=["cause", "-created_at", "-id"], name="basket_event_cause"),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(
                condition=models.Q(("outcome__gt", "")),
                fields=["outcome", "-created_at", "-id"],
                name="basket_event_outcome",
            ),
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
                condition=models.Q(("batch__isnull", False)),
                fields=["batch", "-created_at", "-id"],
                name="basket_event_batch",
            ),
        ),
        migrations.AddIndex(
            model_name="subscription",
            index=models.Index(
                condition=models.Q(("missing_at__isnull", False)),
                fields=["newsletter"],
                name="basket_line_missing",
            ),
        ),
        migrations.AddIndex(
            model_name="subscription",
            index=models.Index(
                fields=["newsletter", "entitled", "wanted"], name="basket_line_wanted"
            ),
        ),
        migrations.AddConstraint(
            model_name="subscription",
            constraint=models.UniqueConstraint(
                fields=("contact", "newsletter"), name="basket_one_subscription_per_newsletter"
            ),
        ),
    ]
