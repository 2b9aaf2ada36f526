"""Sends from processes of their own, which a test may kill."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from attrs import frozen

from metrix_channels import MetrixChannelsError, Notifier

# Forked from a process that has everything imported and no threads: a child begins within milliseconds.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["pytest", "helpers.sending", "metrix_channels.api.transports.httpx_transport"])


@frozen
class Ended:
    """What a call came to: the error's code, or None; and the receipts in either case."""

    code: str | None
    receipts: Sequence[Any]


def call(notifier: Notifier, to: str | list[str], key: str | None, text: str = "hello") -> Ended:
    """Send the template `note` by SMS."""
    try:
        found = notifier.send("sms", to, "note", {"text": text}, key=key)
    except MetrixChannelsError as error:
        return Ended(error.code, error.receipts)
    return Ended(None, found if isinstance(found, tuple) else (found,))


@frozen
class Sender:
    """A process that sends once."""

    process: BaseProcess
    said: Connection
    may_go: Event

    def starting(self) -> None:
        """Wait until it is about to send."""
        assert self._hear() == "starting"

    def go(self) -> None:
        """Let it send, when it was told to wait."""
        self.may_go.set()

    def ended(self) -> Ended:
        """Wait for what its call came to."""
        found = self._hear()
        if found == "starting":
            found = self._hear()
        assert isinstance(found, Ended)
        return found

    def _hear(self) -> object:
        assert self.said.poll(60), "The process says nothing."
        return self.said.recv()


@contextmanager
def sender(
    config: Path, to: str | list[str], key: str | None, *, wait: bool = False, warm_up: bool = False
) -> Iterator[Sender]:
    """Start a process that sends, and end it when the test is done with it.

    Args:
        config: the configuration.
        to: whom it sends to.
        key: of the send.
        wait: let it wait for `go`.
        warm_up: let it send to somebody else beforehand, so that connections and ledger are open.
    """
    said, says = _CONTEXT.Pipe(duplex=False)
    may_go = _CONTEXT.Event()
    if not wait:
        may_go.set()
    process = _CONTEXT.Process(target=_send, args=(config, to, key, says, may_go, warm_up), daemon=True)
    process.start()
    says.close()
    try:
        yield Sender(process, said, may_go)
    finally:
        process.kill()
        process.join()
        process.close()
        said.close()


def _send(config: Path, to: str | list[str], key: str | None, says: Connection, may_go: Event, warm_up: bool) -> None:
    with Notifier.from_config(config) as notifier:
        if warm_up:
            call(notifier, "somebody else", None)
        says.send("starting")
        may_go.wait()
        says.send(call(notifier, to, key))
