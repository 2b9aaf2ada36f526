"""Decides whether messages may be sent through a channel, from the configuration and the clock alone.

Until a test message from the dashboard has arrived through a channel, Metrix accepts messages for it and nobody
receives them (Metrix documentation, API Troubleshooting, section 3). Days are strictly UTC: a test dated tomorrow is
not valid until tomorrow begins in UTC, and an expiry starts at 00:00 UTC of the test's day. So a verification can
start a few hours late or end a few hours early, but never start early or end late.

When a verification ends, all messages of its channel stop. So preflight, doctor, `channels list` and the dashboard
announce the end `ANNOUNCED` in advance. Processes that send messages also log it once a day.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from shlex import quote
from typing import Final

from attrs import frozen

from ..errors import ChannelUnverified
from ..errors.catalogue import CATALOGUE
from ..logs import say
from .kinds import write_span
from .models import Channel, Verification

ANNOUNCED: Final = timedelta(days=14)
"""How long in advance the end of a verification is announced."""
_DAY: Final = timedelta(days=1)
_logged: Final[dict[tuple[str, datetime], datetime]] = {}
"""When the end of each verification was last logged, by channel and end."""


@frozen
class Standing:
    """Whether a channel is verified now, and why not.

    Attributes:
        code: why nothing may be sent, as an error code; None if the channel is verified.
        message: the state of the verification in words.
        age: the time since 00:00 UTC of the test's day; None if the day is unknown.
        cautions: what the verification cannot detect.
        ends: when it ends, in UTC; None if it does not end.
        announcement: a sentence that it ends soon; None if it does not.
        remedy: what to do, with the channel's own name.
    """

    code: str | None
    message: str
    remedy: str
    age: timedelta | None = None
    cautions: tuple[str, ...] = ()
    ends: datetime | None = None
    announcement: str | None = None


def standing(channel: Channel, app_id: str, now: datetime) -> Standing:
    """Check a channel's verification.

    Args:
        channel: the channel.
        app_id: the configured application.
        now: the current time, with a time zone.
    """
    verified = channel.verified
    if isinstance(verified, Verification):
        return _check_record(channel.name, verified, app_id, now)
    if verified:
        return _accept_declaration(channel.name)
    message = f"channel {channel.name!r} has no recorded dashboard test"
    return _make_failure("channel_unverified", message, channel.name)


def _make_failure(
    code: str, message: str, name: str, age: timedelta | None = None, ends: datetime | None = None
) -> Standing:
    return Standing(code, message, _write_remedy(code, name), age, ends=ends)


@lru_cache
def _accept_declaration(name: str) -> Standing:
    caution = f"channel {name!r} has only `verified: true`, which cannot detect a change of the application"
    message = f"channel {name!r} is declared verified"
    return Standing(None, message, _write_remedy("verification_expired", name), cautions=(caution,))


@lru_cache
def _write_remedy(code: str, name: str) -> str:
    return CATALOGUE[code].remedy.replace("verify NAME", f"verify {quote(name)}")


def require_verified(channel: Channel, app_id: str, now: datetime) -> None:
    """Refuse a channel that is not verified; log once a day if its verification ends soon.

    Raises:
        ChannelUnverified: `channel_unverified`, `verification_expired`, `verification_foreign`,
            `verification_in_future`.
    """
    judged = standing(channel, app_id, now)
    if judged.code is not None:
        raise ChannelUnverified(
            judged.message, code=judged.code, remedy=judged.remedy, location=channel.location or None
        )
    if judged.ends is not None and judged.announcement is not None:
        last = _logged.get((channel.name, judged.ends))
        if last is None or abs(now - last) >= _DAY:
            _logged[channel.name, judged.ends] = now
            say(logging.WARNING, f"{judged.announcement}. {judged.remedy}", channel=channel.name)


def require_verified_at(channel: Channel, app_id: str, begins: datetime) -> None:
    """Refuse a campaign that starts after the channel's verification ends.

    Args:
        channel: a channel that is verified now.
        app_id: the configured application.
        begins: the start of the campaign, with a time zone.

    Raises:
        ChannelUnverified: `verification_expired`.
    """
    judged = standing(channel, app_id, begins)
    if judged.code == "verification_expired" and judged.ends is not None:
        message = (
            f"the verification of channel {channel.name!r} ends at {_moment(judged.ends)}, but the campaign starts at"
            f" {_moment(begins)}"
        )
        raise ChannelUnverified(message, code=judged.code, remedy=judged.remedy, location=channel.location or None)


def _check_record(name: str, record: Verification, app_id: str, now: datetime) -> Standing:
    now = now.astimezone(UTC)
    age = now - datetime.combine(record.at, time(), UTC)
    if age < timedelta(0):
        message = f"the test of channel {name!r} is dated {record.at}, but today is {now.date()} in UTC"
        return _make_failure("verification_in_future", message, name, age)
    ends = None if record.expires is None else now - age + record.expires
    if ends is not None and now >= ends:
        message = f"the verification of channel {name!r}, tested on {record.at}, expired at {_moment(ends)}"
        return _make_failure("verification_expired", message, name, age, ends)
    if record.app_id is not None and record.app_id != app_id:
        message = f"channel {name!r} was tested in application {record.app_id!r}; the configured one is {app_id!r}"
        return _make_failure("verification_foreign", message, name, age, ends)
    by = f" by {record.by!r}" if record.by else ""
    cautions = (
        ()
        if record.app_id
        else (f"the verification of channel {name!r} has no app_id, so it cannot detect a change of the application",)
    )
    message = f"channel {name!r} was tested on {record.at}{by}"
    if ends is None or record.expires is None or ends - now > ANNOUNCED:
        return Standing(None, message, _write_remedy("verification_expired", name), age, cautions, ends)
    announcement = (
        f"the verification of channel {name!r} ends at {_moment(ends)}, {_remaining(ends - now)}; after that, nothing"
        " is sent through it"
    )
    remedy = (
        f"Send a test message through channel {name!r} from Metrix's dashboard. When it has arrived, run"
        f" `metrix-channels channels verify {quote(name)} --by YOU --expires {write_span(record.expires)}`."
    )
    return Standing(None, message, remedy, age, cautions, ends, announcement)


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _remaining(left: timedelta) -> str:
    number, unit = (left.days, "day") if left >= _DAY else (left // timedelta(hours=1), "hour")
    if not number:
        return "in less than an hour"
    return f"in {number} {unit}{'' if number == 1 else 's'}"
