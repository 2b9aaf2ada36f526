"""The entries that the sandbox keeps for messages, events and requests, limited in number and size."""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final, Generic, TypeVar

from attrs import frozen

MAX_ENTRIES: Final = 100_000
MAX_BYTES: Final = 64 * 1024 * 1024
"""Limit of the request bodies that are kept, for each of messages, events and requests."""


@frozen
class MessageEntry:
    """A message that `POST /push` accepted."""

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
        """The number of its request, which has one message."""
        return self.request


@frozen
class EventEntry:
    """One message of a `POST /`: `processed`, or dropped for a `reason` although the answer was 200."""

    request: int
    at: str
    user: dict[str, str]
    message: dict[str, Any]
    processed: bool
    reason: str | None
    fault: str | None

    @property
    def number(self) -> int:
        """The number of its request, which may have several events."""
        return self.request


@frozen
class RequestEntry:
    """A request to Metrix's own paths and its answer; `status` is None if there was no answer."""

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
    """Keeps the newest entries, oldest first."""

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
            count: the maximum number of entries.
            matches: returns whether an entry matches.
            before: only entries with a smaller number; 0 for all.
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
        """Keep `entry`, whose body had `size` bytes, and delete the oldest entries beyond the limits."""
        self._kept.append((entry, size))
        self._bytes += size
        while len(self._kept) > MAX_ENTRIES or (self._bytes > MAX_BYTES and len(self._kept) > 1):
            self._bytes -= self._kept.popleft()[1]
            self.forgotten += 1


class Seen:
    """Remembers the last keys, to find duplicates."""

    def __init__(self) -> None:
        self._keys: OrderedDict[object, None] = OrderedDict()

    def meet(self, key: object) -> bool:
        """Remember `key` and return whether it is new."""
        if key in self._keys:
            return False
        self._keys[key] = None
        if len(self._keys) > MAX_ENTRIES:
            self._keys.popitem(last=False)
        return True
