"""What a verification is worth."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from metrix_channels.config import Channel, Verification, require_verified, require_verified_at, standing
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
    assert caught.value.remedy == standing(channel(verified), "app", NOW).remedy
    assert ("channels verify sms --by" in caught.value.remedy) is (code != "verification_in_future")


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
    assert "today is 2026-11-20 in UTC" in judged.message


def test_cautions() -> None:
    """What cannot detect that the application changed passes with a caution."""
    assert "cannot detect" in standing(channel(True), "app", NOW).cautions[0]
    assert "app_id" in standing(channel(Verification(at=TODAY)), "app", NOW).cautions[0]
    assert standing(channel(Verification(at=TODAY, app_id="app")), "app", NOW).cautions == ()


def test_age() -> None:
    """A record's age counts from the beginning of its day; a declaration has none."""
    assert standing(channel(Verification(at=TODAY - DAY)), "app", NOW).age == timedelta(days=1, hours=22)
    assert standing(channel(True), "app", NOW).age is None


# -- its end


def expiring(left: timedelta) -> Channel:
    """Make a channel whose verification ends some time after `NOW`."""
    midnight = datetime(2026, 11, 20, tzinfo=UTC)
    return channel(Verification(at=TODAY, app_id="app", expires=NOW + left - midnight))


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (14 * DAY, "in 14 days"),
        (2 * DAY - timedelta(seconds=1), "in 1 day;"),
        (timedelta(hours=5), "in 5 hours"),
        (timedelta(minutes=59), "in less than an hour"),
    ],
)
def test_an_end_is_announced_14_days_before(left: timedelta, words: str) -> None:
    """With the time and what to run, in the channel's own name; the channel may be sent through meanwhile."""
    found = standing(expiring(left), "app", NOW)
    assert found.code is None
    assert found.ends == NOW + left
    assert found.announcement is not None
    assert found.remedy is not None
    assert words in found.announcement
    assert f"{NOW + left:%Y-%m-%d %H:%M} UTC" in found.announcement
    assert "metrix-channels channels verify sms --by YOU --expires" in found.remedy


@pytest.mark.parametrize(
    "verified", [True, Verification(at=TODAY), Verification(at=TODAY, expires=15 * DAY + timedelta(hours=22))]
)
def test_an_end_that_is_far_or_never_comes_is_not_announced(verified: bool | Verification) -> None:
    """Nobody reads a warning that is always there."""
    assert standing(channel(verified), "app", NOW).announcement is None


def test_an_expired_verification_says_until_when_it_counted() -> None:
    """A run that halts in the middle of the night tells when it began to refuse."""
    found = standing(channel(Verification(at=TODAY - 90 * DAY, expires=90 * DAY)), "app", NOW)
    assert "expired at 2026-11-20 00:00 UTC" in found.message


def test_an_end_is_logged_once_a_day(caplog: pytest.LogCaptureFixture) -> None:
    """By whatever sends: a warning with the channel's name, and the next one a day later."""
    ends_soon = expiring(3 * DAY + timedelta(minutes=7))
    for at in (NOW, NOW + timedelta(hours=1), NOW + DAY, NOW + DAY + timedelta(hours=1)):
        require_verified(ends_soon, "app", at)
    lines = [record for record in caplog.records if record.levelname == "WARNING"]
    assert ["in 3 days" in lines[0].getMessage(), "in 2 days" in lines[1].getMessage(), len(lines)] == [True, True, 2]
    assert vars(lines[0])["channel"] == "sms"


def test_what_begins_after_the_end_is_refused_now() -> None:
    """Whoever plans it learns of it while there is time to test the channel again."""
    ends_soon = expiring(3 * DAY)
    require_verified_at(ends_soon, "app", NOW + 3 * DAY - timedelta(seconds=1))
    with pytest.raises(ChannelUnverified) as caught:
        require_verified_at(ends_soon, "app", NOW + 3 * DAY)
    assert (caught.value.code, caught.value.exit_status) == ("verification_expired", 3)
    assert "2026-11-23 22:00 UTC, but the campaign starts at 2026-11-23 22:00 UTC" in caught.value.message
