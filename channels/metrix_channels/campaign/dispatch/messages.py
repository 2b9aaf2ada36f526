"""Renders the messages of batches, and those of the next batches ahead of time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from ...errors import MetrixChannelsError
from ...ledger import Batch
from ..renderer import MessageRenderer

_AHEAD: Final = 16
_LONGEST_SECONDS: Final = 0.001


class Messages:
    """Renders messages, for all lanes of a dispatch.

    Many messages in a row take half as long as one at a time between two requests, because the caches of the processor
    then contain what rendering needs.

    Args:
        renderer: renders a message.
        upcoming: returns at most so many of the next batches.
    """

    def __init__(self, renderer: MessageRenderer, upcoming: Callable[[int], Iterable[Batch]]) -> None:
        self._renderer = renderer
        self._upcoming = upcoming
        self._ahead: dict[Batch, bytes] = {}
        self._last: tuple[Mapping[str, Any], bytes] | None = None

    def render(self, batch: Batch) -> bytes:
        """Return the message of a batch: the request's JSON after the recipients.

        Raises:
            TemplateError, MessageInvalid: it can no longer be rendered.
        """
        message = self._ahead.pop(batch, None)
        if message is None:
            message = self._render(batch)
            if not self._ahead:
                self._render_ahead()
        return message

    def _render_ahead(self) -> None:
        ends = time.monotonic() + _LONGEST_SECONDS
        for batch in self._upcoming(_AHEAD):
            try:
                self._ahead[batch] = self._render(batch)
            except MetrixChannelsError:
                return  # raised again when the batch is sent
            if time.monotonic() > ends:
                return

    def _render(self, batch: Batch) -> bytes:
        if self._last is None or self._last[0] != batch.values:
            self._last = batch.values, self._renderer.render_body(batch.values)  # type: ignore[arg-type]
        return self._last[1]
