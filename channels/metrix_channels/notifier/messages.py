"""Searches the messages that were sent, for a notifier."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypedDict

from ..errors import UsageError
from ..ledger.messages.search import WatchMessages, search
from ..ledger.messages.wanted import Wanted
from ..outcomes import Outcome, SentMessage
from ..process import wall_clock
from ..recipients import checked_recipients

if TYPE_CHECKING:
    from .services import Services

OUTCOMES: Final = (*(outcome.value for outcome in Outcome), "pending", "cancelled")
"""The outcomes that a message may have."""


class MessageQuery(TypedDict, total=False):
    """The conditions of a search. A message must meet all of them; None means any.

    Attributes:
        recipient: a customUserId.
        key: the key of a send.
        channel: a channel's name.
        campaign: a campaign's name.
        outcome: accepted, rejected, unknown, not_sent, pending or cancelled.
        since: the maximum age.
    """

    recipient: str | None
    key: str | None
    channel: str | None
    campaign: str | None
    outcome: str | None
    since: timedelta | None


def wanted_of(query: MessageQuery) -> Wanted:
    """Check the conditions of a search, and return them.

    Raises:
        MessageInvalid: recipient_invalid.
        UsageError: another condition is invalid.
    """
    for name in ("key", "channel", "campaign"):
        value = query.get(name)
        if value is not None and not (isinstance(value, str) and value.strip()):
            raise UsageError(
                f"The {name} is {value!r:.80}, not text.", code="usage", remedy=f"Write the {name} as text, or omit it."
            )
    recipient, outcome = query.get("recipient"), query.get("outcome")
    if recipient is not None:
        [recipient] = checked_recipients([recipient])
    if outcome is not None and outcome not in OUTCOMES:
        remedy = f"Choose one of {', '.join(OUTCOMES)}."
        raise UsageError(f"No message has the outcome {str(outcome)!r:.80}.", code="usage", remedy=remedy)
    return Wanted(recipient, query.get("key"), query.get("channel"), query.get("campaign"), outcome, _since(query))


async def find_messages(
    services: Services, wanted: Wanted, watch: WatchMessages | None
) -> AsyncIterator[list[SentMessage]]:
    """Yield pages of messages, the newest first; see `AsyncNotifier.messages`."""
    is_found = False
    async for page in search(services.engine.book_file, services.campaigns.book, wanted, watch):
        is_found = True
        yield page
    if wanted.channel is not None and not is_found:
        services.engine.config.channel(wanted.channel)  # raises an error if there is no such channel


async def each_message(services: Services, wanted: Wanted, watch: WatchMessages | None) -> AsyncIterator[SentMessage]:
    """Yield messages one by one; see `AsyncNotifier.messages`."""
    async for page in find_messages(services, wanted, watch):
        for message in page:
            yield message


def _since(query: MessageQuery) -> datetime | None:
    since = query.get("since")
    if since is None:
        return None
    try:
        if since >= timedelta():
            return wall_clock.now() - since
    except (TypeError, OverflowError):
        pass
    remedy = "Write since=timedelta(hours=24), or --since 24h on the command line."
    raise UsageError(f"since is {since!r:.80}, not a period before now.", code="usage", remedy=remedy)
