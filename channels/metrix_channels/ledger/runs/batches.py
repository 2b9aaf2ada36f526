"""The status of each batch of a campaign, in eight bytes: a million batches take eight megabytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import IntEnum
from struct import Struct
from typing import Final

from attrs import define, field, frozen

_LAYOUT: Final = Struct("<BBHI")  # state and flags, attempts, HTTP status, seconds since 1970
SIZE: Final = _LAYOUT.size

_STATE: Final = 0x0F
DOUBT: Final = 0x10
"""Metrix may have accepted an attempt."""
REPEATED: Final = 0x20
"""The batch was attempted again after such an attempt: its recipients may receive it twice."""
APPROVED: Final = 0x40
"""A person decided to send it again despite the doubt."""

_MOST_ATTEMPTS: Final = 255
_STATES: Final = bytes(first & _STATE for first in range(256))

StateCounts = tuple[int, ...]
"""How many batches are in each state."""


class BatchState(IntEnum):
    """The state of a batch."""

    PENDING = 0
    SENDING = 1
    """Its intent is on disk, but not its outcome."""
    ACCEPTED = 2
    REJECTED = 3
    UNKNOWN = 4
    CANCELLED = 5
    REPLACED = 6
    """Its recipients are now in other batches, or were skipped."""


PENDING: Final = BatchState.PENDING
SENDING: Final = BatchState.SENDING
UNKNOWN: Final = BatchState.UNKNOWN
"""For code that runs for each request: Python 3.11 takes four times as long to look up a member of an enumeration."""
_ARRIVED: Final = (BatchState.SENDING, BatchState.ACCEPTED, BatchState.UNKNOWN)
_EACH_STATE: Final = tuple(BatchState)


@define(eq=False)
class Batch:
    """One message to some recipients.

    Attributes:
        shard: that contains it.
        slot: its position in the shard.
        values: of the template's variables.
        recipients: customUserIds.
        state: of the batch.
        flags: DOUBT, REPEATED, APPROVED.
        attempts: number of requests for its recipients.
        status: of the last answer; 0 if there was none.
        at: of the last change, in seconds since 1970.
        tries: number of requests of this process for exactly these recipients.
    """

    shard: Shard = field(repr=False)
    slot: int
    values: dict[str, object]
    recipients: list[str]
    state: BatchState = BatchState.PENDING
    flags: int = 0
    attempts: int = 0
    status: int = 0
    at: int = 0
    tries: int = 0

    @property
    def name(self) -> str:
        """The name for reports and log lines."""
        return f"{self.shard.id}-{self.slot}"

    @property
    def may_have_arrived(self) -> bool:
        """Whether Metrix has accepted a request for its recipients, or may have."""
        return bool(self.flags & DOUBT) or self.state in _ARRIVED

    def save(self) -> None:
        """Write the status into the shard; the next commit of the shard writes it to disk."""
        _LAYOUT.pack_into(
            self.shard.statuses,
            self.slot * SIZE,
            self.state | self.flags,
            min(self.attempts, _MOST_ATTEMPTS),
            self.status,
            self.at,
        )


@define(eq=False)
class Shard:
    """Batches that are stored together: many of one recipient, or one of many.

    Attributes:
        id: in the ledger.
        canary: whether they belong to the canary.
        batches: in their slots.
        statuses: eight bytes per batch.
        written: number of batches in each state in the ledger, as long as nobody else changes them.
    """

    id: int
    canary: bool
    statuses: bytearray
    written: StateCounts
    batches: list[Batch] = field(factory=list)

    @classmethod
    def opened(
        cls,
        number: int,
        canary: bool,
        contents: list[tuple[dict[str, object], list[str]]],
        statuses: bytes,
    ) -> Shard:
        """Build a shard from its parts in the ledger."""
        shard = cls(number, canary, bytearray(statuses), count_states(statuses))
        stored = zip(contents, _LAYOUT.iter_unpack(statuses), strict=True)
        for slot, ((values, recipients), (first, attempts, status, at)) in enumerate(stored):
            state, flags = _EACH_STATE[first & _STATE], first & ~_STATE
            shard.batches.append(Batch(shard, slot, values, recipients, state, flags, attempts, status, at))
        return shard

    def taken(self) -> list[Batch]:
        """Return the batches and drop the references to them.

        Each batch refers to its shard. If the shard refers to its batches too, only the garbage collector frees them,
        and it runs rarely if most of the memory is text.
        """
        batches, self.batches = self.batches, []
        return batches

    @property
    def is_open(self) -> bool:
        """Whether a batch has no outcome yet."""
        return any(first & _STATE < BatchState.ACCEPTED for first in set(self.statuses[::SIZE]))


@frozen
class ShardStatus:
    """A snapshot of the statuses of a shard, to be written to the ledger.

    Attributes:
        shard: its id.
        is_open: whether a batch has no outcome yet.
        statuses: eight bytes per batch.
        before: number of batches in each state in the ledger before the write.
        after: the same after the write.
    """

    shard: int
    is_open: bool
    statuses: bytes
    before: StateCounts
    after: StateCounts

    @classmethod
    def of(cls, shard: Shard) -> ShardStatus:
        """Copy the current statuses, because the dispatch continues during the commit."""
        return cls(shard.id, shard.is_open, bytes(shard.statuses), shard.written, count_states(shard.statuses))


def count_states(statuses: bytes | bytearray) -> StateCounts:
    """Count the batches in each state."""
    return tuple(map(states_of(statuses).count, _EACH_STATE))


def states_of(statuses: bytes | bytearray) -> bytes:
    """Return the state of each batch, one byte each."""
    return bytes(statuses[::SIZE].translate(_STATES))


def new_statuses(count: int, *, flags: int = 0, attempts: int = 0, at: int = 0) -> bytes:
    """Return the statuses of batches that wait to be sent."""
    return _LAYOUT.pack(BatchState.PENDING | flags, min(attempts, _MOST_ATTEMPTS), 0, at) * count


def has_sending(statuses: bytes | bytearray) -> bool:
    """Tell whether a batch has an intent but no outcome."""
    return any(first & _STATE == BatchState.SENDING for first in set(statuses[::SIZE]))


def last_change(statuses: bytes) -> int:
    """Return the time of the last change of a batch, in seconds since 1970; 0 if there was none."""
    return max((at for _, _, _, at in _LAYOUT.iter_unpack(statuses)), default=0)


def settled_at(statuses: bytes) -> Iterator[tuple[BatchState, int]]:
    """Yield the state and time (seconds since 1970) of each batch that has an outcome."""
    for first, _, _, at in _LAYOUT.iter_unpack(statuses):
        state = BatchState(first & _STATE)
        if BatchState.ACCEPTED <= state <= BatchState.UNKNOWN:
            yield state, at


def settled(statuses: bytes) -> Counter[BatchState]:
    """Count the batches that have an outcome; much faster than `settled_at`."""
    counts: Counter[BatchState] = Counter()
    for first, count in Counter(statuses[::SIZE]).items():
        state = BatchState(first & _STATE)
        if BatchState.ACCEPTED <= state <= BatchState.UNKNOWN:
            counts[state] += count
    return counts
