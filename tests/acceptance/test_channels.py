"""`channels list` and `channels verify`."""

import contextlib
import json
import os
import pty
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import metrix_channels
from helpers.command_line import COMMAND, environment

TODAY = datetime.now(UTC).date()
COMMENTED = """\
# Our channels.
version: 1
metrix:
  app_id: ${{METRIX_TEST_APP}}   # of production
  api_key: ${{METRIX_TEST_KEY}}
  base_url: {url}
channels:
  # Customers' telephones.
  sms: {{type: sms, verified: false}}   # tested by nobody yet
  push:
    type: app_push
    verified: false # the app
  # The end.
"""


@pytest.fixture
def commented(tmp_path, metrix_sandbox, monkeypatch):
    """A configuration with comments everywhere."""
    monkeypatch.setenv("METRIX_TEST_APP", "prod-7f3a")
    monkeypatch.delenv("METRIX_TEST_KEY", raising=False)
    path = tmp_path / "channels.yaml"
    path.write_text(COMMENTED.format(url=metrix_sandbox.url), encoding="utf-8")
    return path


def test_list_tells_each_channels_type_and_standing_without_a_key(metrix, commented):
    """The exact document; no secret is needed but APP_ID."""
    result = metrix("--config", commented, "channels", "list", "--json")
    assert result.status == 0
    row = result.document["channels"][0]
    message = row.pop("message")
    assert message == "Channel 'sms' has no recorded dashboard test."
    assert row == {
        "name": "sms",
        "type": "sms",
        "metrix_channel": "SMS",
        "verified": False,
        "code": "channel_unverified",
        "age_days": None,
        "expires_at": None,
        "announcement": None,
        "cautions": [],
    }
    assert message in metrix("--config", commented, "channels", "list").out


def test_list_works_without_app_id_and_says_why_nothing_is_verified(metrix, commented, monkeypatch):
    """It names the variable."""
    monkeypatch.delenv("METRIX_TEST_APP")
    result = metrix("channels", "list", "--config", commented, "--json")
    assert result.status == 0
    assert {row["code"] for row in result.document["channels"]} == {"secret_missing"}
    assert "METRIX_TEST_APP" in result.document["channels"][0]["message"]


def test_list_shows_what_a_bare_true_cannot_notice(metrix, config):
    """`verified: true` is shown with its caution."""
    assert "cannot detect a change of the application" in metrix("--config", config, "channels", "list").out


def test_verify_writes_the_record_and_leaves_everything_else(metrix, commented):
    """Date, person, the resolved application, expiry and note; every comment stays."""
    before = commented.read_text()
    arguments = ("--by", "sara@example.com", "--note", "روی گوشی رسید", "--expires", "90d")
    result = metrix("--config", commented, "channels", "verify", "sms", *arguments, "--json")
    assert (result.status, result.document["channel"]["verified"], result.document["channel"]["age_days"]) == (
        0,
        True,
        0,
    )
    record = f'{{at: {TODAY}, by: sara@example.com, app_id: prod-7f3a, expires: 90d, note: "روی گوشی رسید"}}'
    assert commented.read_text() == before.replace("verified: false}", f"verified: {record}}}")
    assert metrix("--config", commented, "channels", "verify", "push", "--by", "سارا").status == 0
    assert commented.read_text().count("#") == before.count("#")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("nope", "--by", "sara"), "channel_unknown"),
        (("sms",), "usage"),
        (("sms", "--by", ""), "usage"),
        (("sms", "--by", " \u202e "), "usage"),
        (("sms", "--by", "sara", "--expires", ""), "usage"),
        (("sms", "--by", "sara", "--expires", "0d"), "usage"),
        (("sms", "--by", "sara", "--expires", "99999999999d"), "usage"),
        (("", "--by", "sara"), "channel_unknown"),
    ],
)
def test_a_record_that_says_nothing_is_not_written(metrix, commented, arguments, code):
    """One JSON error, exit status 2, and the file as it was."""
    before = commented.read_bytes()
    result = metrix("--config", commented, "--json", "channels", "verify", *arguments)
    assert (result.status, result.document["error"]["code"]) == (2, code)
    assert commented.read_bytes() == before


def test_verify_needs_app_id(metrix, commented, monkeypatch):
    """A test belongs to one application: without knowing which, nothing is recorded."""
    monkeypatch.delenv("METRIX_TEST_APP")
    before = commented.read_bytes()
    result = metrix("--config", commented, "--json", "channels", "verify", "sms", "--by", "sara")
    assert (result.status, result.document["error"]["code"]) == (2, "secret_missing")
    assert commented.read_bytes() == before


def test_line_breaks_and_bidi_characters_stay_inside_their_quotes(metrix, commented):
    """A note can add no key to the file, and draws nothing on the terminal."""
    hostile = 'a"\n  email: {type: email, verified: true}\u202e\x1b[31m'
    assert metrix("--config", commented, "channels", "verify", "sms", "--by", hostile, "--note", hostile).status == 0
    listed = metrix("--config", commented, "channels", "list", "--json").document["channels"]
    assert [row["name"] for row in listed] == ["sms", "push"]
    shown = metrix("--config", commented, "channels", "list").out
    assert "\x1b" not in shown
    assert "\u202e" not in shown


@pytest.mark.parametrize("value", ['"${CI_VERIFIED}"', '{at: "${DAY}", by: ci}', '{at: 2026-01-01, by: "${USER}"}'])
def test_a_verification_that_follows_the_environment_is_refused(metrix, commented, monkeypatch, value):
    """It would verify itself; every verb that reads the file refuses it with line and column."""
    monkeypatch.setenv("CI_VERIFIED", "true")
    monkeypatch.setenv("DAY", str(TODAY))
    commented.write_text(commented.read_text().replace("verified: false}", f"verified: {value}}}"))
    for verb in (("channels", "list"), ("send", "sms", "--to", "u", "--template", "otp"), ("preview", "otp")):
        result = metrix("--config", commented, "--json", *verb)
        assert (result.status, result.document["error"]["code"]) == (2, "environment_refused")
        assert result.document["error"]["location"].startswith(f"{commented}:9:")


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (f"{{at: {TODAY + timedelta(days=2)}, by: sara}}", "verification_in_future"),
        (f"{{at: {TODAY - timedelta(days=91)}, by: sara, expires: 90d}}", "verification_expired"),
        (f"{{at: {TODAY}, by: sara, app_id: staging}}", "verification_foreign"),
    ],
)
def test_verify_mends_what_does_not_count(metrix, commented, record, code):
    """The new record replaces one that is expired, foreign or in the future."""
    commented.write_text(commented.read_text().replace("verified: false}", f"verified: {record}}}"))
    listed = metrix("--config", commented, "channels", "list", "--json").document["channels"][0]
    assert (listed["verified"], listed["code"]) == (False, code)
    metrix("--config", commented, "channels", "verify", "sms", "--by", "sara")
    assert metrix("--config", commented, "channels", "list", "--json").document["channels"][0]["verified"] is True


# -- led through on a terminal


@pytest.fixture
def untested(metrix_config, templates):
    """A configuration whose channels nobody tested."""
    return metrix_config(
        templates=templates,
        channels={"sms": {"type": "sms", "verified": False}, "push": {"type": "app_push", "verified": False}},
    )


def at_terminal(config, *arguments, answers):
    """Verify a channel on a terminal; return exit status, what is shown there, and stdout."""
    controller, terminal = pty.openpty()
    with (
        (config.parent / "stdout").open("wb") as out,
        subprocess.Popen(
            [COMMAND, "--config", str(config), "channels", "verify", *arguments],
            stdin=terminal,
            stdout=out,
            stderr=terminal,
            env=environment(TERM="xterm"),
        ) as process,
    ):
        os.close(terminal)
        os.write(controller, answers)
        shown = b""
        with contextlib.suppress(OSError):  # what Linux says when the last writer has gone
            while part := os.read(controller, 65_536):
                shown += part
        os.close(controller)
        status = process.wait(timeout=60)
    return status, shown.decode(), (config.parent / "stdout").read_text(encoding="utf-8")


@pytest.mark.parametrize(("channel", "yes"), [("sms", "y"), ("push", "بله")])
def test_on_a_terminal_it_leads_through_the_test(metrix, untested, metrix_sandbox, channel, yes):
    """The dashboard's test, one message to an id of one's own, and the record of both."""
    status, shown, out = at_terminal(untested, channel, answers=f"{yes}\nسارا\nuser-1\n{yes}\n".encode())
    assert (status, out) == (0, f"{channel} is verified for application sandbox-app; see {untested}.\n")
    label = {"sms": "SMS", "push": "APP_PUSH"}[channel]
    assert f"sandbox's inbox, {metrix_sandbox.url}, and click “{label} · Test”" in " ".join(shown.split())
    assert "Did this message arrive too?" in shown
    assert len(metrix_sandbox.requests()) == 1
    text = untested.read_text(encoding="utf-8")
    assert "by: سارا" in text or 'by: "سارا"' in text
    assert "the dashboard's test message and message" in text
    assert metrix("--config", untested, "send", channel, "--to", "u1", "--text", "x").status == 0


def test_a_real_application_is_tested_from_the_dashboard(commented):
    """Only in the sandbox does a button replace the dashboard's test message."""
    text = commented.read_text(encoding="utf-8").replace("${METRIX_TEST_APP}", "prod-7f3a")
    commented.write_text(text, encoding="utf-8")
    _, shown, _ = at_terminal(commented, "sms", answers=b"n\n")
    assert "In Metrix's dashboard, open application prod-7f3a" in shown


@pytest.mark.parametrize(
    ("answers", "status", "requests"),
    [
        (b"n\n", 1, 0),
        (b"\x04", 1, 0),
        (b"\n", 1, 0),
        ("نه\n".encode(), 1, 0),
        ("۱\n".encode(), 1, 0),
        (b"y\n?\n", 2, 0),
        (b"y\nsara\n\n", 2, 0),
        (b"y\nsara\nu\xe2\x80\xae1\n", 2, 0),
        (b"y\nsara\nuser-1\nn\n", 1, 1),
        (b"y\nsara\nuser-1\n\x04", 1, 1),
    ],
)
def test_a_no_at_any_step_records_nothing(metrix, untested, metrix_sandbox, answers, status, requests):
    """Nor the end of input, nor an answer that is none; the channel stays refused."""
    before = untested.read_text()
    ended, _, _ = at_terminal(untested, "sms", answers=answers)
    assert (ended, len(metrix_sandbox.requests())) == (status, requests)
    assert untested.read_text() == before
    assert metrix("--config", untested, "send", "sms", "--to", "u1", "--text", "x").status == 3


def test_a_message_that_metrix_refuses_records_nothing(untested, metrix_sandbox):
    """The error is that of any send."""
    metrix_sandbox.inject("status:400", times=9)
    before = untested.read_text()
    status, shown, _ = at_terminal(untested, "sms", "--by", "sara", answers=b"y\nuser-1\n")
    assert (status, "Did this message arrive too?" in shown) == (1, False)
    assert untested.read_text() == before


def test_with_by_and_yes_it_asks_nothing(untested, metrix_sandbox):
    """On a terminal, too."""
    status, shown, out = at_terminal(untested, "sms", "--by", "sara", "--yes", "--json", answers=b"")
    assert (status, shown, json.loads(out)["channel"]["verified"]) == (0, "", True)
    assert metrix_sandbox.requests() == []


def test_without_a_terminal_it_needs_by(metrix, untested):
    """Nobody can be asked."""
    result = metrix("--config", untested, "channels", "verify", "sms", "--json")
    assert (result.status, result.document["error"]["code"]) == (2, "usage")
    assert "--by" in result.document["error"]["remedy"]


def test_it_is_the_only_door():
    """No other module makes a channel pass that is not verified: what lets it pass is named in one module."""
    package = Path(metrix_channels.__file__).parent
    users = [path.name for path in package.rglob("*.py") if "_UnderTest" in path.read_text(encoding="utf-8")]
    assert users == ["guided_verification.py"]
    callers = [path.name for path in package.rglob("*.py") if "lead_through(" in path.read_text(encoding="utf-8")]
    assert sorted(callers) == ["channels.py", "guided_verification.py"]
