"""Messages that belong to a transaction of Django's."""

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
    """Send a message once the transaction is committed, and never if it is rolled back.

    The message is rendered and checked now, so that a mistake is an error within the transaction. Outside of one it is
    sent at once. An error after the commit can undo nothing: Django logs it to `django.db.backends.base`, and the
    request goes on. When the process dies between the commit and the send, the message is lost; `enqueue` has no such
    gap.

    Args:
        channel: a channel's name in the configuration.
        to: one customUserId, or several that get the same message.
        template: a template's name; with `context` and `locale`, as in `Notifier.send`.
        context: values for the template.
        text: in place of a template: a text that goes as it is; with `title`.
        title: of a push, or the subject of an email.
        locale: such as `fa`.
        key: names the message, so that it goes once, however often the view runs.
        deadline: seconds for the send, since a request waits for it; None for the configuration's.
        using: the database whose transaction it is.

    Raises:
        ChannelUnverified, ConfigError, TemplateError, MessageInvalid: nothing will be sent.
        UsageError: template and text were mixed, or `key` or `deadline` is none.
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
    """Put a message into the outbox within the transaction: both commit or vanish together, and a worker sends it.

    It needs a ledger in PostgreSQL, in the same database as the transaction, and `manage.py metrix worker`. In the
    project's tests the message goes to the sandbox when the transaction commits, and needs neither.

    Args:
        channel: a channel's name in the configuration.
        to: one customUserId, or several that get the same message.
        template: a template's name; with `context` and `locale`, as in `Notifier.send`.
        context: values for the template, which is rendered now.
        text: in place of a template: a text that goes as it is; with `title`.
        title: of a push, or the subject of an email.
        locale: such as `fa`.
        key: names the message, so that it goes once, however often the view runs.
        using: the database whose transaction it is.

    Raises:
        ChannelUnverified, ConfigError, TemplateError, MessageInvalid: nothing was written.
        LedgerError: key_reused, ledger_foreign, or the ledger cannot be used; nothing was written.
        UsageError: template and text were mixed.
    """
    content = _content(template=template, context=context, locale=locale, text=text, title=title)
    if is_testing():
        send_on_commit(channel, to, **content, key=key, deadline=None, using=using)
        return
    with transaction.atomic(using=using):  # an error leaves the transaction of the caller fit for use
        get_notifier().enqueue(channel, to, **content, key=key, connection=connections[using])


def _content(**given: Any) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}
