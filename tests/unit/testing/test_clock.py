"""The clock of a test, and what of the library follows it."""

import sqlite3
import time
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from metrix_channels import CampaignError, ChannelUnverified, Notifier, UsageError

START = datetime(2026, 3, 20, 6, 30, tzinfo=UTC)
SALE = """
version: 1
name: sale
channel: sms
template: hello
audience: {file: people.csv, id: customUserId}
"""


@pytest.fixture
def config(metrix_sandbox, metrix_config, metrix_clock, tmp_path):
    """A configuration, and a campaign beside it, on the morning of Nowruz."""
    metrix_sandbox.test_channel("SMS")
    metrix_clock.set(START)
    (tmp_path / "templates" / "hello").mkdir(parents=True)
    (tmp_path / "templates" / "hello" / "sms.txt.j2").write_text("{{ now|jalali }}")
    (tmp_path / "people.csv").write_text("customUserId\nu1\n")
    return metrix_config(templates=str(tmp_path / "templates"))


def run(notifier, folder, more="", name="sale"):
    """Run a campaign of one recipient."""
    (folder / "sale.yaml").write_text(SALE.replace("name: sale", f"name: {name}") + more)
    return notifier.run_campaign(folder / "sale.yaml")


def test_it_stands_still_and_is_set(metrix_clock):
    """To a time with a zone, forwards or back."""
    before = metrix_clock.now
    time.sleep(0.01)
    assert metrix_clock.now == before
    metrix_clock.set(datetime(2026, 3, 20, 10, 0, tzinfo=timezone(timedelta(hours=3, minutes=30))))
    assert metrix_clock.now == START
    metrix_clock.advance(timedelta(days=1))
    assert metrix_clock.now == START + timedelta(days=1)


@pytest.mark.parametrize("wrong", [START.replace(tzinfo=None), date(2026, 3, 20), "2026-03-20T10:00Z", 1.8e9, None])
def test_a_time_without_a_zone_is_refused(metrix_clock, wrong):
    """It could be any of two dozen."""
    with pytest.raises(UsageError, match="time zone"):
        metrix_clock.set(wrong)


def test_a_test_without_it_has_the_machines_time(metrix_sandbox, metrix_config):
    """The tests above have put it back."""
    metrix_sandbox.test_channel("SMS")
    with Notifier.from_config(metrix_config()) as notifier:
        notifier.send("sms", "u1", text="now")
    assert abs(metrix_sandbox.sms.last.at.timestamp() - time.time()) < 60


def test_templates_receipts_and_the_sandbox_follow(config, metrix_sandbox, metrix_clock):
    """And the history that is asked for by hours."""
    with Notifier.from_config(config) as notifier:
        receipt = notifier.send("sms", "u1", "hello", {})
        assert receipt.at == metrix_sandbox.sms.last.at == START
        metrix_sandbox.sms.contains("1404/12/29", fold_digits=True)
        assert len(list(notifier.messages(since=timedelta(hours=1)))) == 1
        metrix_clock.advance(timedelta(hours=2))
        assert list(notifier.messages(since=timedelta(hours=1))) == []


def test_events_follow(config, metrix_sandbox, metrix_clock):
    """The sandbox judges their times by the same clock."""
    metrix_clock.set(datetime(2031, 1, 1, tzinfo=UTC))
    with Notifier.from_config(config) as notifier:
        receipts = [notifier.track("u1", name="paid") for _ in range(3)]
    assert {receipt.time.date() for receipt in receipts} == {date(2031, 1, 1)}
    assert [event["processed"] for event in metrix_sandbox.events()] == [True] * 3


def test_a_verification_ends(config, metrix_config, metrix_sandbox, metrix_clock):
    """For a notifier that is open."""
    verified = {"at": "2026-03-01", "by": "sara", "app_id": metrix_sandbox.app_id, "expires": "30d"}
    with Notifier.from_config(metrix_config(channels={"sms": {"type": "sms", "verified": verified}})) as notifier:
        notifier.send("sms", "u1", text="in time")
        metrix_clock.advance(timedelta(days=11))
        with pytest.raises(ChannelUnverified):
            notifier.send("sms", "u1", text="too late")
    metrix_sandbox.sms.count(1)


@pytest.mark.parametrize(
    ("later", "hour"),
    [
        ("schedule: {at: 2026-03-20T20:00:00+00:00}\n", 20),
        ("quiet_hours: {from: '05:00', to: '09:00', timezone: UTC}\n", 9),
        ("schedule: {at: 2026-03-20T08:55:00+00:00}\nquiet_hours: {from: '05:00', to: '09:00', timezone: UTC}\n", 9),
    ],
    ids=["schedule", "quiet hours", "both"],
)
def test_a_campaign_does_not_wait_for_a_time_of_day(config, metrix_sandbox, metrix_clock, tmp_path, later, hour):
    """The clock moves to the moment that it waits for."""
    with Notifier.from_config(config) as notifier:
        assert run(notifier, tmp_path, later).accepted == 1
    assert metrix_clock.now == metrix_sandbox.sms.last.at == datetime(2026, 3, 20, hour, tzinfo=UTC)


def test_a_cap_lets_through_again(config, metrix_sandbox, metrix_clock, tmp_path):
    """After the hours that it counts."""
    capped = "limits: {per_recipient: 1/24h}\n"
    with Notifier.from_config(config) as notifier:
        run(notifier, tmp_path, capped, "first")
        metrix_clock.advance(timedelta(hours=23))
        with pytest.raises(CampaignError, match="capped 1"):
            run(notifier, tmp_path, capped, "second")
        metrix_clock.advance(timedelta(hours=2))
        run(notifier, tmp_path, capped, "third")
    metrix_sandbox.sms.count(2)


def test_a_schedule_that_has_passed_is_refused(config, metrix_sandbox, tmp_path):
    """By the clock of the test."""
    passed = "schedule: {at: 2026-03-20T05:00:00+00:00, max_lateness: 30m}\n"
    with Notifier.from_config(config) as notifier, pytest.raises(CampaignError):
        run(notifier, tmp_path, passed)
    metrix_sandbox.sms.count(0)


def test_what_is_enqueued_for_later_becomes_due(config, metrix_sandbox, metrix_clock):
    """By the clock of the test, with a ledger in a file."""
    metrix_sandbox.drain()
    ledger = sqlite3.connect(config.parent / "metrix-channels.db")
    with Notifier.from_config(config) as notifier, closing(ledger) as connection:
        notifier.enqueue("sms", "u1", text="later", connection=connection, at=START + timedelta(hours=1))
        connection.commit()
    assert len(metrix_sandbox.drain().waiting) == 1
    metrix_clock.advance(timedelta(hours=1))
    assert len(metrix_sandbox.drain().receipts) == 1
    metrix_sandbox.sms.to("u1").contains("later")
