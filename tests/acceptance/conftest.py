"""What the acceptance tests share: a project that points at the sandbox, and the command in this process."""

import json
from pathlib import Path

import pytest

from helpers.command_line import Finished
from metrix_channels.cli.application import run

SMS = "کد ورود شما: {{ code }}"


@pytest.fixture
def templates(tmp_path):
    """A folder with one template, `otp`, in Persian and in English, for SMS and push."""
    folder = tmp_path / "templates"
    (folder / "otp").mkdir(parents=True)
    (folder / "otp" / "sms.txt.j2").write_text(SMS, encoding="utf-8")
    (folder / "otp" / "sms.en.txt.j2").write_text("Your code: {{ code }}", encoding="utf-8")
    (folder / "otp" / "push.txt.j2").write_text(f"---\ntitle: ورود\n---\n{SMS}", encoding="utf-8")
    (folder / "otp" / "sample.yaml").write_text("code: '4821'\n", encoding="utf-8")
    return folder


@pytest.fixture
def config(metrix_config, templates) -> Path:
    """A channels.yaml with verified channels."""
    return metrix_config(templates=templates, metrix={"max_attempts": 2})


@pytest.fixture
def metrix(capfd, monkeypatch):
    """Runs the command in this process, quicker than in one of its own."""
    monkeypatch.delenv("METRIX_CHANNELS_CONFIG", raising=False)

    def call(*arguments: str | Path) -> Finished:
        capfd.readouterr()
        status = run([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        if "--json" in arguments and "--" not in arguments:
            json.loads(out)
        return Finished(status, out, err)

    return call
