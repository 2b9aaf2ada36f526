"""Ids that are unique and in the order of time."""

from __future__ import annotations

import subprocess
import sys
import uuid

from metrix_channels.process import wall_clock
from metrix_channels.process.unique_ids import new_id


class _Clock:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def seconds(self) -> float:
        return self._seconds

    def step_towards(self, moment: object) -> float:
        return 0.0


def test_an_id_is_a_uuid_of_version_7() -> None:
    """Any library reads it, and its first 48 bits are the time (RFC 9562, section 5.7)."""
    try:
        wall_clock.use(_Clock(1_645_557_742.0))
        found = uuid.UUID(new_id())
    finally:
        wall_clock.use(None)
    assert (found.version, found.variant) == (7, uuid.RFC_4122)
    assert found.hex[:12] == "017f22e279b0"


def test_later_ids_sort_behind_earlier_ones() -> None:
    """So that their rows lie beside each other."""
    try:
        found = []
        for second in range(1, 50):
            wall_clock.use(_Clock(second * 1000.0))
            found.append(new_id())
    finally:
        wall_clock.use(None)
    assert found == sorted(found)


def test_ids_of_one_moment_differ() -> None:
    """Many sends begin within a millisecond."""
    assert len({new_id() for _ in range(20_000)}) == 20_000


FORKS = """
import os
from metrix_channels.process.unique_ids import new_id
new_id()
if (child := os.fork()) == 0:
    print(new_id(), flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(new_id())
"""


def test_a_forked_child_draws_other_ids() -> None:
    """Parent and child would draw the same ones if both went on with the same numbers."""
    ended = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, timeout=60, check=True)
    theirs, mine = ended.stdout.split()
    assert len(theirs) == len(mine) == 32
    assert theirs[17:] != mine[17:]
