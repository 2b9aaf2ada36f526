"""A verification about to end is announced wherever people look, since on the day itself every message stops."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from metrix_channels import ChannelUnverified, Notifier

TODAY = datetime.now(UTC).date()


@pytest.fixture
def expires(config):
    """Let the test of the channel sms end in so many days, counted from today's midnight in UTC."""

    def set_it(days):
        document = json.loads(config.read_text(encoding="utf-8"))
        verified = {"at": str(TODAY), "by": "sara", "app_id": document["metrix"]["app_id"], "expires": f"{days}d"}
        if days <= 0:
            verified |= {"at": str(TODAY - timedelta(days=30)), "expires": f"{30 + days}d"}
        document["channels"]["sms"]["verified"] = verified
        config.write_text(json.dumps(document), encoding="utf-8")
        return str(TODAY + timedelta(days=days))

    return set_it


def test_preflight_warns(metrix, config, expires):
    """It may be sent for now, and the remedy is the command with the channel's name."""
    day = expires(5)
    result = metrix("--config", config, "preflight", "sms", "--offline", "--json")
    [check] = [check for check in result.document["checks"] if check["id"] == "channel.verification_ends"]
    assert (result.status, check["status"], check["subject"]) == (0, "warn", "sms")
    assert f"{day} 00:00 UTC" in check["message"]
    assert "channels verify sms --by YOU --expires 5d" in check["remedy"]


def test_channels_list_shows_the_date(metrix, config, expires):
    """Always; and the announcement from 14 days before."""
    for days, announced in ((60, False), (14, True)):
        day = expires(days)
        row = metrix("--config", config, "channels", "list", "--json").document["channels"][0]
        assert row["expires_at"] == f"{day}T00:00:00.000Z"
        assert bool(row["announcement"]) is announced
        shown = metrix("--config", config, "channels", "list").out
        assert re.search(rf"^sms +sms +yes +{day} ", shown, re.MULTILINE)
        assert ("! the verification of channel 'sms' ends at" in shown) is announced


@pytest.mark.parametrize(("days", "check"), [(3, "channel.verification_ends"), (-1, "channel.verified")])
def test_doctor_warns(metrix, config, expires, days, check):
    """Metrix answers, and yet nothing is sent, or soon nothing will be: a warning, not a failure of the connection."""
    expires(days)
    result = metrix("--config", config, "doctor", "--json")
    last = result.document["checks"][-1]
    assert (result.status, last["id"], last["status"], last["subject"]) == (0, check, "warn", "sms")
    assert "channels verify" in last["remedy"]


def test_a_process_that_sends_logs_it(config, expires, caplog):
    """Once, however much it sends."""
    day = expires(7)
    with Notifier.from_config(config) as notifier:
        for _ in range(3):
            notifier.send("sms", to="u1", template="otp", context={"code": "1"})
    lines = [record.getMessage() for record in caplog.records if "ends at" in record.getMessage()]
    assert len(lines) == 1
    assert day in lines[0]


def test_a_send_after_the_end_says_until_when_it_counted(config, expires):
    """The error names the day."""
    day = expires(-1)
    with Notifier.from_config(config) as notifier, pytest.raises(ChannelUnverified) as caught:
        notifier.send("sms", to="u1", template="otp", context={"code": "1"})
    assert f"expired at {day} 00:00 UTC" in caught.value.message


def test_a_campaign_that_begins_after_the_end_is_refused_when_it_is_planned(
    metrix, config, expires, metrix_sandbox, monkeypatch
):
    """Exit 3 with both times, by run, dry run and preflight; nothing is left of it. A colleague may try it before."""
    monkeypatch.chdir(config.parent)
    metrix_sandbox.test_channel("SMS")
    day = expires(2)
    begins = f"schedule: {{at: {TODAY + timedelta(days=3)}T10:00:00+00:00}}"
    (config.parent / "audience.csv").write_text("customUserId,code\nu1,1\n", encoding="utf-8")
    (config.parent / "eid.yaml").write_text(
        f"version: 1\nname: eid\nchannel: sms\ntemplate: otp\naudience: {{file: audience.csv}}\n{begins}\n",
        encoding="utf-8",
    )
    for arguments in (("run", "eid.yaml", "--dry-run"), ("run", "eid.yaml", "--yes")):
        result = metrix("campaign", *arguments, "--json")
        assert (result.status, result.document["error"]["code"]) == (3, "verification_expired")
        assert f"ends at {day} 00:00 UTC" in result.document["error"]["message"]
    assert metrix("preflight", "eid.yaml", "--offline").status == 3
    assert metrix("campaign", "test", "eid.yaml", "--to", "boss").status == 0
    assert metrix("campaign", "list", "--json").document == {"campaigns": []}
