"""The times of opt-outs, what went before a brake, and indexes for the numbers of opt-outs."""

from typing import Any

from django.db import migrations, models


def keep_times(apps: Any, schema_editor: Any) -> None:
    """
    Keep the opt-outs of erased mailboxes with their times, as ``Suppression.newsletters`` now does.

    Of opt-outs that no control sample inferred, version 0.1.0 knew no time: that of the erasure
    stands for it.
    """
    rows = apps.get_model("mozillians_basket", "Suppression").objects
    for row in rows.using(schema_editor.connection.alias).iterator():
        row.newsletters = {
            name: {
                "opted_out_at": row.inferred.get(name) or row.erased_at.isoformat(),
                "missing_at": row.inferred.get(name),
            }
            for name in row.newsletters
        }
        row.save(update_fields=["newsletters"])


def drop_times(apps: Any, schema_editor: Any) -> None:
    """Keep the newsletters as a list again."""
    rows = apps.get_model("mozillians_basket", "Suppression").objects
    for row in rows.using(schema_editor.connection.alias).iterator():
        times = {name: kept["missing_at"] for name, kept in row.newsletters.items()}
        row.inferred = {name: at for name, at in times.items() if at}
        row.newsletters = sorted(times)
        row.save(update_fields=["newsletters", "inferred"])


class Migration(migrations.Migration):
    dependencies = [("mozillians_basket", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="subscription",
            name="unanswered_at",
            field=models.DateTimeField(
                blank=True,
                help_text="A call without an answer that was repeated: Basket may carry it out late.",
                null=True,
                verbose_name="earlier subscribe sent",
            ),
        ),
        migrations.AlterField(
            model_name="suppression",
            name="newsletters",
            field=models.JSONField(
                default=dict,
                help_text="With the times of the opt-outs.",
                verbose_name="newsletters",
            ),
        ),
        migrations.RunPython(keep_times, drop_times),
        migrations.RemoveField(model_name="suppression", name="inferred"),
        migrations.AddField(
            model_name="approval",
            name="went_before",
            field=models.PositiveIntegerField(
                default=0,
                help_text="Removals in the hour before the first was held back, without approval.",
                verbose_name="went before",
            ),
        ),
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(
                condition=models.Q(("renamed_at__isnull", False)),
                fields=["id"],
                name="basket_contact_renamed",
            ),
        ),
        migrations.AddIndex(
            model_name="decision",
            index=models.Index(
                condition=models.Q(("opted_out_at__isnull", False)),
                fields=["newsletter", "member"],
                name="basket_decision_opted_out",
            ),
        ),
        migrations.AddIndex(
            model_name="member",
            index=models.Index(
                condition=models.Q(("opted_out_at__isnull", False)),
                fields=["contact"],
                name="basket_member_opted_out",
            ),
        ),
    ]
