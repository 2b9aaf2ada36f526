"""`preflight`: every check before sending, and exit status 3 when one fails."""

import re

import pytest

from helpers.fault_server import refusing_address
from metrix_channels import Notifier


def by_id(result):
    return {check["id"]: check for check in result.document["checks"]}


def test_the_document_is_complete_and_nothing_was_requested(metrix, config, metrix_sandbox):
    """Every check has the five keys; the sandbox saw a connection and no request."""
    result = metrix("--config", config, "preflight", "sms", "--json")
    assert result.status == 0
    assert set(result.document) == {"ok", "checks"}
    assert result.document["ok"] is True
    for check in result.document["checks"]:
        assert set(check) == {"id", "subject", "status", "message", "remedy"}
        assert check["status"] in ("pass", "warn", "fail", "skip")
    assert list(by_id(result)) == [
        "config.valid",
        "secret.app_id",
        "secret.api_key",
        "file.private",
        "channel.verified",
        "channel.verification_age",
        "template.renders",
        "ledger.writable",
        "metrix.reachable",
    ]
    assert metrix_sandbox.requests() == []


def test_offline_leaves_the_connection_out(metrix, config):
    """The check is there, skipped."""
    result = metrix("preflight", "--offline", "--config", config, "--json")
    assert by_id(result)["metrix.reachable"]["status"] == "skip"


def test_an_unverified_channel_fails_with_place_and_remedy(metrix, metrix_config, templates):
    """The message starts with file, line and column."""
    path = metrix_config(templates=templates, channels={"sms": {"type": "sms", "verified": False}})
    result = metrix("--config", path, "preflight", "--json")
    check = by_id(result)["channel.verified"]
    assert (result.status, result.document["ok"], check["status"]) == (3, False, "fail")
    assert re.match(rf"{re.escape(str(path))}:\d+:\d+: ", check["message"])
    assert "channels verify" in check["remedy"]


@pytest.mark.parametrize(
    ("value", "word"), [(None, "METRIX_TEST_KEY"), ("", "METRIX_TEST_KEY"), ("  ", "blank"), ("s3cr\net", "line break")]
)
def test_a_bad_key_fails_by_the_name_of_its_variable(metrix, metrix_config, templates, monkeypatch, value, word):
    """Missing, empty, blank, with a line break: the variable is named, the value never; APP_ID passes all the same."""
    if value is None:
        monkeypatch.delenv("METRIX_TEST_KEY", raising=False)
    else:
        monkeypatch.setenv("METRIX_TEST_KEY", value)
    path = metrix_config(templates=templates, metrix={"api_key_file": None, "api_key": "${METRIX_TEST_KEY}"})
    path.write_text(path.read_text().replace('    "api_key_file": null,\n', ""))
    result = metrix("--config", path, "preflight", "--offline", "--json")
    checks = by_id(result)
    assert (result.status, checks["secret.api_key"]["status"], checks["secret.app_id"]["status"]) == (3, "fail", "pass")
    assert "METRIX_TEST_KEY" in checks["secret.api_key"]["message"]
    assert word in checks["secret.api_key"]["message"]
    assert "s3cr" not in result.out + result.err


def test_without_app_id_a_verification_is_not_judged(metrix, metrix_config, templates, monkeypatch):
    """It belongs to one application, and nobody knows which."""
    monkeypatch.delenv("METRIX_TEST_APP", raising=False)
    path = metrix_config(templates=templates, metrix={"app_id": "${METRIX_TEST_APP}"})
    checks = by_id(metrix("--config", path, "preflight", "--offline", "--json"))
    assert checks["secret.app_id"]["status"] == "fail"
    assert checks["secret.api_key"]["status"] == "pass"
    assert checks["channel.verified"]["status"] == "skip"


def test_a_channel_without_a_record_fails_without_app_id_too(metrix, metrix_config, templates, monkeypatch):
    """A newcomer learns about the credentials and the dashboard test at once."""
    monkeypatch.delenv("METRIX_TEST_APP", raising=False)
    channels = {"sms": {"type": "sms", "verified": False}}
    path = metrix_config(templates=templates, metrix={"app_id": "${METRIX_TEST_APP}"}, channels=channels)
    checks = by_id(metrix("--config", path, "preflight", "--offline", "--json"))
    assert checks["secret.app_id"]["status"] == "fail"
    assert checks["channel.verified"]["status"] == "fail"
    assert "channels verify sms" in checks["channel.verified"]["remedy"]


def test_an_unknown_channel_fails(metrix, config):
    """The message names those that exist."""
    result = metrix("--config", config, "preflight", "smz", "--json")
    assert result.status == 3
    assert "sms" in by_id(result)["config.valid"]["message"]


def test_a_broken_configuration_is_the_only_check(metrix, tmp_path):
    """Nothing else can be said about it."""
    path = tmp_path / "channels.yaml"
    path.write_text("version: 1\nmetrix: [\n")
    result = metrix("--config", path, "preflight", "--json")
    assert (result.status, [check["id"] for check in result.document["checks"]]) == (3, ["config.valid"])


def test_a_template_that_does_not_render_fails_and_the_others_are_checked(metrix, config, templates):
    """The template and its line are named; the message for another channel still passes."""
    (templates / "otp" / "sms.txt.j2").write_text("\n{{ nobody_gave_this }}")
    result = metrix("--config", config, "preflight", "sms", "push", "--offline", "--json")
    checks = [check for check in result.document["checks"] if check["id"] == "template.renders"]
    assert {check["subject"]: check["status"] for check in checks} == {
        "otp for sms": "fail",
        "otp for sms in en": "pass",
        "otp for push": "pass",
    }
    assert "nobody_gave_this" in checks[0]["message"]
    assert "sms.txt.j2:2" in checks[0]["message"]


def test_a_server_that_refuses_connections_fails(metrix, metrix_config, templates):
    """What cannot be reached now will not be reached by a send."""
    with refusing_address() as url:
        path = metrix_config(templates=templates, metrix={"base_url": url})
        result = metrix("--config", path, "preflight", "--json")
    assert (result.status, by_id(result)["metrix.reachable"]["status"]) == (3, "fail")


def test_a_ledger_that_cannot_be_made_fails(metrix, metrix_config, templates):
    """Its folder is missing."""
    path = metrix_config(templates=templates, ledger="sqlite:///./nowhere/ledger.db")
    result = metrix("--config", path, "preflight", "--offline", "--json")
    assert (result.status, by_id(result)["ledger.writable"]["status"]) == (3, "fail")


def test_a_key_that_others_can_read_is_a_warning(metrix, config):
    """A warning allows sending; the remedy can be copied."""
    key = config.with_name("metrix.key")
    key.chmod(0o644)
    result = metrix("--config", config, "preflight", "--offline", "--json")
    check = next(check for check in result.document["checks"] if check["subject"] == str(key))
    assert (result.status, check["status"], check["remedy"]) == (0, "warn", f"chmod 600 {key}")


def test_the_text_groups_what_passed_and_shows_what_did_not(metrix, config, templates):
    """One line for all templates that render; a failure has a line of its own, and the verdict counts."""
    for number in range(9):
        (templates / f"greeting_{number}").mkdir()
        (templates / f"greeting_{number}" / "sms.txt.j2").write_text("سلام")
    ready = metrix("--config", config, "preflight", "sms", "--offline")
    assert "11 checks passed." in ready.out
    assert "greeting_3" not in ready.out
    assert ready.out.splitlines()[-1] == "Ready to send, with 1 warning."
    (templates / "greeting_3" / "sms.txt.j2").write_text("{{ name")
    failing = metrix("--config", config, "preflight", "sms", "--offline")
    assert "fail  template.renders" in failing.out
    assert "greeting_3 for sms" in failing.out
    assert failing.out.splitlines()[-1] == "Not ready: 1 check failed."
    assert (ready.status, failing.status) == (0, 3)


def test_the_library_finds_the_same(metrix, config):
    """`Notifier.preflight` and the verb are one."""
    with Notifier.from_config(config) as notifier:
        found = notifier.preflight("sms", offline=True)
    assert found.as_dict() == metrix("--config", config, "preflight", "sms", "--offline", "--json").document


@pytest.fixture
def campaign(config):
    """A campaign for two people, with one row that is none and one without a code."""
    folder = config.parent
    (folder / "audience.csv").write_text("customUserId,code\nu1,1\n,2\nu3,\n", encoding="utf-8")
    path = folder / "login.yaml"
    path.write_text("version: 1\nname: login\nchannel: sms\ntemplate: otp\naudience: {file: audience.csv}\n")
    return path


def test_a_campaign_is_planned_whole_and_nothing_of_it_is_left(metrix, config, campaign, metrix_sandbox):
    """Its channel is checked, its file, its plan; nothing is sent, and the ledger knows no campaign."""
    result = metrix("--config", config, "preflight", campaign, "--offline", "--json")
    found = by_id(result)
    assert result.status == 0
    assert found["channel.verified"]["subject"] == "sms"
    assert found["campaign.valid"]["status"] == "pass"
    assert (found["campaign.plan"]["status"], found["campaign.plan"]["subject"]) == ("warn", str(campaign))
    for words in ("Rows: 3", "recipients: 2", "invalid rows: 1", "recipients with an empty code: 1"):
        assert words in found["campaign.plan"]["message"]
    assert metrix_sandbox.requests() == []
    assert metrix("--config", config, "campaign", "list", "--json").document == {"campaigns": []}


@pytest.mark.parametrize(
    ("file", "old", "new", "check", "words"),
    [
        ("login.yaml", "template", "tempalte", "campaign.valid", "tempalte"),
        ("login.yaml", "audience.csv", "nobody.csv", "campaign.plan", "nobody.csv"),
        ("otp/sms.txt.j2", "code", "name", "campaign.plan", "name"),
    ],
)
def test_a_campaign_that_cannot_be_sent_fails_its_check(
    metrix, config, templates, campaign, file, old, new, check, words
):
    """A key that is misspelt, an audience that is not there, a template that uses what no row has."""
    path = templates / file if file.endswith(".j2") else config.parent / file
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    result = metrix("--config", config, "preflight", campaign, "--offline", "--json")
    assert result.status == 3
    assert by_id(result)[check]["status"] == "fail"
    assert words in by_id(result)[check]["message"]


def test_a_campaign_is_checked_with_its_own_template_alone(metrix, config, templates, campaign):
    """Other templates, and samples, say nothing about it; a channel that is named too is checked with all of them."""
    (templates / "broken").mkdir()
    (templates / "broken" / "sms.txt.j2").write_text("{{ name", encoding="utf-8")
    (templates / "otp" / "sample.yaml").unlink()
    result = metrix("--config", config, "preflight", campaign, "--offline", "--json")
    found = by_id(result)
    assert result.status == 0
    assert not [each for each in found if each.startswith("template.")]
    assert found["channel.verified"]["subject"] == "sms"
    both = metrix("--config", config, "preflight", campaign, "sms", "--offline", "--json")
    assert both.status == 3
    assert "broken for sms" in [check["subject"] for check in both.document["checks"]]


def test_the_rows_that_cannot_be_rendered_are_named(metrix, config, templates, campaign):
    """The first of them, by the line that a spreadsheet shows."""
    (templates / "otp" / "sms.txt.j2").write_text("{{ 10 // (code | int) }}", encoding="utf-8")
    (config.parent / "audience.csv").write_text("customUserId,code\nu1,1\nu2,0\nu3,0\n", encoding="utf-8")
    result = metrix("--config", config, "preflight", campaign, "--offline", "--json")
    check = by_id(result)["campaign.plan"]
    assert (result.status, check["status"]) == (3, "fail")
    assert "2 rows (lines 3, 4)" in check["message"]


def test_a_campaign_of_an_untested_channel_is_planned_all_the_same(metrix, metrix_config, templates, campaign):
    """Both are told at once: that nobody tested the channel, and what the plan would be."""
    config = metrix_config(templates=templates, channels={"sms": {"type": "sms", "verified": False}})
    found = by_id(metrix("--config", config, "preflight", campaign, "--offline", "--json"))
    assert (found["channel.verified"]["status"], found["campaign.plan"]["status"]) == ("fail", "warn")


def test_a_campaign_file_that_is_not_there_is_told_first(metrix, config):
    """Before all else that may be worth a word; no channel and no template is checked in its place."""
    result = metrix("--config", config, "preflight", "nope.yaml", "--offline")
    assert result.status == 3
    remedies = [line for line in result.out.splitlines() if line.startswith("→")]
    assert remedies[0].startswith("→ Check the path")
    ids = [check["id"] for check in metrix("--config", config, "preflight", "nope.yaml", "--json").document["checks"]]
    assert ids[:2] == ["config.valid", "campaign.valid"]
    assert not [each for each in ids if each.startswith(("channel.", "template.", "campaign.plan"))]


def test_a_template_without_a_sample_is_compiled_and_a_warning_shows_the_sample(metrix, config, templates):
    """Names of the variables, the file to write, and its content; with that content the template renders."""
    sample = templates / "otp" / "sample.yaml"
    sample.unlink()
    result = metrix("--config", config, "preflight", "--offline", "--json")
    [check] = [check for check in result.document["checks"] if check["id"] == "template.sample"]
    assert (result.status, check["status"], check["subject"]) == (0, "warn", "otp")
    assert "code" in check["message"]
    assert str(sample) in check["remedy"]
    sample.write_text(check["remedy"].partition(":\n")[2], encoding="utf-8")
    again = metrix("--config", config, "preflight", "--offline", "--json")
    assert by_id(again)["template.renders"]["status"] == "pass"
    sample.write_text("other: 1\n", encoding="utf-8")
    lacks = by_id(metrix("--config", config, "preflight", "sms", "--offline", "--json"))["template.renders"]
    assert lacks["status"] == "fail"
    assert str(sample) in lacks["remedy"]
