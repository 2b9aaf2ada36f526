"""What a verification is worth."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from metrix_channels.config import Channel, Verification, require_verified, standing
from metrix_channels.errors import ChannelUnverified
from metrix_channels.models import ChannelType

NOW = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
TODAY = date(2026, 11, 20)
DAY = timedelta(days=1)


def channel(verified: bool | Verification) -> Channel:
    """Make a channel with a verification."""
    return Channel(name="sms", type=ChannelType.SMS, verified=verified, location="channels.yaml:14:5")


@pytest.mark.parametrize(
    ("verified", "code"),
    [
        (False, "channel_unverified"),
        (Verification(at=TODAY + DAY), "verification_in_future"),
        (Verification(at=TODAY + DAY, expires=90 * DAY, app_id="app"), "verification_in_future"),
        (Verification(at=TODAY - 90 * DAY, expires=90 * DAY), "verification_expired"),
        (Verification(at=TODAY, expires=timedelta(hours=22)), "verification_expired"),
        (Verification(at=TODAY, app_id="other"), "verification_foreign"),
        (Verification(at=TODAY, app_id="APP"), "verification_foreign"),
    ],
)
def test_what_does_not_count(verified: bool | Verification, code: str) -> None:
    """Untested, dated tomorrow, expired, or of another application: refused where `verified` stands."""
    assert standing(channel(verified), "app", NOW).code == code
    with pytest.raises(ChannelUnverified) as caught:
        require_verified(channel(verified), "app", NOW)
    assert (caught.value.code, caught.value.location) == (code, "channels.yaml:14:5")
    assert caught.value.exit_status == 3
    assert "'sms'" in caught.value.message


@pytest.mark.parametrize(
    "verified",
    [
        True,
        Verification(at=TODAY),
        Verification(at=TODAY, app_id="app", expires=DAY),
        Verification(at=TODAY - 89 * DAY, app_id="app", expires=90 * DAY),
        Verification(at=date(1, 1, 1), app_id="app"),
    ],
)
def test_what_counts(verified: bool | Verification) -> None:
    """Declared, or tested in this application within its time."""
    require_verified(channel(verified), "app", NOW)


def test_channels_are_unverified_unless_they_say_otherwise() -> None:
    """Nothing said is nothing tested."""
    assert standing(Channel(name="a", type=ChannelType.SMS), "app", NOW).code == "channel_unverified"


def test_days_count_in_utc() -> None:
    """Past midnight in Tehran it is still yesterday in UTC, and the message says so."""
    tehran = timezone(timedelta(hours=3, minutes=30))
    half_past_one = NOW.astimezone(tehran)
    assert half_past_one.date() == TODAY + DAY
    judged = standing(channel(Verification(at=TODAY + DAY)), "app", half_past_one)
    assert judged.code == "verification_in_future"
    assert "in UTC it is only 2026-11-20" in judged.message


def test_cautions() -> None:
    """What cannot notice that the application changed passes with a caution."""
    assert "cannot notice" in standing(channel(True), "app", NOW).cautions[0]
    assert "app_id" in standing(channel(Verification(at=TODAY)), "app", NOW).cautions[0]
    assert standing(channel(Verification(at=TODAY, app_id="app")), "app", NOW).cautions == ()


def test_age() -> None:
    """A record's age counts from the beginning of its day; a declaration has none."""
    assert standing(channel(Verification(at=TODAY - DAY)), "app", NOW).age == timedelta(days=1, hours=22)
    assert standing(channel(True), "app", NOW).age is None
