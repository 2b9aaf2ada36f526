"""The sandbox of a test: what arrived in it, and what the test's own code put into the outbox."""

from __future__ import annotations

from pathlib import Path

from .. import sandbox
from ..errors import UsageError
from ..notifier import Notifier
from ..notifier.outbox.outbox import Drained
from .messages import ArrivedMessages, arrived_messages


class Sandbox(sandbox.Sandbox):
    """A stand-in for Metrix, as the fixture `metrix_sandbox` gives it to a test.

    Attributes:
        config: the channels.yaml that the fixture `metrix_config` wrote for this test; None before.
    """

    config: Path | None = None

    @property
    def arrived(self) -> ArrivedMessages:
        """The messages that arrived until now, of all channels."""
        return arrived_messages("a message", self.messages())

    @property
    def sms(self) -> ArrivedMessages:
        """The SMS that arrived until now."""
        return arrived_messages("an SMS", self.messages("SMS"))

    @property
    def push(self) -> ArrivedMessages:
        """The pushes to apps that arrived until now."""
        return arrived_messages("a push", self.messages("APP_PUSH"))

    @property
    def web_push(self) -> ArrivedMessages:
        """The pushes to browsers that arrived until now."""
        return arrived_messages("a web push", self.messages("WEB_PUSH"))

    @property
    def email(self) -> ArrivedMessages:
        """The emails that arrived until now."""
        return arrived_messages("an email", self.messages("EMAIL"))

    def drain(self) -> Drained:
        """Send the messages that are due in the ledger of this test's configuration, in place of a worker.

        Raises:
            UsageError: `metrix_config` has written no configuration in this test.
            ConfigError: nothing can be sent.
            LedgerError: the ledger cannot be used.
        """
        if self.config is None:
            raise UsageError(
                "This test has no configuration whose ledger could be drained.",
                code="usage",
                remedy="Write it with the fixture: Notifier.from_config(metrix_config()).",
            )
        with Notifier.from_config(self.config) as notifier:
            return notifier.drain()
