"""The sandbox of a test: it also sends what the test's own code put into the outbox."""

from __future__ import annotations

from pathlib import Path

from .. import sandbox
from ..errors import UsageError
from ..notifier import Notifier
from ..notifier.outbox.outbox import Drained


class Sandbox(sandbox.Sandbox):
    """A stand-in for Metrix, as the fixture `metrix_sandbox` gives it to a test.

    Attributes:
        config: the channels.yaml that the fixture `metrix_config` wrote for this test; None before.
    """

    config: Path | None = None

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
