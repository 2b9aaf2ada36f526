"""For Celery: a task that sends one message, with retries where they are safe; docs/celery.md shows how.

    from metrix_channels.celery import send_message

    send_message.delay("sms", "user-42", "otp", {"code": "4821"}, key="login-42-1")

The module registers the task in every Celery application of the process: import it where the application is made, or
write `include=["metrix_channels.celery"]`.
"""

from __future__ import annotations

from .tasks import send_message

__all__ = ["send_message"]
