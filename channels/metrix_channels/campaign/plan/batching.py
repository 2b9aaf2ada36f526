"""Equal messages brought together over a whole audience: what is sent in one request instead of in many.

Groups grow in memory up to a bound. Then what is left of them is written to disk, and at the end sorted by message,
so that an audience of any size takes the same memory and each message the fewest requests.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from attrs import define, field

from ...json_text import dumped
from ...ledger import Draft
from ...models import JsonValue
from ..locales import LOCALE, NO_LOCALE
from ..renderer import RenderedMessage

_MOST_RECIPIENTS: Final = 150_000
_MOST_GROUPS: Final = 50_000
_MOST_DRAFTS: Final = 50
_SHARD_RECIPIENTS: Final = 1_000
"""Recipients that are kept together, at least, if there are not too many batches of them."""
_BATCHES: Final = 250
"""Batches that are kept together, at most: their statuses fit into a page of the ledger."""

Values = dict[str, JsonValue]
Key = tuple[JsonValue, ...] | str


@define(eq=False)
class Group:
    """Recipients of one message.

    Attributes:
        digest: of the message.
        values: JSON of what makes the message.
        kind: its locale, and the encoding of an SMS.
        sms_parts: what an SMS of it costs one recipient.
        codes: of the cautions about it.
        empty: values that are empty and leave a gap in it.
        recipients: not yet in a batch.
        settled: so many of them were counted.
        counts_of: the message is among those that were counted.
    """

    digest: bytes
    values: str
    kind: tuple[str, str]
    sms_parts: int
    codes: tuple[str, ...]
    empty: tuple[str, ...]
    recipients: list[str] = field(factory=list)
    settled: int = 0
    counts_of: bool = False


class Batching:
    """Makes batches of recipients, and shards of batches.

    Args:
        render: renders the message for values.
        batch_size: recipients a request.
        canary: the shards go first, alone.
        known: messages that are not to be counted again.

    Attributes:
        drafts: finished shards; whoever takes them empties the list.
        batches: made so far.
        texts: different messages, once `finish` has run.
        sms_parts: what all messages cost together, by locale and encoding.
        cautions: recipients by the code of a caution about their message.
        empty: recipients by the value that is empty for them and leaves a gap.
        lists: the recipients of each group in memory, by the key of their values.
    """

    def __init__(
        self,
        render: Callable[[Values], RenderedMessage],
        batch_size: int,
        *,
        canary: bool = False,
        known: frozenset[bytes] = frozenset(),
    ) -> None:
        self._render = render
        self._batch_size = batch_size
        self._canary = canary
        self._known = known
        self.lists: dict[Key, list[str]] = {}
        self._by_digest: dict[bytes, Group] = {}
        self._waiting = 0
        self._pieces: sqlite3.Connection | None = None
        self._contents: list[str] = []
        self._in_shard = 0
        self.drafts: list[Draft] = []
        self.batches: int = 0
        self.texts: int = 0
        self.sms_parts: Counter[tuple[str, str]] = Counter()
        self.cautions: dict[str, int] = {}
        self.empty: dict[str, int] = {}

    @property
    def digests(self) -> frozenset[bytes]:
        """The messages that are in memory."""
        return frozenset(self._by_digest)

    def open(self, key: Key, values: Values) -> list[str]:
        """Return the list of a group's recipients, to which more can be added; it is kept in `lists`.

        Args:
            key: equal for equal values, and for no others.
            values: what they are.

        Raises:
            TemplateError, MessageInvalid: the row's message cannot be made.
        """
        rendered_message = self._render(values)
        group = self._by_digest.get(rendered_message.digest)
        if group is None:
            codes = tuple(caution.code for caution in rendered_message.cautions)
            length = rendered_message.length
            kind = str(values.get(LOCALE, NO_LOCALE)), length.encoding.value if length else ""
            parts = length.parts if length else 0
            group = Group(rendered_message.digest, dumped(values), kind, parts, codes, rendered_message.empty)
            self._by_digest[rendered_message.digest] = group
        self.lists[key] = group.recipients
        return group.recipients

    def added(self, count: int) -> None:
        """Count recipients who were added to the lists; makes batches when they have become many."""
        self._waiting += count
        if self._waiting >= _MOST_RECIPIENTS or len(self.lists) >= _MOST_GROUPS:
            self._settle()
            self._spill()

    def finish(self) -> Iterator[None]:
        """Make batches of what is left; pauses now and then, so that `drafts` can be taken away."""
        self._settle()
        if self._pieces is None:
            for group in self._by_digest.values():
                self.texts += group.digest not in self._known
                if group.recipients:
                    self._batch(group.values, group.recipients)
        else:
            self._spill()
            for _ in self._merge(self._pieces):
                if len(self.drafts) >= _MOST_DRAFTS:
                    yield
            self._pieces.close()
            self._pieces = None
        self._close_shard()
        yield

    def _settle(self) -> None:
        """Count what has come together, and make the batches that are full."""
        size = self._batch_size
        for group in self._by_digest.values():
            recipients = group.recipients
            count = len(recipients) - group.settled
            self.sms_parts[group.kind] += count * group.sms_parts
            for code in group.codes:
                self.cautions[code] = self.cautions.get(code, 0) + count
            for name in group.empty:
                self.empty[name] = self.empty.get(name, 0) + count
            if whole := len(recipients) // size * size:
                for start in range(0, whole, size):
                    self._batch(group.values, recipients[start : start + size])
                del recipients[:whole]
            group.settled = len(recipients)

    def _spill(self) -> None:
        if self._pieces is None:
            self._pieces = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._pieces.execute("PRAGMA cache_size = -16000")
            self._pieces.execute("CREATE TABLE pieces (digest BLOB, vals TEXT, recipients TEXT)")
        rows = [
            (group.digest, group.values, "\n".join(group.recipients))
            for group in self._by_digest.values()
            if group.recipients or not group.counts_of
        ]
        self._pieces.execute("BEGIN")
        self._pieces.executemany("INSERT INTO pieces VALUES (?, ?, ?)", rows)
        self._pieces.execute("COMMIT")
        self._waiting = 0
        if len(self.lists) > _MOST_GROUPS // 2:
            self.lists, self._by_digest = {}, {}
            return
        for group in self._by_digest.values():
            group.recipients.clear()
            group.settled = 0
            group.counts_of = True

    def _merge(self, pieces: sqlite3.Connection) -> Iterator[None]:
        digest, values, waiting = b"", "", list[str]()
        size = self._batch_size
        for each, text, joined in pieces.execute("SELECT digest, vals, recipients FROM pieces ORDER BY digest"):
            if each != digest:
                if waiting:
                    self._batch(values, waiting)
                digest, values, waiting = each, text, []
                self.texts += digest not in self._known
                yield
            if joined:
                waiting += joined.split("\n")
            while len(waiting) >= size:
                self._batch(values, waiting[:size])
                waiting = waiting[size:]
        if waiting:
            self._batch(values, waiting)

    def _batch(self, values: str, recipients: list[str]) -> None:
        self._contents.append(f"[{values},{dumped(recipients)}]")
        self.batches += 1
        self._in_shard += len(recipients)
        if self._in_shard >= _SHARD_RECIPIENTS or len(self._contents) >= _BATCHES:
            self._close_shard()

    def _close_shard(self) -> None:
        if self._contents:
            self.drafts.append(Draft(f"[{','.join(self._contents)}]", len(self._contents), self._canary))
        self._contents, self._in_shard = [], 0
