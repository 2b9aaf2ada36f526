"""Shows what is about to be sent: one message per locale, and the first recipients."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen

from ...ledger import RunBook, RunRecord
from ..locales import LOCALE, NO_LOCALE
from ..renderer import MessageRenderer

_NAMED: Final = 5


@frozen
class ExampleMessage:
    """An example message of a plan, with sensitive values masked.

    Attributes:
        locale: None for the template without a locale.
        recipient: the recipient of the message.
        fields: the fields of the message, by their names in the API.
    """

    locale: str | None
    recipient: str
    fields: Mapping[str, Any]


@frozen
class Outlook:
    """What a plan is about to send.

    Attributes:
        first: some of the first recipients.
        first_count: the size of the canary; 0 without a canary.
        waits: whether the run pauses after the canary.
        messages: one per locale.
    """

    first: tuple[str, ...]
    first_count: int
    waits: bool
    messages: tuple[ExampleMessage, ...]


async def outlook(book: RunBook, record: RunRecord, renderer: MessageRenderer) -> Outlook:
    """Return the outlook of a planned run.

    Args:
        book: the ledger's book of runs.
        record: the run.
        renderer: of its messages.
    """
    missing = set(record.facts.get("locales") or {NO_LOCALE})
    messages: list[ExampleMessage] = []
    after = 0
    while missing and (shards := await book.shards(record.id, after)):
        after = shards[-1].id
        for batch in (batch for shard in shards for batch in shard.taken()):
            locale = str(batch.values.get(LOCALE, NO_LOCALE))
            if locale in missing:
                missing.discard(locale)
                fields = json.loads(renderer.render_shown(batch.values))["message"]  # type: ignore[arg-type]
                messages.append(ExampleMessage(locale or None, batch.recipients[0], fields))
    first = await book.first_recipients(record.id, _NAMED)
    return Outlook(tuple(first), record.facts["canary"], record.waits_after_canary, tuple(messages))
