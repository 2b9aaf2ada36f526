"""Verbs where the machine lacks something, or the process that they run in is unlike a shell's."""

import json
import logging
import subprocess
import sys

import pytest

from helpers.command_line import COMMAND, environment
from metrix_channels import Notifier


@pytest.fixture
def project(config, templates, metrix_sandbox, monkeypatch):
    """The project's folder, which is the current one, with an audience of 30 and a template of unknown cost."""
    monkeypatch.chdir(config.parent)
    metrix_sandbox.test_channel("SMS")
    (templates / "costly").mkdir()
    (templates / "costly" / "sms.txt.j2").write_text("{{ code }}{{ n ** 2 }}", encoding="utf-8")
    (templates / "costly" / "sample.yaml").write_text("code: 3\nn: 2\n", encoding="utf-8")
    rows = "".join(f"u{number},{number}\n" for number in range(30))
    (config.parent / "audience.csv").write_text(f"customUserId,code\n{rows}", encoding="utf-8")
    keys = "channel: sms\ntemplate: costly\naudience: {file: audience.csv}\ncontext: {n: 2}\n"
    (config.parent / "eid.yaml").write_text(f"version: 1\nname: eid\n{keys}", encoding="utf-8")
    return config.parent


# -- no Python to render with


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("send", "sms", "--to", "u1", "--template", "costly", "--set", "code=7", "--set", "n=2"), 2),
        (("campaign", "run", "eid.yaml", "--yes"), 2),
        (("campaign", "run", "eid.yaml", "--dry-run"), 2),
        (("preflight", "--offline"), 3),
        (("preflight", "eid.yaml", "--offline"), 3),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_without_an_interpreter_every_verb_names_the_cause(
    metrix, project, metrix_sandbox, monkeypatch, arguments, status
):
    """Once, not once a row; nothing left."""
    monkeypatch.setattr(sys, "executable", "/usr/bin/uwsgi")
    monkeypatch.setattr(sys, "_base_executable", None, raising=False)
    for prefix in ("prefix", "exec_prefix", "base_prefix", "base_exec_prefix"):
        monkeypatch.setattr(sys, prefix, str(project / "nowhere"))
    result = metrix(*arguments, "--json")
    assert result.status == status
    if arguments[0] == "preflight":
        [found, *_] = [check for check in result.document["checks"] if "sys.executable" in check["message"]]
    else:
        found = result.document["error"]
        assert found["code"] == "renderer_unavailable"
    assert "sys.executable is '/usr/bin/uwsgi'" in found["message"]
    assert "sys.executable = '/usr/bin/python3'" in found["remedy"]
    assert metrix_sandbox.requests() == []


# -- no folder for temporary files


NO_FOLDER = """
import sys, tempfile
tempfile.tempdir = "/nowhere"
from metrix_channels.cli import main
main()
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("campaign", "run", "eid.yaml", "--yes"),
        ("campaign", "run", "eid.yaml", "--dry-run"),
        ("track", "--file", "-"),
        ("demo",),
    ],
    ids=" ".join,
)
def test_without_a_folder_for_temporary_files_nothing_is_sent(project, metrix_sandbox, arguments):
    """The error says which variable names one."""
    command = [sys.executable, "-c", NO_FOLDER, *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment(), input="")
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (2, "temporary_unwritable")
    assert "TMPDIR" in error["remedy"]
    assert metrix_sandbox.requests() == []


# -- standard streams that are closed


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_keep_nothing_from_being_sent(project, metrix_sandbox, closed):
    """Also with a child process that renders, whose own streams take their numbers."""
    command = f"{COMMAND} campaign run eid.yaml --yes --json {closed}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, env=environment())
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert len(metrix_sandbox.messages()) == 30


# -- log levels of an application


def test_log_levels_of_the_http_client_stay_as_they_are(config, metrix_sandbox):
    """Those of the application: its own requests are logged as it wants them."""
    metrix_sandbox.test_channel("SMS")
    names = ("httpx", "httpcore", "httpcore.connection", "httpcore.http11", "httpcore.proxy")
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    try:
        with Notifier.from_config(config) as notifier:
            notifier.send("sms", "u1", "otp", {"code": "1"})
        assert [logging.getLogger(name).level for name in names] == [logging.DEBUG] * len(names)
    finally:
        for name in names:
            logging.getLogger(name).setLevel(logging.NOTSET)
