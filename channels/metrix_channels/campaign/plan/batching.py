"""Groups recipients with equal messages over a whole audience, so that one request serves many of them.

Groups grow in memory, joined to one text each, up to a limit. They are then written to disk and sorted by message at
the end. Memory does not grow with the audience, and each message needs the fewest requests.
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
"""Recipients in lists; then they are joined, which takes a fifth of the memory."""
_BATCHES_OF_GROUP: Final = 10
"""Where each group has so many batches in its list, they are built at once, and written while more rows are planned."""
_MOST_JOINED: Final = 8_000_000
"""Characters of joined recipients in memory; then they are written to disk."""
_MOST_GROUPS: Final = 50_000
_MOST_DRAFTS: Final = 50
_SHARD_RECIPIENTS: Final = 1_000
"""Minimum recipients of a shard, unless that takes too many batches."""
_BATCHES: Final = 250
"""Maximum batches of a shard: their statuses fit into one page of the ledger."""

Values = dict[str, JsonValue]
Key = tuple[JsonValue, ...] | str


@define(eq=False)
class Group:
    """Recipients of one message.

    Attributes:
        digest: of the message.
        values: JSON of the values of the message.
        kind: its locale, and the encoding of an SMS.
        sms_parts: SMS parts per recipient.
        codes: of its cautions.
        empty: names of empty values that the text shows.
        recipients: the last ones, who are not counted yet.
        joined: earlier ones who are not in a batch yet, joined by line feeds.
        count: of the joined ones.
        on_disk: whether the message is on disk.
    """

    digest: bytes
    values: str
    kind: tuple[str, str]
    sms_parts: int
    codes: tuple[str, ...]
    empty: tuple[str, ...]
    recipients: list[str] = field(factory=list)
    joined: str = ""
    count: int = 0
    on_disk: bool = False


class Batching:
    """Builds batches of recipients, and shards of batches.

    Args:
        render: renders the message for the values of a row.
        batch_size: maximum recipients per request.
        canary: whether the shards belong to the canary.
        known: messages that were counted before.

    Attributes:
        drafts: finished shards; the caller takes them and empties the list.
        batches: the number of batches so far.
        texts: the number of different messages, after `finish`.
        sms_parts: total SMS parts, by locale and encoding.
        cautions: the number of recipients by caution code.
        empty: the number of recipients by empty value.
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
        """The digests of the messages in memory."""
        return frozenset(self._by_digest)

    def open(self, key: Key, values: Values) -> list[str]:
        """Return the list of a group's recipients, for adding more; it is also in `lists`.

        Args:
            key: identifies the values.
            values: of the row.

        Raises:
            TemplateError, MessageInvalid: the message cannot be rendered.
        """
        rendered_message = self._render(values)
        group = self._by_digest.get(rendered_message.digest)
        if group is None:
            codes = tuple(caution.code for caution in rendered_message.cautions)
            length = rendered_message.length
            kind = str(values.get(LOCALE, NO_LOCALE)), str(length.encoding) if length else ""
            parts = length.parts if length else 0
            group = Group(rendered_message.digest, dumped(values), kind, parts, codes, rendered_message.empty)
            self._by_digest[rendered_message.digest] = group
        self.lists[key] = group.recipients
        return group.recipients

    def added(self, count: int) -> None:
        """Count recipients who were added to the lists; build batches when there are many."""
        self._waiting += count
        too_many = len(self.lists) >= _MOST_GROUPS
        whole = _BATCHES_OF_GROUP * self._batch_size * len(self._by_digest)
        if self._waiting >= min(_MOST_RECIPIENTS, whole) or too_many:
            self._waiting = 0
            for group in self._by_digest.values():
                if group.recipients:
                    self._settle(group)
            if too_many or sum(len(group.joined) for group in self._by_digest.values()) >= _MOST_JOINED:
                self._spill()

    def finish(self) -> Iterator[None]:
        """Build batches of the remaining recipients; yields regularly so that the caller can take `drafts`."""
        for group in self._by_digest.values():
            self._settle(group)
        if self._pieces is None:
            for group in self._by_digest.values():
                self.texts += group.digest not in self._known
                if group.count:
                    self._batch(group.values, group.joined.split("\n"))
                    group.joined = ""
                if len(self.drafts) >= _MOST_DRAFTS:
                    yield
        else:
            self._spill()
            for _ in self._merge(self._pieces):
                if len(self.drafts) >= _MOST_DRAFTS:
                    yield
            self._pieces.close()
            self._pieces = None
        self._close_shard()
        yield

    def _settle(self, group: Group) -> None:
        """Count the last recipients of a group, build full batches, and join the rest."""
        recipients, size = group.recipients, self._batch_size
        count = len(recipients)
        self.sms_parts[group.kind] += count * group.sms_parts
        for code in group.codes:
            self.cautions[code] = self.cautions.get(code, 0) + count
        for name in group.empty:
            self.empty[name] = self.empty.get(name, 0) + count
        if group.count + count >= size:
            if group.count:
                recipients[:0] = group.joined.split("\n")
                group.joined, group.count = "", 0
            whole = len(recipients) // size * size
            for start in range(0, whole, size):
                self._batch(group.values, recipients[start : start + size])
            del recipients[:whole]
        if recipients:
            joined = "\n".join(recipients)
            group.joined = f"{group.joined}\n{joined}" if group.count else joined
            group.count += len(recipients)
            recipients.clear()

    def _spill(self) -> None:
        if self._pieces is None:
            self._pieces = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._pieces.execute("PRAGMA cache_size = -4000")
            self._pieces.execute("CREATE TABLE pieces (digest BLOB, vals TEXT, recipients TEXT)")
        rows = [
            (group.digest, group.values, group.joined)
            for group in self._by_digest.values()
            if group.count or not group.on_disk
        ]
        self._pieces.execute("BEGIN")
        self._pieces.executemany("INSERT INTO pieces VALUES (?, ?, ?)", rows)
        self._pieces.execute("COMMIT")
        if len(self.lists) > _MOST_GROUPS // 2:
            self.lists, self._by_digest = {}, {}
            return
        for group in self._by_digest.values():
            group.joined, group.count, group.on_disk = "", 0, True

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
