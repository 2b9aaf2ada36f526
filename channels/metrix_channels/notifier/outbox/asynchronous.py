"""The methods of AsyncNotifier that put messages into the ledger within a transaction of the caller's own."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, overload

from ..call import Call, Context, Recipients, content_of
from ..services import ServicesOfProcess

if TYPE_CHECKING:
    from ...outcomes import Receipt
    from .outbox import Drained


class AsyncOutbox:
    """Puts messages into the outbox, withdraws them, sends those that are due, and tells what became of them.

    Args:
        services: of the notifier.
    """

    def __init__(self, services: ServicesOfProcess) -> None:
        self._services = services

    @overload
    async def enqueue(
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
    async def enqueue(
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

    async def enqueue(
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
        """Put a message into the ledger within a transaction of your own: both commit or vanish together.

        Workers send it once the transaction is committed, however this process ends; what cannot be sent for now they
        try again for a day. The transaction is one of the database that holds the ledger. A ledger in SQLite has no
        workers: call `drain`.

        Args:
            channel: a channel's name in the configuration.
            to: one customUserId, or several that get the same text.
            template: a template's name.
            context: values for the template, which is rendered now, also with `at`.
            connection: an open transaction: of psycopg or sqlite3, of SQLAlchemy (connection or session), or Django's
                `django.db.connection`.
            text: as in `send`.
            title: as in `send`.
            locale: such as `fa`.
            key: as in `send`; a second message of one key, content and time is none.
            at: when to send it, with a time zone and at most 366 days ahead; the database's clock decides. None, or a
                time in the past, for at once.

        Returns:
            The message's id, for `receipts`.

        Raises:
            ChannelUnverified, ConfigError, TemplateError, MessageInvalid: nothing was written.
            LedgerError: key_reused, ledger_foreign, or the ledger cannot be used. Your transaction goes on.
            UsageError: connection_unknown; `at` is no such time; or arguments as in `send`.
        """
        from .connections import carry_out_async

        call = Call(channel, to, content_of(template, context, locale, text, title), key)
        return await carry_out_async(await self._services.current().outbox.enqueue(call, at), connection)

    async def withdraw(self, key: str, *, connection: object) -> bool:
        """Withdraw a message that was put into the ledger, within a transaction of your own.

        Its receipt then says `not_sent` (message_withdrawn), and its key is free for another message. While your
        transaction is open, no worker begins to send it.

        Args:
            key: of the message.
            connection: as in `enqueue`.

        Returns:
            Whether it was withdrawn. False when there is no such message, when it was sent, or when a worker is sending
            it: then it goes out.

        Raises:
            LedgerError: ledger_foreign, or the ledger cannot be used. Your transaction goes on.
            UsageError: connection_unknown.
        """
        from .connections import carry_out_async

        return await carry_out_async(await self._services.current().outbox.withdraw(key), connection)

    async def drain(self) -> Drained:
        """Send the messages of the ledger that are due, in this process: for development and tests without a worker.

        Messages of other applications are left alone.

        Returns:
            The receipts, also of what was not accepted; and the messages that are due later or could not be sent.

        Raises:
            ConfigError: nothing can be sent.
            LedgerError: the ledger cannot be used.
        """
        return await self._services.current().outbox.drain()

    async def receipts(self, message: str) -> tuple[Receipt, ...] | None:
        """Return what became of a message that was put into the ledger; None as long as that is not known.

        Args:
            message: what `enqueue` returned.

        Raises:
            LedgerError: send_missing.
        """
        return await self._services.current().outbox.receipts(message)
