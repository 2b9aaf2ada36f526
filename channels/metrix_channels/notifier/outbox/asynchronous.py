"""The methods of AsyncNotifier that put messages into the ledger within the caller's own transaction."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, overload

from ...errors import UsageError
from ..call import Call, Context, Recipients, content_of
from ..services import ServicesOfProcess

if TYPE_CHECKING:
    from ...outcomes import Receipt
    from .outbox import Drained


class AsyncOutbox:
    """Puts messages into the outbox, withdraws them, sends those that are due, and returns their receipts.

    Args:
        services: the services of the notifier.

    Raises:
        UsageError: usage, for anything else, such as the path of a configuration.
    """

    def __init__(self, services: ServicesOfProcess) -> None:
        _require_services(services)
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
        """Put a message into the ledger within your own transaction; see `Notifier.enqueue`."""
        from .connections import carry_out_async

        call = Call(channel, to, content_of(template, context, locale, text, title), key)
        return await carry_out_async(await self._services.current().outbox.enqueue(call, at), connection)

    async def withdraw(self, key: str, *, connection: object) -> bool:
        """Withdraw an enqueued message, within your own transaction; see `Notifier.withdraw`."""
        from .connections import carry_out_async

        return await carry_out_async(await self._services.current().outbox.withdraw(key), connection)

    async def drain(self) -> Drained:
        """Send the messages of the ledger that are due, in this process; see `Notifier.drain`."""
        return await self._services.current().outbox.drain()

    async def receipts(self, message: str) -> tuple[Receipt, ...] | None:
        """Return the receipts of an enqueued message; see `Notifier.receipts`."""
        return await self._services.current().outbox.receipts(message)


def _require_services(given: object) -> None:
    if not isinstance(given, ServicesOfProcess):
        message = f"A notifier is created by its method `from_config`, not from {type(given).__name__}."
        remedy = 'Write `Notifier.from_config("channels.yaml")` or `AsyncNotifier.from_config("channels.yaml")`.'
        raise UsageError(message, code="usage", remedy=remedy)
