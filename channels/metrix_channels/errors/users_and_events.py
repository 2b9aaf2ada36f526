"""What can be wrong with a user's profile or an event. Metrix would drop it, usually with status 200."""

from __future__ import annotations

from typing import Final

from .situation import TROUBLESHOOTING, Situation

_FORMAT: Final = f"{TROUBLESHOOTING}, section 2"
_EVENTS: Final = "Metrix documentation, users and events"

USERS_AND_EVENTS: Final[dict[str, Situation]] = {
    "user_invalid": Situation(
        "The user's id is not valid.",
        "Pass the user's customUserId as text, or MetrixUser(id) for an id that Metrix assigned.",
        2,
        _FORMAT,
        (
            "Your program has no id for the user.",
            "The id was read as a number, or begins or ends with white space.",
        ),
    ),
    "event_name_invalid": Situation(
        "The event has no valid name.",
        "Pass either `name`, as in the application's taxonomy, or `slug`, the five letters from the dashboard. It must"
        " not be empty or contain invisible characters.",
        2,
        _FORMAT,
        (
            "Neither name nor slug is given, or both are.",
            "The name is empty.",
            "A name was passed as the slug.",
        ),
    ),
    "event_name_unknown": Situation(
        "The event's name is not in the taxonomy.",
        "Correct the name. If the event is new, add it to the taxonomy in Metrix's dashboard, and then to `taxonomy` in"
        " channels.yaml.",
        2,
        _FORMAT,
        (
            "The name is misspelt, or its capitals differ.",
            "The event is new and not yet in the taxonomy of the dashboard.",
        ),
    ),
    "event_time_invalid": Situation(
        "The event's time is not valid: Metrix expects a Long, in Unix milliseconds.",
        "Pass a datetime with a time zone, or whole milliseconds since 1970. Omit it to use the current time.",
        2,
        _FORMAT,
        (
            "It is in seconds with a fraction, as from Python's time.time().",
            "The datetime has no time zone.",
            "The clock of the machine that recorded it is ahead.",
        ),
    ),
    "event_time_repeated": Situation(
        "This user already has an event with this time. Metrix would answer 200 and drop the second one.",
        "Pass the time to the millisecond, or omit it to get a unique one. If this is the same event, do"
        " nothing: it has already been sent.",
        2,
        _FORMAT,
        (
            "The event was sent before.",
            "Times were truncated to seconds, so two events have the same one.",
        ),
    ),
    "event_times_used_up": Situation(
        "The user already has an event at every millisecond of a minute, so no unique time is left.",
        "Send the events of one user more slowly, or pass the time at which each happened.",
        4,
        _FORMAT,
        (
            "Many users share one id, such as an empty or a test user.",
            "Old events are sent without their own times.",
        ),
    ),
    "revenue_invalid": Situation(
        "The revenue is not a number (Double).", "Pass a number such as 12.5, not text.", 2, _FORMAT
    ),
    "birthday_invalid": Situation(
        "The birthday is not a date in the past (for Metrix a Long, in Unix milliseconds).",
        "Pass a date, such as date(1990, 5, 1) or 1990-05-01, or Unix milliseconds.",
        2,
        _FORMAT,
    ),
    "profile_invalid": Situation(
        "A field of the user's profile is not valid.",
        "Pass text that is not empty and has no invisible characters. Omit fields without a value. The gender is Male,"
        " Female or Other.",
        2,
        _EVENTS,
    ),
    "attribute_invalid": Situation(
        "An attribute has an invalid name, or a type that Metrix does not accept.",
        "Write the name without invisible characters. Pass text, a number, a date, a list or a mapping; for an event"
        " also true or false. Omit attributes without a value.",
        2,
        _EVENTS,
    ),
    "record_invalid": Situation(
        "A line is not a valid user or event.",
        'Write one JSON object per line: {"user": "…"} plus the arguments of identify or track.',
        2,
    ),
}
