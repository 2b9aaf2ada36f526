"""The state of the sandbox. The server's thread writes it, and any thread reads it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from attrs import AttrsInstance, asdict, define

from ..pages.words import phrase
from ..process import wall_clock
from .bodies import CHANNELS
from .faults import MAX_TIMES, Fault
from .memory import EventEntry, Log, MessageEntry, RequestEntry, Seen
from .push import Push


@define
class _Waiting:
    fault: Fault
    times: int


class State:
    """Messages, events, requests, faults, and which channels were tested."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._version = 0
        self.clear()

    def clear(self) -> None:
        """Delete everything."""
        with self._lock:
            self._version += 1
            self._messages: Log[MessageEntry] = Log()
            self._events: Log[EventEntry] = Log()
            self._requests: Log[RequestEntry] = Log()
            self._seen = Seen()
            self._faults: deque[_Waiting] = deque()
            self._tested: set[str] = set()
            self._number = 0

    # -- actions of the dashboard's user

    def test_channel(self, channel: str) -> None:
        """Mark `channel`, one of `CHANNELS`, as tested: it delivers from now on."""
        with self._lock:
            self._version += 1
            self._tested.add(channel)

    def channels(self) -> list[dict[str, Any]]:
        """Return Metrix's channels, and whether each was tested."""
        with self._lock:
            return [{"channel": channel, "tested": channel in self._tested} for channel in CHANNELS]

    def inject(self, fault: Fault, times: int) -> None:
        """Simulate `fault` for the next requests, after the faults that are already waiting.

        Raises:
            ValueError: `times` is out of bounds.
        """
        if not 1 <= times <= MAX_TIMES:
            raise ValueError(f"times must be a whole number between 1 and {MAX_TIMES}.")
        with self._lock:
            self._version += 1
            self._faults.append(_Waiting(fault, times))

    # -- requests

    def next_fault(self) -> Fault | None:
        """Return the fault for the next request, and remove it; None if there is none."""
        with self._lock:
            if not self._faults:
                return None
            first = self._faults[0]
            first.times -= 1
            if not first.times:
                self._faults.popleft()
            return first.fault

    def next_number(self) -> int:
        """Return the number of a new request."""
        with self._lock:
            self._number += 1
            return self._number

    def add_request(self, entry: RequestEntry) -> None:
        """Keep a request and its answer."""
        with self._lock:
            self._version += 1
            self._requests.add(entry, len(entry.body))

    def add_push(self, push: Push, request: int, fault: str | None, size: int) -> None:
        """Keep a message. Like Metrix, accept it on an untested channel too, but do not deliver it."""
        with self._lock:
            delivered = push.channel in self._tested
            reason = None if delivered else phrase("channel not tested")
            entry = MessageEntry(
                request, utc_now(), push.channel, push.recipients, push.message, delivered, reason, fault
            )
            self._messages.add(entry, size)

    def add_event(
        self, user: tuple[str, str], message: dict[str, Any], drop: str | None, request: int, fault: str | None
    ) -> None:
        """Keep one message of a batch. `drop` says why it is dropped; this method finds duplicates."""
        with self._lock:
            drop = drop or self._why_duplicate(user, message)
            entry = EventEntry(request, utc_now(), dict([user]), message, drop is None, drop, fault)
            self._events.add(entry, len(str(message)))

    def _why_duplicate(self, user: tuple[str, str], message: dict[str, Any]) -> str | None:
        new_id = self._seen.meet((user, message["id"].lower()))
        # A profile is not an event: Metrix does not document that two at the same time are duplicates.
        new_time = message["type"] == "user" or self._seen.meet((user, message["time"]))
        if not new_time:
            return phrase("duplicate: the user already has an event at this time")
        return None if new_id else phrase("duplicate: the user already has a message with this id")

    # -- for tests and the inbox

    def messages(self, channel: str | None = None, recipient: str | None = None) -> list[dict[str, Any]]:
        """Return the accepted messages, oldest first."""
        with self._lock:
            entries = list(self._messages)
        return _as_dicts(
            entry
            for entry in entries
            if channel in (None, entry.channel) and (recipient is None or recipient in entry.recipients)
        )

    def events(self) -> list[dict[str, Any]]:
        """Return the messages of `POST /`, oldest first, including the dropped ones."""
        with self._lock:
            return _as_dicts(self._events)

    def requests(self) -> list[dict[str, Any]]:
        """Return all requests to Metrix's own paths, oldest first."""
        with self._lock:
            return _as_dicts(self._requests)

    # -- for the inbox

    @property
    def version(self) -> str:
        """A version that changes whenever the inbox has something new to show."""
        return str(self._version)

    def waiting_faults(self) -> list[tuple[str, int]]:
        """Return the waiting faults, and how many times each will be simulated."""
        with self._lock:
            return [(waiting.fault.text, waiting.times) for waiting in self._faults]

    def kept(self) -> dict[str, int]:
        """Return how many messages, events and requests are kept."""
        with self._lock:
            return {"messages": len(self._messages), "events": len(self._events), "requests": len(self._requests)}

    def forgotten(self) -> int:
        """Return how many messages, events and requests were deleted because there were too many."""
        with self._lock:
            return self._messages.forgotten + self._events.forgotten + self._requests.forgotten

    def newest_messages(self, count: int, matches: Callable[[MessageEntry], bool], before: int) -> list[MessageEntry]:
        """Return messages, newest first; see `Log.newest`."""
        with self._lock:
            return self._messages.newest(count, matches, before)

    def newest_events(self, count: int, matches: Callable[[EventEntry], bool], before: int) -> list[EventEntry]:
        """Return users and events, newest first; see `Log.newest`."""
        with self._lock:
            return self._events.newest(count, matches, before)

    def newest_requests(self, count: int, matches: Callable[[RequestEntry], bool], before: int) -> list[RequestEntry]:
        """Return requests, newest first; see `Log.newest`."""
        with self._lock:
            return self._requests.newest(count, matches, before)

    def message(self, number: int) -> MessageEntry | None:
        """Return the message of a request, if it is still kept."""
        with self._lock:
            return self._messages.find(number)

    def request(self, number: int) -> RequestEntry | None:
        """Return a request, if it is still kept."""
        with self._lock:
            return self._requests.find(number)


def _as_dicts(entries: Iterable[AttrsInstance]) -> list[dict[str, Any]]:
    return [asdict(entry, recurse=False) for entry in entries]


def utc_now() -> str:
    """Return the time in UTC, ISO 8601, to the millisecond."""
    return wall_clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
