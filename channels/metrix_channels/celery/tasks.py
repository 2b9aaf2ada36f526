"""The task that sends one message."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from celery import Task, shared_task

from ..errors import MetrixChannelsError
from ..notifier.shared import get_notifier
from ..outcomes import ReceiptDict
from .retries import MOST_RETRIES, is_safe_to_repeat, pause_seconds

_rng = random.Random()


@shared_task(
    name="metrix_channels.send_message",
    bind=True,
    max_retries=MOST_RETRIES,
    # Celery may run a task twice after a crash; its key makes sure that the message is sent once.
    acks_late=True,
    reject_on_worker_lost=True,
)
def send_message(
    self: Task[Any, Any],
    channel: str,
    to: str | Sequence[str],
    template: str | None = None,
    context: dict[str, Any] | None = None,
    *,
    text: str | None = None,
    title: str | None = None,
    locale: str | None = None,
    key: str | None = None,
    deadline: float | None = None,
) -> list[ReceiptDict]:
    """Send one message; the arguments are those of `Notifier.send`, as JSON.

    The task is retried for about a day while nothing is sent, and never if the outcome is unknown. The message always
    has a key, so a task that Celery runs twice sends nothing twice.

    Args:
        self: the task, passed by Celery.
        channel: a channel's name in the configuration.
        to: one customUserId, or several that get the same message.
        template: a template's name; with `context` and `locale`.
        context: values for the template.
        text: instead of a template, a text that is sent as it is; with `title`.
        title: title of a push, or the subject of an email.
        locale: such as `fa`.
        key: identifies the message; None for the task's id, which stays the same in all retries.
        deadline: seconds for one try; None for the configuration's deadline.

    Returns:
        The receipts as JSON, all `accepted`.

    Raises:
        ChannelUnverified, ConfigError, TemplateError, MessageInvalid, UsageError: nothing was sent.
        Rejected, OutcomeUnknown: see `.receipts`.
        CredentialsRefused, Unreachable, LedgerError: the last retry failed too.
    """
    given = {"template": template, "context": context, "text": text, "title": title, "locale": locale}
    content: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    recipients = (to,) if isinstance(to, str) else tuple(to)
    key = key if key is not None else f"celery-{self.request.id}"
    try:
        receipts = get_notifier().send(channel, recipients, **content, key=key, deadline=deadline)
    except MetrixChannelsError as error:
        if not is_safe_to_repeat(error):
            raise
        raise self.retry(exc=error, countdown=pause_seconds(self.request.retries, _rng)) from error
    return [receipt.as_dict() for receipt in receipts]
