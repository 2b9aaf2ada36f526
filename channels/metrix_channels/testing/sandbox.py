"""The sandbox of a test: the messages that arrived, and `drain` for those in the outbox."""

from __future__ import annotations

from pathlib import Path

from .. import sandbox
from ..errors import UsageError
from ..notifier import Notifier
from ..notifier.outbox.outbox import Drained
from .messages import ArrivedMessages, arrived_messages


class Sandbox(sandbox.Sandbox):
    """A stand-in for Metrix, as the fixture `metrix_sandbox`.

    Attributes:
        config: the channels.yaml that the fixture `metrix_config` wrote for this test; None before that.
    """

    config: Path | None = None

    @property
    def arrived(self) -> ArrivedMessages:
        """The messages that have arrived so far, of all channels."""
        return arrived_messages("a message", self.messages())

    @property
    def sms(self) -> ArrivedMessages:
        """The SMS that have arrived so far."""
        return arrived_messages("an SMS", self.messages("SMS"))

    @property
    def push(self) -> ArrivedMessages:
        """The app pushes that have arrived so far."""
        return arrived_messages("a push", self.messages("APP_PUSH"))

    @property
    def web_push(self) -> ArrivedMessages:
        """The web pushes that have arrived so far."""
        return arrived_messages("a web push", self.messages("WEB_PUSH"))

    @property
    def email(self) -> ArrivedMessages:
        """The emails that have arrived so far."""
        return arrived_messages("an email", self.messages("EMAIL"))

    def drain(self) -> Drained:
        """Send the messages that are due in the ledger of this test's configuration, in place of a worker.

        Raises:
            UsageError: `metrix_config` has written no configuration in this test.
            ConfigError: this process cannot send.
            LedgerError: the ledger cannot be used.
        """
        if self.config is None:
            raise UsageError(
                "metrix_sandbox.drain needs a configuration, and this test has none.",
                code="usage",
                remedy="Write one with the fixture metrix_config: Notifier.from_config(metrix_config()).",
            )
        with Notifier.from_config(self.config) as notifier:
            return notifier.drain()
