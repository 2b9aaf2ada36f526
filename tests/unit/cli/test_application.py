"""Shared options stand anywhere; every error becomes words and a status."""

import json

import pytest

from metrix_channels.cli.application import divide, run
from metrix_channels.cli.context import example


@pytest.mark.parametrize(
    ("arguments", "shared", "others"),
    [
        ([], [], []),
        (["send", "sms"], [], ["send", "sms"]),
        (["send", "--json", "sms"], ["--json"], ["send", "sms"]),
        (["send", "-v", "sms", "-vvv", "--verbose"], ["-v", "-vvv", "--verbose"], ["send", "sms"]),
        (["send", "--config", "a.yaml", "sms"], ["--config", "a.yaml"], ["send", "sms"]),
        (["send", "--config=a\nb"], ["--config=a\nb"], ["send"]),
        (["send", "--config"], ["--config"], ["send"]),
        (["send", "--config", "--json"], ["--config", "--json"], ["send"]),
        (["send", "--", "--json", "-v"], [], ["send", "--", "--json", "-v"]),
        (["send", "--set=--json", "-value"], [], ["send", "--set=--json", "-value"]),
    ],
)
def test_shared_options_are_found_wherever_they_stand(arguments, shared, others):
    """Behind `--` nothing is an option, and `-value` is another option's value."""
    assert divide(arguments) == (shared, others)


def test_an_example_keeps_its_lines():
    """What a terminal would fold could not be copied."""
    assert example("metrix-channels demo") == "\b\nExample:\n  metrix-channels demo"
    assert example("a", "b") == "\b\nExamples:\n  a\n  b"


def test_an_interrupt_is_no_fault(monkeypatch, capfd):
    """Exit status 4, in words."""

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("metrix_channels.config.find_config", interrupt)
    assert run(["channels", "list"]) == 4
    out, err = capfd.readouterr()
    assert out == ""
    assert "[interrupted]" in err
    assert run(["channels", "list", "--json"]) == 4
    assert json.loads(capfd.readouterr().out)["error"]["code"] == "interrupted"
