"""Memory stays within its bounds."""

import pytest

from metrix_channels.sandbox import memory
from metrix_channels.sandbox.memory import EventEntry, Log, Seen


def _entry(number: int) -> EventEntry:
    return EventEntry(number, "", {}, {}, True, None, None)


def _numbers(log: Log[EventEntry]) -> list[int]:
    return [entry.request for entry in log]


def test_number_of_entries_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are forgotten first, and counted."""
    monkeypatch.setattr(memory, "MAX_ENTRIES", 3)
    log: Log[EventEntry] = Log()
    for number in range(5):
        log.add(_entry(number), 1)
    assert (_numbers(log), len(log), log.forgotten) == ([2, 3, 4], 3, 2)


def test_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few large entries are bounded as many small ones are; the newest always stays."""
    monkeypatch.setattr(memory, "MAX_BYTES", 100)
    log: Log[EventEntry] = Log()
    for number, size in enumerate([50, 50, 1, 500]):
        log.add(_entry(number), size)
    assert _numbers(log) == [3]
    for number in (4, 5):
        log.add(_entry(number), 10)
    assert _numbers(log) == [4, 5]


def test_newest_come_first() -> None:
    """As many as asked for."""
    log: Log[EventEntry] = Log()
    for number in range(4):
        log.add(_entry(number), 1)
    assert [entry.request for entry in log.newest(2)] == [3, 2]


def test_what_was_seen_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key is new once, and again when it was forgotten."""
    monkeypatch.setattr(memory, "MAX_ENTRIES", 2)
    seen = Seen()
    assert [seen.meet(key) for key in "aabca"] == [True, False, True, True, True]
