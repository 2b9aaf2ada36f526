"""The methods of Notifier that put messages into the ledger within the caller's own transaction."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, overload

from ..call import Call, Context, Recipients, content_of
from ..portal import Portal
from ..services import ServicesOfProcess

if TYPE_CHECKING:
    from ...outcomes import Receipt
    from .connections import Statements
    from .outbox import Drained


class Outbox:
    """Puts messages into the outbox, withdraws them, sends those that are due, and returns their receipts.

    Args:
        services: the services of the notifier.
        portal: runs them.
    """

    def __init__(self, services: ServicesOfProcess, portal: Portal) -> None:
        self._services = services
        self._portal = portal

    @overload
    def enqueue(
        self,
        channel: str,
        to: str | Recipients,
        template: str,
        context: Context | None = None,
        *,
        connection: object,
        locale: str | None = None,
        key: str | None = None,
        at: datetime | None = None,
    ) -> str: ...

    @overload
    def enqueue(
        self,
        channel: str,
        to: str | Recipients,
        *,
        connection: object,
        text: str,
        title: str | None = None,
        key: str | None = None,
        at: datetime | None = None,
    ) -> str: ...

    def enqueue(
        self,
        channel: str,
        to: str | Recipients,
        template: str | None = None,
        context: Context | None = None,
        *,
        connection: object,
        text: str | None = None,
        title: str | None = None,
        locale: str | None = None,
        key: str | None = None,
        at: datetime | None = None,
    ) -> str:
        """Put a message into the ledger within your own transaction: both commit together or not at all.

        Workers send it after the commit, even if this process dies. If it cannot be sent for now, they retry for a
        day. The transaction must be in the database that holds the ledger. A ledger in SQLite has no workers: call
        `drain`.

        Args:
            channel: a channel's name in the configuration.
            to: one customUserId, or several that get the same text.
            template: a template's name.
            context: values for the template, which is rendered now, even with `at`.
            connection: an open transaction of psycopg, sqlite3, SQLAlchemy (connection or session) or Django
                (`django.db.connection`).
            text: as in `send`.
            title: as in `send`.
            locale: such as `fa`.
            key: as in `send`; a second call with the same key, content and `at` adds no message.
            at: when to send it, with a time zone, at most 366 days ahead; None or a time in the past for now.

        Returns:
            The message's id, for `receipts`.

        Raises:
            ChannelUnverified, ConfigError, TemplateError, MessageInvalid: nothing was written.
            LedgerError: key_reused, ledger_foreign, or the ledger cannot be used. Your transaction stays open.
            UsageError: connection_unknown; `at` is not such a time; or invalid arguments as in `send`.
        """
        from .connections import carry_out

        call = Call(channel, to, content_of(template, context, locale, text, title), key)

        async def prepare() -> Statements[str]:
            return await self._services.current().outbox.enqueue(call, at)

        # The statements run in the caller's thread, because the connection belongs to it.
        return carry_out(self._portal.call(prepare()), connection)

    def withdraw(self, key: str, *, connection: object) -> bool:
        """Withdraw an enqueued message, within your own transaction.

        Its receipt then says `not_sent` (message_withdrawn), and its key is free for another message. While your
        transaction is open, no worker begins to send the message.

        Args:
            key: the key of the message.
            connection: as in `enqueue`.

        Returns:
            True if the message was withdrawn. False if no message has the key, if it was sent, or if a worker is
            sending it now.

        Raises:
            LedgerError: ledger_foreign, or the ledger cannot be used. Your transaction stays open.
            UsageError: connection_unknown.
        """
        from .connections import carry_out

        async def prepare() -> Statements[bool]:
            return await self._services.current().outbox.withdraw(key)

        return carry_out(self._portal.call(prepare()), connection)

    def drain(self) -> Drained:
        """Send the messages of the ledger that are due, in this process: for development and tests without a worker.

        It does not touch messages of other applications.

        Returns:
            The receipts, including those of messages that were not accepted; and the messages that are due later or
            could not be sent.

        Raises:
            ConfigError: this process cannot send.
            LedgerError: the ledger cannot be used.
        """

        async def drain() -> Drained:
            return await self._services.current().outbox.drain()

        return self._portal.call(drain())

    def receipts(self, message: str) -> tuple[Receipt, ...] | None:
        """Return the receipts of an enqueued message; None until its outcome is known.

        Args:
            message: the id that `enqueue` returned.

        Raises:
            LedgerError: send_missing.
        """

        async def receipts() -> tuple[Receipt, ...] | None:
            return await self._services.current().outbox.receipts(message)

        return self._portal.call(receipts())
