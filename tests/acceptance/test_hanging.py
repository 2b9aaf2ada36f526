"""What could keep the command waiting for ever: named pipes in place of files, and standard input without an end."""

import os
import signal
import subprocess

import pytest

from helpers.command_line import COMMAND, environment, run_command
from helpers.project import make_project

CAMPAIGN = "version: 1\nname: eid\nchannel: sms\ntemplate: otp\naudience: {file: FILE}\n"
SEND = ("send", "sms", "--to", "u1", "--template", "otp", "--json")


@pytest.fixture
def folder(config):
    """The project's folder, with a named pipe that nobody writes to, under the names that files have."""
    config.parent.joinpath("values.json").write_text('{"code": "1"}')
    config.parent.joinpath("audience.csv").write_text("customUserId,code\nu1,1\n")
    for name in ("pipe", "pipe.yaml", "pipe.csv", "pipe.jsonl"):
        os.mkfifo(config.parent / name)
    return config.parent


@pytest.mark.parametrize(
    "arguments",
    [
        ("--config", "pipe.yaml", "channels", "list", "--json"),
        ("--config", "pipe.yaml", "channels", "verify", "sms", "--by", "sara", "--json"),
        ("campaign", "run", "pipe.yaml", "--dry-run", "--json"),
        ("campaign", "run", "pipe.yaml", "--yes", "--json"),
        ("campaign", "test", "pipe.yaml", "--to", "u1", "--json"),
        (*SEND, "--context", "pipe"),
        ("preview", "otp", "--context", "pipe", "--json"),
        ("track", "--file", "pipe.jsonl", "--json"),
        ("identify", "--file", "pipe.jsonl", "--json"),
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_a_named_pipe_in_place_of_a_file_is_refused(folder, arguments):
    """At once, where opening it would wait for ever; the error says which file, and what to do."""
    result = run_command(*arguments, cwd=folder)
    error = result.document["error"]
    assert (result.status, error["code"]) == (2, "file_unreadable")
    assert "pipe" in error["message"]
    assert "not a regular file" in error["message"]
    assert "Name a regular file" in error["remedy"]


@pytest.mark.parametrize("key", ["api_key_file", "ca_file"])
def test_a_named_pipe_that_the_configuration_names_is_refused(tmp_path, key):
    """The key and the authorities are read when the first request is made."""
    os.mkfifo(tmp_path / "pipe")
    error = make_project(tmp_path, "https://127.0.0.1:9", **{key: str(tmp_path / "pipe")}).error()
    assert error.code == "file_unreadable"
    assert "not a regular file" in error.message


@pytest.mark.parametrize("field", ["audience", "suppress"])
def test_a_named_pipe_that_a_campaign_names_is_refused(folder, field):
    """An audience that comes from a program is piped in as standard input."""
    text = CAMPAIGN.replace("FILE", "pipe.csv" if field == "audience" else "audience.csv")
    (folder / "eid.yaml").write_text(text + ("suppress: [pipe.csv]\n" if field == "suppress" else ""))
    error = run_command("campaign", "run", "eid.yaml", "--dry-run", "--json", cwd=folder).document["error"]
    assert error["code"] == "file_unreadable"
    assert 'write "-"' in error["remedy"]


def test_a_named_pipe_in_the_templates_folder_is_refused(folder, templates):
    """Whether it is a sample or a file to include."""
    (templates / "otp" / "sample.yaml").unlink()
    os.mkfifo(templates / "otp" / "sample.yaml")
    os.mkfifo(templates / "layout")
    (templates / "otp" / "sms.txt.j2").write_text('{% include "layout" %}')
    for arguments in (("preview", "otp", "--json"), ("preflight", "sms", "--offline", "--json"), (*SEND, "--dry-run")):
        assert "not a regular file" in run_command(*arguments, cwd=folder).out


@pytest.mark.parametrize("name", ["ledger.db", "ledger.db-journal", "ledger.db-wal"])
def test_a_named_pipe_in_place_of_the_ledger_is_refused(metrix_config, name):
    """SQLite itself would wait for one in its journal's place."""
    config = metrix_config(ledger="sqlite:///./ledger.db")
    (config.parent / "ledger.db").touch()
    (config.parent / name).unlink(missing_ok=True)
    os.mkfifo(config.parent / name)
    error = run_command("campaign", "list", "--json", cwd=config.parent).document["error"]
    assert error["code"] == "ledger_unavailable"
    assert f"{name}' cannot be used: it is a named pipe" in error["message"]


def test_values_may_come_through_a_link(folder):
    """To a regular file, as secrets are often mounted."""
    (folder / "link.json").symlink_to("values.json")
    assert run_command(*SEND, "--context", "link.json", "--dry-run", cwd=folder).status == 0


def test_an_audience_may_come_from_a_pipe_as_standard_input(folder):
    """That it has no end of its own is known there."""
    (folder / "eid.yaml").write_text(CAMPAIGN.replace("FILE", '"-"'))
    result = run_command(
        "campaign", "run", "eid.yaml", "--dry-run", "--json", cwd=folder, stdin="customUserId,code\nu,1"
    )
    assert (result.status, result.document["plan"]["recipients"]) == (0, 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "arguments",
    [("campaign", "run", "eid.yaml", "--yes"), ("campaign", "run", "eid.yaml", "--dry-run"), ("preflight", "eid.yaml")],
    ids=" ".join,
)
def test_a_signal_ends_the_wait_for_standard_input(folder, arguments, number):
    """One is enough, while whoever writes the audience keeps it open and says nothing."""
    (folder / "eid.yaml").write_text(CAMPAIGN.replace("FILE", '"-"'))
    with subprocess.Popen(
        [COMMAND, *arguments, "--config", "channels.yaml"],
        cwd=folder, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            assert process.stdin is not None
            # More than a pipe holds: when all of it is gone, the audience is being read.
            process.stdin.write(b"customUserId,code\n" + b"u1,1\n" * 40_000)
            process.stdin.flush()
            process.send_signal(number)
            assert process.wait(timeout=60) in (4, -number)
        finally:
            process.kill()


@pytest.mark.parametrize("arguments", [("track", "--file", "-"), ("campaign", "run", "eid.yaml", "--dry-run")])
def test_a_closed_standard_input_is_empty(folder, arguments):
    """As under a supervisor that gives a process none."""
    (folder / "eid.yaml").write_text(CAMPAIGN.replace("FILE", '"-"'))
    command = ["sh", "-c", 'exec "$@" <&-', "sh", COMMAND, *arguments]
    result = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, timeout=60)
    assert result.returncode == (0 if arguments[0] == "track" else 2)
    assert b"internal" not in result.stderr
