"""Verbs where the machine lacks something, or the process that they run in is unlike a shell's."""

import sys

import pytest


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
        [found, *_] = [check for check in result.document["checks"] if "costly" in check["subject"]]
    else:
        found = result.document["error"]
        assert found["code"] == "renderer_unavailable"
    assert "sys.executable is '/usr/bin/uwsgi'" in found["message"]
    assert "sys.executable = '/usr/bin/python3'" in found["remedy"]
    assert metrix_sandbox.requests() == []
