"""A Celery task that sends one message, and retries if that is safe; docs/celery.md shows how to use it.

    from metrix_channels.celery import send_message

    send_message.delay("sms", "user-42", "otp", {"code": "4821"}, key="login-42-1")

The module registers the task in every Celery application of the process: import it in the module that creates the
application, or write `include=["metrix_channels.celery"]`.
"""

from __future__ import annotations

from .tasks import send_message

__all__ = ["send_message"]
