"""The criteria of a search for messages."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from ...outcomes import SentMessage


@frozen
class Wanted:
    """The criteria of a search; a message must meet all that are given.

    Attributes:
        recipient: a customUserId.
        key: of a send.
        channel: its name in the configuration.
        campaign: a campaign's name.
        outcome: of the message.
        since: the earliest time of the outcome.
    """

    recipient: str | None = None
    key: str | None = None
    channel: str | None = None
    campaign: str | None = None
    outcome: str | None = None
    since: datetime | None = None

    def admits(self, message: SentMessage) -> bool:
        """Tell whether a message meets the criteria."""
        pairs = (
            (self.recipient, message.recipient),
            (self.key, message.key),
            (self.channel, message.channel),
            (self.campaign, message.campaign),
            (self.outcome, message.outcome),
        )
        return all(wanted in (None, found) for wanted, found in pairs) and (
            self.since is None or message.at >= self.since
        )
