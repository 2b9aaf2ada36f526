"""Completion: a real bash asks the installed command."""

import os
import pty
import select
import subprocess
import time
from pathlib import Path

import pytest

from helpers.command_line import COMMAND, environment, run_command
from metrix_channels.cli.commands import VERBS

SEARCHED = f"{Path(COMMAND).parent}{os.pathsep}{os.environ['PATH']}"
COMPLETE = """
eval "$(metrix-channels --show-completion bash)"
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_metrix_channels_completion metrix-channels
printf '%s\n' "${COMPREPLY[@]}"
"""


def completions(*words):
    """What bash offers when the key is pressed at the end of the last word."""
    command = ["bash", "--norc", "-c", COMPLETE, "bash", "metrix-channels", *words]
    shell = subprocess.run(
        command, env=environment(PATH=SEARCHED), capture_output=True, text=True, check=True, timeout=60
    )
    assert shell.stderr == ""
    return shell.stdout.split()


def test_every_verb_is_offered():
    """In the order of `--help`."""
    assert completions("") == list(VERBS)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("camp",), ["campaign"]),
        (("campaign", "re"), ["resume", "retry", "report"]),
        (("send", "sms", "--to", "user-42", "--te"), ["--template", "--text"]),
        (("--config", "channels.yaml", "ledger", ""), ["purge", "check", "adopt"]),
        (("--json", "campaign", "run", "--ca"), ["--canary"]),
        (("send", "--json", "--te"), ["--template", "--text"]),
        (("--sh",), ["--show-completion"]),
        (("campaign", "run", ""), []),  # bash offers files then
    ],
    ids=" ".join,
)
def test_a_verb_offers_its_own(words, offered):
    """Though its module is imported only when it is named; shared options may stand before or after it."""
    assert completions(*words) == offered


def test_the_key_completes_a_line():
    """In an interactive bash that has run the line of the README."""
    shell, terminal = pty.openpty()
    env = environment(PATH=SEARCHED, TERM="dumb", PS1="$ ", INPUTRC="/dev/null")
    with subprocess.Popen(["bash", "--norc", "-i"], env=env, stdin=terminal, stdout=terminal, stderr=terminal) as bash:
        os.write(shell, b'eval "$(metrix-channels --show-completion bash)"; echo is ""ready\n')
        await_output(shell, b"is ready")
        os.write(shell, b"metrix-channels camp\t--help\n")
        await_output(shell, b"metrix-channels campaign --help")
        await_output(shell, b"Send a campaign; safe to resume")
        bash.kill()
    os.close(shell)
    os.close(terminal)


def await_output(shell, wanted, seconds=60):
    """Read what a terminal shows until `wanted` has come."""
    seen, until = b"", time.monotonic() + seconds
    while wanted not in seen:
        readable, _, _ = select.select([shell], [], [], until - time.monotonic())
        assert readable, f"{wanted!r} did not come: {seen!r}"
        seen += os.read(shell, 4096)


@pytest.mark.parametrize(
    ("shell", "has"), [("bash", "complete -o default"), ("zsh", "compdef"), ("fish", "complete --command")]
)
def test_the_script_is_printed_and_no_file_is_changed(shell, has, tmp_path):
    """Where it goes is the user's decision."""
    shown = run_command("--show-completion", shell, cwd=tmp_path, env={"HOME": str(tmp_path)})
    assert shown.status == 0
    assert has in shown.out
    assert "_METRIX_CHANNELS_COMPLETE" in shown.out
    assert list(tmp_path.iterdir()) == []


def test_another_shell_is_an_error(tmp_path):
    """The message names those that there are."""
    result = run_command("--show-completion", "tcsh", cwd=tmp_path)
    assert result.status == 2
    assert "'tcsh'" in result.err
    assert "zsh" in result.err


def test_the_script_as_json(tmp_path):
    """One document, as everywhere."""
    document = run_command("--json", "--show-completion", "fish", cwd=tmp_path).document
    assert document["shell"] == "fish"
    assert "metrix-channels" in document["script"]
