"""A configuration that points at any server, and single attempts, for tests of the wire."""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import frozen

from metrix_channels import AsyncNotifier
from metrix_channels.api import Endpoint, Exchange, Transport
from metrix_channels.api.transports.httpx_transport import HttpxTransport
from metrix_channels.errors import MetrixChannelsError
from metrix_channels.outcomes import Receipt
from metrix_channels.redact import Redactor, Secret

API_KEY = 'key+/="\\9f3a7c51e2'
"""Looks different in every encoding."""


@frozen
class Project:
    """A folder with channels.yaml, a template `hello` for SMS, a key's file, and a ledger once something was sent."""

    folder: Path

    @property
    def config(self) -> Path:
        """The configuration's file."""
        return self.folder / "channels.yaml"

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.folder / "ledger.db"

    def template(self, name: str, text: str) -> None:
        """Write a template for SMS."""
        file = self.folder / "templates" / name / "sms.txt.j2"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def notifier(self) -> AsyncNotifier:
        """Open it."""
        return AsyncNotifier.from_config(self.config)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Look into the ledger."""
        connection = sqlite3.connect(self.ledger)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def send(self, template: str = "hello", context: dict[str, Any] | None = None) -> Receipt:
        """Send to u1 in an event loop of its own."""

        async def run() -> Receipt:
            async with self.notifier() as notifier:
                return await notifier.send("sms", "u1", template, context or {"name": "سارا"})

        return asyncio.run(run())

    def error(self, template: str = "hello", context: dict[str, Any] | None = None) -> MetrixChannelsError:
        """Send to u1, and return the error that comes of it."""
        try:
            receipt = self.send(template, context)
        except MetrixChannelsError as error:
            return error
        raise AssertionError(f"it was accepted: {receipt}")


def make_project(folder: Path, url: str, *, on_ambiguous: str = "retry", **metrix: Any) -> Project:
    """Make one whose Metrix is at `url`.

    Args:
        folder: empty.
        url: of the server.
        on_ambiguous: retry or hold.
        **metrix: further settings under `metrix`.
    """
    key = folder / "api.key"
    key.write_text(API_KEY)
    key.chmod(0o600)
    connection = {"app_id": "app-1", "api_key_file": str(key), "base_url": url, "timeout": "10s"}
    config = {
        "version": 1,
        "metrix": connection | metrix,
        "ledger": "sqlite:///./ledger.db",
        "on_ambiguous": on_ambiguous,
        "channels": {"sms": {"type": "sms", "verified": True}},
    }
    project = Project(folder)
    project.config.write_text(json.dumps(config), encoding="utf-8")
    project.template("hello", "سلام {{ name }}")
    return project


def post(
    url: str,
    *,
    wire: Callable[[Endpoint, Redactor], Transport] = HttpxTransport,
    seconds: float = 10.0,
    **endpoint: Any,
) -> Exchange:
    """Make one attempt through a real transport."""

    async def attempt() -> Exchange:
        transport = wire(Endpoint(url, **endpoint), Redactor(Secret(API_KEY)))
        try:
            return await transport.post("/push", {"X-API-Key": API_KEY}, b'{"secret": "body"}', seconds)
        finally:
            await transport.close()

    return asyncio.run(attempt())


@contextmanager
def takes(at_least: float, at_most: float) -> Iterator[None]:
    """Check how many seconds something takes.

    The most is ten times what it should be, and less than what it would be without the limit that is tested: that a
    machine is busy is no failure.
    """
    began = time.monotonic()
    yield
    seconds = time.monotonic() - began
    assert at_least <= seconds <= at_most, f"{seconds:.2f} s"


@contextmanager
def unanswering_address() -> Iterator[str]:
    """Give an address where connecting never ends: the listener's queue is full."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
