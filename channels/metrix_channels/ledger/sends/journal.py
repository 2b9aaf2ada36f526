"""The journal of one send, for the delivery."""

from __future__ import annotations

from ...api import Exchange, Reply
from ...delivery import Verdict
from .book import SendBook


class SendJournal:
    """Writes the attempts of one send into the ledger.

    Args:
        book: the ledger's book of sends.
        send: the id of a claimed send.
    """

    def __init__(self, book: SendBook, send: str) -> None:
        self._book = book
        self._send = send
        self._recipients: dict[int, tuple[str, ...]] = {}

    async def intend(self, recipients: tuple[str, ...]) -> int:
        """Write the intent to disk and return its number."""
        number = await self._book.intend(self._send, recipients)
        self._recipients[number] = recipients
        return number

    def withdraw(self, attempt: int) -> None:
        """Withdraw an intent whose request was not sent."""
        self._book.withdraw(attempt)

    async def settle(self, attempt: int, exchange: Exchange, verdict: Verdict) -> None:
        """Record the result of the attempt.

        Raises:
            LedgerError: in the ledger, the attempt remains unfinished.
        """
        await self._book.settle(
            self._send,
            attempt,
            self._recipients.pop(attempt),
            disposition=verdict.disposition.value,
            status=verdict.status,
            explanation=verdict.explanation,
            answer=exchange.body if isinstance(exchange, Reply) else None,
        )
