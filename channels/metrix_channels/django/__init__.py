"""The Django app `metrix_channels.django`; docs/django.md shows how to use it.

In the settings of the project:

    INSTALLED_APPS = [..., "metrix_channels.django"]
    METRIX_CHANNELS = {"CONFIG": BASE_DIR / "channels.yaml"}

Importing the app loads neither the ledger nor an HTTP client.
"""

from __future__ import annotations

from ..notifier.shared import get_notifier
from .sending import enqueue, send_on_commit

__all__ = ["enqueue", "get_notifier", "send_on_commit"]
