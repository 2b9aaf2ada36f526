"""What was sent to whom, as a notifier tells it."""

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
"""What may be known of a message."""


class MessageQuery(TypedDict, total=False):
    """Which messages are looked for: those that have all that is given; None stands for any.

    Attributes:
        recipient: a customUserId.
        key: of a send.
        channel: a channel's name.
        campaign: a campaign's name.
        outcome: accepted, rejected, unknown, not_sent, pending or cancelled.
        since: not older than this.
    """

    recipient: str | None
    key: str | None
    channel: str | None
    campaign: str | None
    outcome: str | None
    since: timedelta | None


def wanted_of(query: MessageQuery) -> Wanted:
    """Return what is looked for.

    Raises:
        MessageInvalid: recipient_invalid.
        UsageError: another value is not as it must be.
    """
    for name in ("key", "channel", "campaign"):
        value = query.get(name)
        if value is not None and not (isinstance(value, str) and value.strip()):
            raise UsageError(
                f"The {name} {value!r:.80} is not a name.", code="usage", remedy=f"Name a {name}, or none."
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
    """Give messages, the newest first, some at a time; see `AsyncNotifier.messages`."""
    is_found = False
    async for page in search(services.engine.book_file, services.campaigns.book, wanted, watch):
        is_found = True
        yield page
    if wanted.channel is not None and not is_found:
        services.engine.config.channel(wanted.channel)  # where there is no such channel, it is a slip


async def each_message(services: Services, wanted: Wanted, watch: WatchMessages | None) -> AsyncIterator[SentMessage]:
    """Give messages one by one; see `AsyncNotifier.messages`."""
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
    raise UsageError(f"{since!r:.80} is no time up to now.", code="usage", remedy=remedy)
