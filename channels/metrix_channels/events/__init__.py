"""Users and events in the form that Metrix documents, checked before anything is sent."""

from __future__ import annotations

from .event import Event, EventFields, MetrixUser, ProfileFields, body_of, occurrence, profile
from .records import Reader, occurrence_reader, parsed_birthday, parsed_time, profile_of
from .values import AHEAD_MS

__all__ = [
    "AHEAD_MS",
    "Event",
    "EventFields",
    "MetrixUser",
    "ProfileFields",
    "Reader",
    "body_of",
    "occurrence",
    "occurrence_reader",
    "parsed_birthday",
    "parsed_time",
    "profile",
    "profile_of",
]
