"""What is known of each batch of a campaign, in eight bytes: a million batches fit into eight megabytes."""

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
"""An attempt may have been taken."""
REPEATED: Final = 0x20
"""It was attempted once more after such an attempt: its recipients may have it twice."""
APPROVED: Final = 0x40
"""Somebody decided to send it again in spite of the doubt."""

_MOST_ATTEMPTS: Final = 255
_STATES: Final = bytes(first & _STATE for first in range(256))

StateCounts = tuple[int, ...]
"""How many batches are in each state."""


class BatchState(IntEnum):
    """Where a batch stands."""

    PENDING = 0
    SENDING = 1
    """Its intent is on disk, its outcome is not."""
    ACCEPTED = 2
    REJECTED = 3
    UNKNOWN = 4
    CANCELLED = 5
    REPLACED = 6
    """Its recipients are in other batches or were skipped after all."""


@define(eq=False)
class Batch:
    """One message to some recipients.

    Attributes:
        shard: where it is kept.
        slot: its place there.
        values: what the template's variables stand for.
        recipients: customUserIds.
        state: where it stands.
        flags: DOUBT, REPEATED, APPROVED.
        attempts: requests that named its recipients.
        status: of the last answer; 0 when there was none.
        at: of the last change, in seconds since 1970.
        tries: requests of this process that named exactly these recipients.
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
        """What reports and log lines call it."""
        return f"{self.shard.id}-{self.slot}"

    def save(self) -> None:
        """Write the status into the shard; it is on disk with the shard's next commit."""
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
    """Batches that are kept together: many of one recipient, or one of many.

    Attributes:
        id: in the ledger.
        canary: they go first, alone.
        batches: in their slots.
        statuses: eight bytes a batch.
        written: how its batches stand in the ledger, as long as nobody else changes them.
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
        """Put together what the ledger keeps apart."""
        shard = cls(number, canary, bytearray(statuses), count_states(statuses))
        for slot, (values, recipients) in enumerate(contents):
            first, attempts, status, at = _LAYOUT.unpack_from(statuses, slot * SIZE)
            state, flags = BatchState(first & _STATE), first & ~_STATE
            shard.batches.append(Batch(shard, slot, values, recipients, state, flags, attempts, status, at))
        return shard

    def taken(self) -> list[Batch]:
        """Return the batches and let go of them.

        Each knows its shard: as long as it knows them too, only a garbage collection frees them, and those are rare
        where most of the memory is text.
        """
        batches, self.batches = self.batches, []
        return batches

    @property
    def is_open(self) -> bool:
        """Some batch has no outcome yet."""
        return any(first & _STATE < BatchState.ACCEPTED for first in set(self.statuses[::SIZE]))


@frozen
class ShardStatus:
    """The statuses of a shard at one moment, to be written down.

    Attributes:
        shard: its id.
        is_open: some batch has no outcome yet.
        statuses: eight bytes a batch.
        before: how its batches stand in the ledger until then.
        after: how they stand then.
    """

    shard: int
    is_open: bool
    statuses: bytes
    before: StateCounts
    after: StateCounts

    @classmethod
    def of(cls, shard: Shard) -> ShardStatus:
        """Take the statuses as they are now: a dispatch goes on while the disk is waited for."""
        return cls(shard.id, shard.is_open, bytes(shard.statuses), shard.written, count_states(shard.statuses))


def count_states(statuses: bytes | bytearray) -> StateCounts:
    """Count the batches in each state."""
    states = states_of(statuses)
    return tuple(states.count(state) for state in BatchState)


def states_of(statuses: bytes | bytearray) -> bytes:
    """Return the state of each batch, a byte each."""
    return bytes(statuses[::SIZE].translate(_STATES))


def new_statuses(count: int, *, flags: int = 0, attempts: int = 0) -> bytes:
    """Return the statuses of batches that wait to be sent."""
    return _LAYOUT.pack(BatchState.PENDING | flags, min(attempts, _MOST_ATTEMPTS), 0, 0) * count


def has_sending(statuses: bytes | bytearray) -> bool:
    """Tell whether a batch has an intent and no outcome."""
    return any(first & _STATE == BatchState.SENDING for first in set(statuses[::SIZE]))


def last_change(statuses: bytes) -> int:
    """Return when a batch changed last, in seconds since 1970; 0 when none did."""
    return max((at for _, _, _, at in _LAYOUT.iter_unpack(statuses)), default=0)


def settled_at(statuses: bytes) -> Iterator[tuple[BatchState, int]]:
    """Give the state of each batch that has an outcome, and when it came, in seconds since 1970."""
    for first, _, _, at in _LAYOUT.iter_unpack(statuses):
        state = BatchState(first & _STATE)
        if BatchState.ACCEPTED <= state <= BatchState.UNKNOWN:
            yield state, at


def settled(statuses: bytes) -> Counter[BatchState]:
    """Count the batches that have an outcome; much faster than to look at each."""
    counts: Counter[BatchState] = Counter()
    for first, count in Counter(statuses[::SIZE]).items():
        state = BatchState(first & _STATE)
        if BatchState.ACCEPTED <= state <= BatchState.UNKNOWN:
            counts[state] += count
    return counts
