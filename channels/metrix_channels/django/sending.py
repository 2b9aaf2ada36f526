"""Messages within a Django transaction."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, transaction

from ..notifier.call import Context, Recipients, checked_deadline, checked_key
from ..notifier.shared import get_notifier
from .settings import is_testing


def send_on_commit(
    channel: str,
    to: str | Recipients,
    template: str | None = None,
    context: Context | None = None,
    *,
    text: str | None = None,
    title: str | None = None,
    locale: str | None = None,
    key: str | None = None,
    deadline: float | None = 3.0,
    using: str = DEFAULT_DB_ALIAS,
) -> None:
    """Send a message after the transaction commits, and never if it is rolled back.

    The message is rendered and checked now, so a mistake is an error within the transaction. Outside a transaction, it
    is sent at once. An error after the commit cannot roll back anything: Django logs it to `django.db.backends.base`,
    and the request continues. If the process dies between the commit and the send, the message is lost; `enqueue` does
    not have this gap.

    Args:
        channel: a channel's name in the configuration.
        to: one customUserId, or several that get the same message.
        template: a template's name; with `context` and `locale`, as in `Notifier.send`.
        context: values for the template.
        text: instead of a template, a text that is sent as it is; with `title`.
        title: title of a push, or the subject of an email.
        locale: such as `fa`.
        key: identifies the message, so that it is sent once, even if the view runs again.
        deadline: seconds for the send, because a request waits for it; None for the configuration's deadline.
        using: the alias of the transaction's database.

    Raises:
        ChannelUnverified, ConfigError, TemplateError, MessageInvalid: nothing will be sent.
        UsageError: template and text were mixed, or `key` or `deadline` is invalid.
    """
    notifier = get_notifier()
    if key is not None:
        checked_key(key)
    checked_deadline(deadline)
    content = _content(template=template, context=deepcopy(context), locale=locale, text=text, title=title)
    notifier.dry_run(channel, to, **content)

    def send_message() -> None:
        notifier.send(channel, to, **content, key=key, deadline=deadline)

    transaction.on_commit(send_message, using=using, robust=True)


def enqueue(
    channel: str,
    to: str | Recipients,
    template: str | None = None,
    context: Context | None = None,
    *,
    text: str | None = None,
    title: str | None = None,
    locale: str | None = None,
    key: str | None = None,
    using: str = DEFAULT_DB_ALIAS,
) -> None:
    """Put a message into the outbox within the transaction: both commit together or not at all. A worker sends it.

    This needs a ledger in PostgreSQL, in the same database as the transaction, and `manage.py metrix worker`. In the
    project's tests, the message is sent to the sandbox when the transaction commits, and needs neither of them.

    Args:
        channel: a channel's name in the configuration.
        to: one customUserId, or several that get the same message.
        template: a template's name; with `context` and `locale`, as in `Notifier.send`.
        context: values for the template, which is rendered now.
        text: instead of a template, a text that is sent as it is; with `title`.
        title: title of a push, or the subject of an email.
        locale: such as `fa`.
        key: identifies the message, so that it is sent once, even if the view runs again.
        using: the alias of the transaction's database.

    Raises:
        ChannelUnverified, ConfigError, TemplateError, MessageInvalid: nothing was written.
        LedgerError: key_reused, ledger_foreign, or the ledger cannot be used; nothing was written.
        UsageError: template and text were mixed.
    """
    content = _content(template=template, context=context, locale=locale, text=text, title=title)
    if is_testing():
        send_on_commit(channel, to, **content, key=key, deadline=None, using=using)
        return
    with transaction.atomic(using=using):  # after an error, the caller can still use its transaction
        get_notifier().enqueue(channel, to, **content, key=key, connection=connections[using])


def _content(**given: Any) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}
