"""A Django app; docs/django.md shows how a project uses it.

In the settings of the project:

    INSTALLED_APPS = [..., "metrix_channels.django"]
    METRIX_CHANNELS = {"CONFIG": BASE_DIR / "channels.yaml"}

Importing it loads neither the ledger nor an HTTP client.
"""

from __future__ import annotations

from ..notifier.shared import get_notifier
from .sending import enqueue, send_on_commit

__all__ = ["enqueue", "get_notifier", "send_on_commit"]
