"""`manage.py check`: it refuses what `preflight --offline` refuses, and costs neither a network nor a ledger."""

from datetime import UTC, datetime, timedelta

import pytest

GUARDED = """
import socket, sys, threading
def refuse(*_):
    raise AssertionError("a connection was made")
socket.socket.connect = socket.socket.connect_ex = socket.create_connection = refuse
sys.argv = ["manage.py", "check"]
exec(open("manage.py").read())
assert threading.enumerate() == [threading.main_thread()]
"""


def test_a_project_that_can_send_passes(project):
    """With no warning: nothing that is said at every start should be about nothing."""
    checked = project.manage("check")
    assert (checked.status, checked.out) == (0, "System check identified no issues (0 silenced).\n")


def test_a_check_makes_no_connection_no_ledger_and_no_thread(project):
    """`runserver` and `migrate` make it each time that they start."""
    checked = project.run("-c", GUARDED)
    assert checked.status == 0, checked.err
    assert not project.ledger.exists()


def _break_template(project):
    project.write("templates/hello/sms.txt.j2", "سلام {{ name")


def _corrupt_ledger(project):
    project.ledger.write_bytes(b"SQLite format 3\0" + b"\x7f" * 4096)


@pytest.mark.parametrize(
    ("break_it", "check"),
    [
        (lambda p: p.configure(channels="{sms: {type: sms}}"), "channel.verified"),
        (
            lambda p: p.configure(channels="{sms: {type: sms, verified: {at: 2025-01-01, expires: 30d}}}"),
            "channel.verified",
        ),
        (
            lambda p: p.configure(channels="{sms: {type: sms, verified: {at: 2026-01-01, app_id: staging}}}"),
            "channel.verified",
        ),
        (lambda p: p.configure(metrix="{app_id: app-1, api_key: '${NOT_SET}'}"), "secret.api_key"),
        (lambda p: p.configure(metrix="{app_id: '${NOT_SET}', api_key: '${METRIX_API_KEY}'}"), "secret.app_id"),
        (lambda p: p.configure(chanels="{}"), "config.valid"),
        (lambda p: p.config.write_text("version: 1\n  metrix: ["), "config.valid"),
        (lambda p: p.config.unlink(), "config.valid"),
        (_break_template, "template.renders"),
        (_corrupt_ledger, "ledger.writable"),
        (lambda p: p.configure(ledger="sqlite:///./missing/ledger.db"), "ledger.writable"),
        (lambda p: p.ledger.mkdir(), "ledger.writable"),
    ],
)
def test_it_refuses_what_preflight_refuses(project, break_it, check):
    """With the same words, and the remedy as Django's hint."""
    break_it(project)
    checked, preflight = project.manage("check"), project.manage("metrix", "preflight", "--offline")
    assert (checked.status, preflight.status != 0) == (1, True), checked.err + preflight.out
    assert f"(metrix_channels.{check})" in checked.err
    assert "HINT" in checked.err
    assert "Traceback" not in checked.err


@pytest.mark.parametrize("value", ["None", "'channels.yaml'", "{'CONFIG': 7}", "{'CONFIGURATION': 'channels.yaml'}"])
def test_a_setting_that_is_none_is_refused(project, value):
    """The hint says what to write."""
    with (project.folder / "settings.py").open("a") as settings:
        settings.write(f"METRIX_CHANNELS = {value}\n")
    checked = project.manage("check")
    assert checked.status == 1
    assert 'METRIX_CHANNELS = {"CONFIG": BASE_DIR / "channels.yaml"}' in checked.err


def test_a_missing_file_names_the_command_that_writes_one(project):
    """And that command works although the check fails."""
    project.config.unlink()
    assert "manage.py metrix init" in project.manage("check").err
    assert project.manage("metrix", "init").status == 0
    assert project.config.exists()


def test_deployment_checks_add_expiry_and_permissions(project):
    """Warnings that would be noise on a developer's machine."""
    at = (datetime.now(UTC) - timedelta(days=25)).date()
    record = f"{{at: {at}, by: sara, app_id: app-1, expires: 30d}}"
    project.configure(
        channels=f"{{sms: {{type: sms, verified: {record}}}}}", metrix="{app_id: app-1, api_key_file: metrix.key}"
    )
    project.write("metrix.key", "key-of-nobody").chmod(0o644)
    project.ledger.touch(0o644)
    project.ledger.chmod(0o644)
    plain, deployed = project.manage("check"), project.manage("check", "--deploy")
    assert plain.status == 0, plain.err
    assert "metrix_channels" not in plain.err + plain.out
    assert deployed.status == 0
    assert deployed.err.count("(metrix_channels.file.private)") == 2
    assert deployed.err.count("(metrix_channels.channel.verification_ends)") == 1


def test_an_error_can_be_silenced_where_nothing_is_sent(project):
    """By Django's own setting, on a developer's machine; sending refuses the channel all the same."""
    project.configure(channels="{sms: {type: sms}}")
    with (project.folder / "settings.py").open("a") as settings:
        settings.write("SILENCED_SYSTEM_CHECKS = ['metrix_channels.channel.verified']\n")
    assert project.manage("check").status == 0
    assert project.manage("metrix", "send", "sms", "--to", "u1", "--text", "سلام").status == 3


def test_a_ledger_in_postgresql_is_checked_with_the_databases(project, postgres_url):
    """It is reached over a network, as Django's own databases are."""
    project.configure(ledger="postgresql://nobody@127.0.0.1:9/none")
    assert project.manage("check").status == 0
    refused = project.manage("check", "--database", "default")
    assert refused.status == 1
    assert "(metrix_channels.ledger.writable)" in refused.err
    project.configure(ledger=f"'{postgres_url}'")
    assert project.manage("check", "--database", "default").status == 0


def test_an_existing_ledger_is_opened_and_left_as_it_is(project):
    """Its check makes no thread that goes on."""
    assert project.manage("metrix", "preflight", "--offline").status == 0
    before = project.ledger.read_bytes()
    checked = project.run("-c", GUARDED)
    assert checked.status == 0, checked.err
    assert project.ledger.read_bytes()[:24] == before[:24]
