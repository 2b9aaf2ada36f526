"""Tables of receipts, messages and channels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from ...outcomes import Outcome, Receipt, SentMessage, iso_utc
from .output import visible

_STYLES: dict[str, str] = {
    Outcome.ACCEPTED: "green",
    Outcome.NOT_SENT: "yellow",
    Outcome.REJECTED: "red",
    Outcome.UNKNOWN: "magenta",
}


def receipt_table(receipts: Sequence[Receipt]) -> Table:
    """Return receipts as a table."""
    table = Table(box=None, pad_edge=False)
    for column in ("outcome", "recipients", "attempts", "status", "send"):
        table.add_column(column, overflow="fold")
    for receipt in receipts:
        outcome = Text(receipt.outcome.value, style=_STYLES[receipt.outcome])
        if receipt.possible_duplicate:
            outcome.append(" (possible duplicate)", style="yellow")
        if receipt.repeated:
            outcome.append(" (repeated)", style="cyan")
        shown = ", ".join(receipt.recipients[:5]) + (
            f" … {len(receipt.recipients):,}" if len(receipt.recipients) > 5 else ""
        )
        table.add_row(outcome, Text(visible(shown)), str(receipt.attempts), str(receipt.status_code or "–"), receipt.id)
    return table


def message_table(messages: Iterable[SentMessage]) -> Table:
    """Return messages as a table."""
    table = Table(box=None, pad_edge=False)
    for column in ("at", "outcome", "recipient", "channel", "template", "campaign or key", "attempts", "receipt"):
        table.add_column(column, overflow="fold")
    for each in messages:
        origin = each.campaign or each.key or ""
        texts = (each.recipient, each.channel, each.template or "–", origin, str(each.attempts), each.receipt)
        outcome = Text(each.outcome, style=_STYLES.get(each.outcome, ""))
        table.add_row(iso_utc(each.at), outcome, *(Text(visible(text)) for text in texts))
    return table


def channel_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return channels as a table.

    Args:
        rows: from `described`.
    """
    table = Table(box=None, pad_edge=False)
    for column in ("channel", "type", "verified", "until", ""):
        table.add_column(column, overflow="fold")
    for row in rows:
        mark = Text("yes", style="green") if row["verified"] else Text("no", style="bold red")
        until = (row["expires_at"] or "")[:10]
        table.add_row(row["name"], row["type"], mark, until, Text(visible(row["message"])))
        for caution in [*filter(None, [row["announcement"]]), *row["cautions"]]:
            table.add_row("", "", "", "", Text(f"! {visible(caution)}", style="yellow"))
    return table
