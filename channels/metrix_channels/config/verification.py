"""Whether a channel may be sent through: judged from the configuration and the clock alone.

Until a test message from the dashboard arrived through a channel, Metrix accepts messages for it and nobody receives
them (Metrix documentation, API Troubleshooting, section 3). Days count in UTC, strictly: a test that is dated
tomorrow does not count until tomorrow begins in UTC, and an expiry counts from 00:00 UTC of the test's day. So a
verification can count a few hours too late or too short, never too early or too long.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from attrs import frozen

from ..errors import ChannelUnverified
from .kinds import write_span
from .models import Channel, Verification


@frozen
class Standing:
    """What a channel's verification is worth now.

    Attributes:
        code: why nothing may be sent; None when the channel is verified.
        message: the same in words.
        age: since 00:00 UTC of the test's day, where it is known.
        cautions: what the verification cannot notice.
    """

    code: str | None
    message: str
    age: timedelta | None = None
    cautions: tuple[str, ...] = ()


def standing(channel: Channel, app_id: str, now: datetime) -> Standing:
    """Judge a channel's verification.

    Args:
        channel: the channel.
        app_id: the configured application.
        now: an aware time.
    """
    verified = channel.verified
    if isinstance(verified, Verification):
        return _of_record(channel.name, verified, app_id, now)
    if verified:
        caution = (
            f"`verified: true` of channel {channel.name!r} cannot notice that the application changed; record the"
            " test with its app_id"
        )
        return Standing(None, f"channel {channel.name!r} is declared verified", cautions=(caution,))
    message = f"nobody is known to have tested channel {channel.name!r} from Metrix's dashboard"
    return Standing("channel_unverified", message)


def require_verified(channel: Channel, app_id: str, now: datetime) -> None:
    """Refuse a channel that is not verified.

    Raises:
        ChannelUnverified: `channel_unverified`, `verification_expired`, `verification_foreign`,
            `verification_in_future`.
    """
    judged = standing(channel, app_id, now)
    if judged.code is not None:
        raise ChannelUnverified(judged.message, code=judged.code, location=channel.location or None)


def _of_record(name: str, record: Verification, app_id: str, now: datetime) -> Standing:
    now = now.astimezone(UTC)
    age = now - datetime.combine(record.at, time(), UTC)
    if age < timedelta(0):
        message = f"channel {name!r} is recorded as tested on {record.at}; in UTC it is only {now.date()}"
        return Standing("verification_in_future", message, age)
    if record.expires is not None and age >= record.expires:
        message = (
            f"the test of channel {name!r} on {record.at} counted for {write_span(record.expires)} and has expired"
        )
        return Standing("verification_expired", message, age)
    if record.app_id is not None and record.app_id != app_id:
        message = f"channel {name!r} was tested in application {record.app_id!r}; the configured one is {app_id!r}"
        return Standing("verification_foreign", message, age)
    by = f" by {record.by!r}" if record.by else ""
    cautions = (
        ()
        if record.app_id
        else (
            f"the verification of channel {name!r} names no app_id, so it cannot notice that the application changed",
        )
    )
    return Standing(None, f"channel {name!r} was tested on {record.at}{by}", age, cautions)
