"""What can be wrong with a user's profile or an event: Metrix would drop it, mostly behind a 200."""

from __future__ import annotations

from typing import Final

from .situation import TROUBLESHOOTING, Situation

_FORMAT: Final = f"{TROUBLESHOOTING}, section 2"
_EVENTS: Final = "Metrix documentation, users and events"

USERS_AND_EVENTS: Final[dict[str, Situation]] = {
    "user_invalid": Situation(
        "The user's id is not valid.",
        "Give the customUserId under which the user is known to Metrix, as text; or MetrixUser(id), when Metrix gave"
        " the id.",
        2,
        _FORMAT,
        (
            "The id is missing in the program's own data.",
            "It was read as a number, or with white space around it.",
        ),
    ),
    "event_name_invalid": Situation(
        "The event has no valid name.",
        "Give `name`, as it stands in the application's taxonomy, or `slug`, the five letters of the dashboard: one of"
        " the two, and not empty.",
        2,
        _FORMAT,
        (
            "Neither of the two is given, or both are.",
            "The name is empty.",
            "A name of your own was given as the slug.",
        ),
    ),
    "event_name_unknown": Situation(
        "The event's name is not in the taxonomy.",
        "Correct the name. Or add it to the taxonomy in Metrix's dashboard first, and then to `taxonomy` in the"
        " configuration.",
        2,
        _FORMAT,
        (
            "The name is misspelt, or in other capitals.",
            "The event is new, and the dashboard does not know it yet.",
        ),
    ),
    "event_time_invalid": Situation(
        "The event's time is not valid: Metrix expects a Long, in Unix milliseconds.",
        "Give an aware datetime, or whole milliseconds since 1970; or nothing, for now.",
        2,
        _FORMAT,
        (
            "Python's time.time() gives seconds, with a fraction.",
            "A datetime has no time zone.",
            "The clock of the machine that made it is ahead.",
        ),
    ),
    "event_time_repeated": Situation(
        "This user has an event of the same time already; Metrix would drop the second one behind a 200.",
        "Give the time to the millisecond, or none: then it is made unique. If it is the same event once more, it has"
        " been sent.",
        2,
        _FORMAT,
        (
            "The event was sent before.",
            "Times were cut to the second, so that two events share one.",
        ),
    ),
    "event_times_used_up": Situation(
        "The user has more events than a minute has milliseconds.",
        "Send the events of one user more slowly, or give each the time at which it happened.",
        4,
        _FORMAT,
        (
            "One id stands for many users, such as an empty or a test user.",
            "Old events are sent without their own times.",
        ),
    ),
    "revenue_invalid": Situation(
        "The revenue is not a number (Double).", "Give a number, such as 12.5; not text.", 2, _FORMAT
    ),
    "birthday_invalid": Situation(
        "The birthday is not a Long in the past.",
        "Give a date, such as date(1990, 5, 1) or 1990-05-01; or Unix milliseconds.",
        2,
        _FORMAT,
    ),
    "profile_invalid": Situation(
        "A field of the user's profile is not valid.",
        "Give text that is not empty, and leave out what is not known. A gender is Male, Female or Other.",
        2,
        _EVENTS,
    ),
    "attribute_invalid": Situation(
        "An attribute has a type that Metrix does not accept.",
        "Give text, a number, a date, a list or a mapping; for an event also true or false. Leave out what is not"
        " known.",
        2,
        _EVENTS,
    ),
    "record_invalid": Situation(
        "A line is not a valid user or event.",
        'Write one JSON object a line: {"user": "…"} and the arguments of identify or track.',
        2,
    ),
}
