"""What the sandbox keeps of each message, event and request, bounded in number and in size."""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final, Generic, TypeVar

from attrs import frozen

MAX_ENTRIES: Final = 100_000
MAX_BYTES: Final = 64 * 1024 * 1024
"""Of request bodies, for each of messages, events and requests."""


@frozen
class MessageEntry:
    """A message that was taken by `POST /push`."""

    request: int
    at: str
    channel: str
    recipients: list[str]
    message: dict[str, Any]
    delivered: bool
    reason: str | None
    fault: str | None

    @property
    def number(self) -> int:
        """That of its request, which carries one message."""
        return self.request


@frozen
class EventEntry:
    """One message of a `POST /`: `processed`, or dropped behind the 200 for a `reason`."""

    request: int
    at: str
    user: dict[str, str]
    message: dict[str, Any]
    processed: bool
    reason: str | None
    fault: str | None

    @property
    def number(self) -> int:
        """That of its request, which may carry several events."""
        return self.request


@frozen
class RequestEntry:
    """Anything that came to Metrix's own paths, and the answer; `status` is None where none was given."""

    number: int
    at: str
    method: str
    path: str
    client: str
    app_id_matches: bool
    api_key_matches: bool
    content_type: str
    body: str
    status: int | None
    error: dict[str, str] | None
    fault: str | None


Entry = TypeVar("Entry", MessageEntry, EventEntry, RequestEntry)


class Log(Generic[Entry]):
    """Keeps the newest entries, in the order in which they came."""

    def __init__(self) -> None:
        self._kept: deque[tuple[Entry, int]] = deque()
        self._bytes = 0
        self.forgotten: int = 0

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[Entry]:
        return (entry for entry, _ in self._kept)

    def newest(self, count: int, matches: Callable[[Entry], bool] = lambda _: True, before: int = 0) -> list[Entry]:
        """Return up to `count` entries that match, newest first.

        Args:
            count: of them, at most.
            matches: which of them.
            before: only those whose number is smaller; 0 for all.
        """
        end = bisect_left(self._kept, before, key=lambda kept: kept[0].number) if before else len(self._kept)
        older = islice(reversed(self._kept), len(self._kept) - end, None)
        return list(islice((entry for entry, _ in older if matches(entry)), count))

    def find(self, number: int) -> Entry | None:
        """Return the first entry of that number, if it is still kept."""
        at = bisect_left(self._kept, number, key=lambda kept: kept[0].number)
        found = self._kept[at][0] if at < len(self._kept) else None
        return found if found is not None and found.number == number else None

    def add(self, entry: Entry, size: int) -> None:
        """Keep `entry`, which came in `size` bytes, and forget the oldest where the bounds demand it."""
        self._kept.append((entry, size))
        self._bytes += size
        while len(self._kept) > MAX_ENTRIES or (self._bytes > MAX_BYTES and len(self._kept) > 1):
            self._bytes -= self._kept.popleft()[1]
            self.forgotten += 1


class Seen:
    """The last keys that were met."""

    def __init__(self) -> None:
        self._keys: OrderedDict[object, None] = OrderedDict()

    def meet(self, key: object) -> bool:
        """Remember `key` and say whether it is new."""
        if key in self._keys:
            return False
        self._keys[key] = None
        if len(self._keys) > MAX_ENTRIES:
            self._keys.popitem(last=False)
        return True
