"""A check for django-health-check; it needs the extra ``health``."""

import dataclasses

from django.db import connections
from health_check.base import HealthCheck
from health_check.exceptions import ServiceUnavailable, ServiceWarning

from mozillians_basket.contrib.health import EXAMINATIONS
from mozillians_basket.upkeep import doctor
from mozillians_basket.upkeep.doctor import Level


@dataclasses.dataclass
class BasketHealthCheck(HealthCheck):  # type: ignore[misc]
    """
    Fail when changes cannot reach Basket: what ``contrib.health`` reports as failures.

    :param warnings: fail for warnings too, such as a switch that is off.
    """

    warnings: bool = False

    def run(self) -> None:
        """
        Run the examinations.

        The library calls this in a thread whose database connections nobody else uses.

        :raises ServiceUnavailable: with the failures.
        :raises ServiceWarning: with the warnings, if they are asked for.
        """
        try:
            found = doctor.examine(EXAMINATIONS)
        finally:
            connections.close_all()
        for level, error in ((Level.FAILURE, ServiceUnavailable), (Level.WARNING, ServiceWarning)):
            texts = [f"{each.subject}: {each.text}" for each in found if each.level is level]
            if texts and (level is Level.FAILURE or self.warnings):
                raise error(" ".join(texts))
