"""The app reads its tables where it writes them: a replica may be behind."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User


@pytest.mark.parametrize("model", [*apps.get_app_config("mozillians_basket").get_models()])
def test_table_is_read_where_it_is_written(settings: Any, model: type[Any]) -> None:
    settings.DATABASE_ROUTERS = ["tests.app.test_checks.Replica"]

    assert User.objects.all().db == "replica"
    assert model._default_manager.all().db == model.objects.filter(pk=1).db == "default"
    assert model.objects.using("other").db == model.objects.db_manager("other").all().db == "other"
