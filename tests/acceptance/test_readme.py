"""The README is true: its commands and its code run as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from metrix_channels import Notifier

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TRIED = "<!-- tried by tests/acceptance/test_readme.py -->\n"


def blocks(language, before=""):
    return re.findall(rf"{re.escape(before)}```{language}\n(.*?)```", README, re.DOTALL)


def commands():
    lines = "".join(blocks("console", TRIED)).splitlines()
    return [line.removeprefix("$ ") for line in lines]


def test_the_five_minutes_go_as_the_readme_says(metrix_sandbox, tmp_path):
    """Every command in order, in an empty folder: preflight refuses, and in the end one message arrived."""
    metrix_sandbox.test_channel("SMS")
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "METRIX_APP_ID": metrix_sandbox.app_id,
        "METRIX_API_KEY": metrix_sandbox.api_key,
    }
    folder = tmp_path
    statuses = []
    for command in commands():
        if command.startswith("cd "):
            folder /= command.removeprefix("cd ")
            config = folder / "channels.yaml"
            config.write_text(config.read_text().replace("https://entry.metrix.ir", metrix_sandbox.url))
            continue
        result = subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True)
        assert "Traceback" not in result.stderr
        statuses.append((command.split()[1], result.returncode))
    assert statuses == [
        ("init", 0),
        ("preview", 0),
        ("preflight", 3),
        ("channels", 0),
        ("preflight", 0),
        ("send", 0),
        ("send", 0),
        *[("campaign", 0)] * 5,
        ("identify", 0),
        ("track", 0),
        ("track", 0),
        ("preview", 0),
        ("campaign", 0),
        ("explain", 0),
        ("support-bundle", 0),
    ]
    assert len(metrix_sandbox.messages(recipient="user-42")) == 2  # the code, and the campaign's message to try it
    assert len(metrix_sandbox.messages(recipient="user-1")) == 1
    assert [event["processed"] for event in metrix_sandbox.events()] == [True] * 3


@pytest.mark.parametrize("source", blocks("python"), ids=lambda source: source.strip().splitlines()[0])
def test_the_python_of_the_readme_is_python(source):
    """Each block compiles by itself."""
    compile(source, "README.md", "exec")


def test_the_python_that_sends_sends(metrix_sandbox, metrix_config, monkeypatch, capsys):
    """As it stands, with a configuration that has what it names."""
    metrix_sandbox.test_channel("SMS")
    path = metrix_config(templates=str(ROOT / "templates"))
    monkeypatch.chdir(path.parent)
    [source] = [block for block in blocks("python") if "OutcomeUnknown" in block]
    exec(compile(source, "README.md", "exec"), {})
    assert capsys.readouterr().out == "accepted 1 False\n"


def test_the_test_of_the_readme_passes(metrix_sandbox, metrix_config, monkeypatch):
    """The one that shows the pytest plugin."""
    [source] = [block for block in blocks("python") if "def test_" in block]
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {"Notifier": Notifier}
    exec(compile(source, "README.md", "exec"), names)
    names["test_order_is_confirmed"](metrix_sandbox, metrix_config)  # type: ignore[operator]
