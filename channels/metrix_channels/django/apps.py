"""Registers the system checks when Django starts, and opens nothing."""

from __future__ import annotations

from django.apps import AppConfig
from django.core import checks

from ..notifier.shared import use_config
from .settings import find_config


class MetrixChannelsConfig(AppConfig):
    """The app `metrix_channels.django`."""

    name = "metrix_channels.django"
    label = "metrix_channels"
    verbose_name: str = "Metrix"

    def ready(self) -> None:
        """Register the system checks, and take the configuration from the project's settings."""
        from .checks import check_database, check_deployment, check_project

        checks.register(check_project, "metrix_channels")
        checks.register(check_database, "metrix_channels", checks.Tags.database)
        checks.register(check_deployment, "metrix_channels", deploy=True)
        use_config(find_config)
