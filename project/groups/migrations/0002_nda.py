from django.db import migrations


def create_nda(apps, schema_editor):
    groups = apps.get_model("groups", "Group").objects.using(schema_editor.connection.alias)
    groups.get_or_create(slug="nda", defaults={"name": "NDA"})


class Migration(migrations.Migration):
    dependencies = [("groups", "0001_initial")]

    # Nothing to do backwards: the group may have members by then.
    operations = [migrations.RunPython(create_nda, migrations.RunPython.noop)]
