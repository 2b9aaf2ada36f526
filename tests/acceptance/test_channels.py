"""`channels list` and `channels verify`."""

from datetime import UTC, datetime, timedelta

import pytest

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
    assert "is known to have tested channel 'sms'" in message
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
    assert "cannot notice that the application changed" in metrix("--config", config, "channels", "list").out


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
