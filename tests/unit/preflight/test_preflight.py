"""Checks, what they come to, and what the library raises for them."""

import asyncio
from collections import Counter

import pytest

from metrix_channels import MetrixChannelsError, PreflightFailed
from metrix_channels.checks import Check, CheckStatus
from metrix_channels.config import ConfigFile
from metrix_channels.preflight import Preflight, run_preflight
from metrix_channels.templating import Templates

PASSED = Check("config.valid", "channels.yaml", CheckStatus.PASS, "4 channels.")
WARNED = Check("file.private", "key", CheckStatus.WARN, "Others can read it.", "chmod 600 key")
SKIPPED = Check("metrix.reachable", "url", CheckStatus.SKIP, "Left out.")
FAILED = Check("channel.verified", "sms", CheckStatus.FAIL, "Nobody tested it.", "Test it.")


@pytest.mark.parametrize(
    ("checks", "ok"), [((), True), ((PASSED, WARNED, SKIPPED), True), ((PASSED, FAILED), False), ((FAILED,), False)]
)
def test_only_a_failure_forbids_sending(checks, ok):
    """Warnings and what was left out do not."""
    found = Preflight(checks)
    assert found.ok is ok
    assert found.as_dict()["ok"] is ok
    if ok:
        found.raise_for_failures()
    else:
        with pytest.raises(PreflightFailed):
            found.raise_for_failures()


def test_the_error_names_each_failure_and_each_remedy_once():
    """Two channels with one remedy: two messages, one remedy."""
    other = Check("channel.verified", "email", CheckStatus.FAIL, "Nobody tested it either.", "Test it.")
    with pytest.raises(PreflightFailed) as caught:
        Preflight((PASSED, FAILED, other)).raise_for_failures()
    assert caught.value.message == (
        "Not ready to send: channel.verified (sms): Nobody tested it.;"
        " channel.verified (email): Nobody tested it either."
    )
    assert (caught.value.remedy, caught.value.code, caught.value.exit_status) == ("Test it.", "preflight_failed", 3)


def test_a_check_as_json():
    """Five keys, the remedy null where there is none."""
    assert PASSED.as_dict() == {
        "id": "config.valid",
        "subject": "channels.yaml",
        "status": "pass",
        "message": "4 channels.",
        "remedy": None,
    }


def test_a_failed_check_has_the_errors_place_and_remedy():
    """The message begins with file, line and column."""
    error = MetrixChannelsError("It is wrong.", code="usage", remedy="Mend it.", location="a.yaml:1:2")
    check = Check.failed("config.valid", "a.yaml", error)
    assert (check.status, check.message, check.remedy) == (CheckStatus.FAIL, "a.yaml:1:2: It is wrong.", "Mend it.")


def checked(path, *names):
    return asyncio.run(run_preflight(ConfigFile(path), names, offline=True))


def test_a_file_whose_locale_is_none_is_named(metrix_config, tmp_path):
    """Nobody can ask for it, so that its readers would get another language."""
    folder = tmp_path / "templates" / "hello"
    folder.mkdir(parents=True)
    for name in ("sms.txt.j2", "sms.fa_ir.txt.j2", "sms.english.txt.j2"):
        (folder / name).write_text("سلام")
    checks = [
        check
        for check in checked(metrix_config(templates=folder.parent), "sms").checks
        if check.id == "template.renders"
    ]
    assert [(check.subject, check.status) for check in checks] == [
        ("hello for sms", CheckStatus.PASS),
        ("hello for sms in english", CheckStatus.FAIL),
        ("hello for sms in fa-IR", CheckStatus.PASS),
    ]
    assert "`sms.english.txt.j2` is never used" in checks[1].message
    assert "such as en" in checks[1].remedy


def test_every_template_of_every_channel_is_rendered_with_its_sample(metrix_config, tmp_path):
    """In each locale; a template that a channel has no file for is no failure."""
    folder = tmp_path / "templates" / "hello"
    folder.mkdir(parents=True)
    (folder / "sample.yaml").write_text("name: سارا")
    for name in ("sms.txt.j2", "sms.fa-IR.txt.j2", "push.txt.j2"):
        (folder / name).write_text("سلام {{ name }}")
    found = checked(metrix_config(templates=folder.parent))
    assert [check.subject for check in found.checks if check.id == "template.renders"] == [
        "hello for sms",
        "hello for sms in fa-IR",
        "hello for push",
        "hello for web_push",
    ]
    assert found.ok


def test_what_a_message_costs_is_a_warning(metrix_config, tmp_path):
    """The check is named after the caution."""
    folder = tmp_path / "templates" / "long"
    folder.mkdir(parents=True)
    (folder / "sms.txt.j2").write_text("سلام " * 20)
    [warning] = [
        check for check in checked(metrix_config(templates=folder.parent), "sms").checks if "sms_parts" in check.id
    ]
    assert (warning.id, warning.status, warning.subject) == ("message.sms_parts", CheckStatus.WARN, "long for sms")


def test_no_template_at_all_is_a_warning(metrix_config):
    """There is nothing to send yet."""
    found = checked(metrix_config())
    [check] = [check for check in found.checks if check.id == "template.renders"]
    assert (check.status, found.ok) == (CheckStatus.WARN, True)


def test_a_bare_true_is_a_warning(metrix_config):
    """It cannot detect that the application changed."""
    [check] = [check for check in checked(metrix_config(), "sms").checks if check.id == "channel.verification_age"]
    assert "cannot detect" in check.message


def test_only_the_channels_asked_for_are_checked(metrix_config):
    """One that is not verified beside them does not matter."""
    channels = {"sms": {"type": "sms", "verified": True}, "email": {"type": "email", "verified": False}}
    path = metrix_config(channels=channels)
    assert checked(path, "sms").ok
    assert [check.subject for check in checked(path).failures] == ["email"]


@pytest.fixture
def many(metrix_config, tmp_path):
    """A configuration with five templates, in three channels each."""
    for number in range(5):
        folder = tmp_path / "templates" / f"t{number}"
        folder.mkdir(parents=True)
        (folder / "sample.yaml").write_text("name: سارا")
        for name in ("sms.txt.j2", "push.txt.j2"):
            (folder / name).write_text("سلام {{ name }}")
    return metrix_config(templates=tmp_path / "templates")


def test_a_template_is_looked_at_once_for_all_channels(many, monkeypatch):
    """Its folder is listed once, and its sample read once."""
    looks = Counter()
    for look in ("variants", "sample"):
        method = getattr(Templates, look)

        def counts_of(self, name, look=look, method=method):
            looks[look, name] += 1
            return method(self, name)

        monkeypatch.setattr(Templates, look, counts_of)
    assert checked(many).ok
    assert len(looks) == 10
    assert set(looks.values()) == {1}


def test_it_tells_how_far_it_has_come(many):
    """After each template, and of how many."""
    told = []
    asyncio.run(run_preflight(ConfigFile(many), (), offline=True, watch=lambda *each: told.append(each)))
    assert told == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]


def test_it_ends_between_two_templates_when_it_is_cancelled(many):
    """As by a signal: there may be thousands of them."""
    told = []

    async def cancelled():
        task = asyncio.create_task(
            run_preflight(ConfigFile(many), (), offline=True, watch=lambda *each: told.append(each) or task.cancel())
        )
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(cancelled())
    assert told == [(1, 5)]
