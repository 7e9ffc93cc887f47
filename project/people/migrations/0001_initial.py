import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="UserProfile",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "full_name",
                    models.CharField(blank=True, max_length=255, verbose_name="full name"),
                ),
                (
                    "country",
                    models.CharField(
                        blank=True,
                        help_text="ISO 3166-1 code of two letters",
                        max_length=2,
                        verbose_name="country",
                    ),
                ),
                (
                    "is_vouched",
                    models.BooleanField(
                        db_index=True,
                        default=False,
                        editable=False,
                        help_text="Has at least one vouch. Follows from the vouches.",
                        verbose_name="is vouched",
                    ),
                ),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="profile",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
            ],
            options={
                "verbose_name": "profile",
                "verbose_name_plural": "profiles",
            },
        ),
        migrations.CreateModel(
            name="Vouch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("reason", models.TextField(blank=True, verbose_name="reason")),
                (
                    "date",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="date"),
                ),
                (
                    "vouchee",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="vouches_received",
                        to="people.userprofile",
                        verbose_name="vouchee",
                    ),
                ),
                (
                    "voucher",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="vouches_made",
                        to="people.userprofile",
                        verbose_name="voucher",
                    ),
                ),
            ],
            options={
                "verbose_name": "vouch",
                "verbose_name_plural": "vouches",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("voucher", models.F("vouchee")), _negated=True),
                        name="people_vouch_not_for_oneself",
                        violation_error_message="Nobody can vouch for themselves.",
                    ),
                    models.UniqueConstraint(
                        fields=("voucher", "vouchee"),
                        name="people_vouch_once_per_pair",
                        violation_error_message="This member has vouched for that one already.",
                    ),
                ],
            },
        ),
    ]
