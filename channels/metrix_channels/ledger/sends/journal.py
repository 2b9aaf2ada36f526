"""The journal of one send, as the delivery writes it."""

from __future__ import annotations

from ...api import Exchange, Reply
from ...delivery import Verdict
from ...errors import LedgerError
from .book import SendBook


class SendJournal:
    """Writes the attempts of one send into the ledger.

    Args:
        book: the ledger's book of sends.
        send: the id of the send, claimed before.
    """

    def __init__(self, book: SendBook, send: str) -> None:
        self._book = book
        self._send = send

    async def intend(self, recipients: tuple[str, ...]) -> int:
        """Make the intent durable and return its number."""
        return await self._book.intend(self._send, recipients)

    def withdraw(self, attempt: int) -> None:
        """Take an intent back of which nothing has left."""
        self._book.withdraw(attempt)

    async def settle(self, attempt: int, exchange: Exchange, verdict: Verdict) -> None:
        """Write down what the attempt came to.

        Raises:
            LedgerError: outcome_unrecorded; for the ledger, the attempt stays without an end.
        """
        try:
            await self._book.settle(
                attempt,
                disposition=verdict.disposition.value,
                status=verdict.status,
                explanation=verdict.explanation,
                answer=exchange.body if isinstance(exchange, Reply) else None,
            )
        except LedgerError as error:
            raise LedgerError(
                f"The request was made ({verdict.explanation}), but its outcome could not be recorded: {error.message}",
                code="outcome_unrecorded",
            ) from error
