"""Whatever is typed: one JSON document, an exit status of the contract, no traceback."""

import os
import subprocess
import sys

import pytest

from helpers.command_line import run_command

VERBS = (
    "init", "preflight", "channels", "channels list", "channels verify", "send", "preview", "campaign run",
    "campaign test", "campaign list", "campaign status", "campaign pause", "campaign resume", "campaign cancel",
    "campaign retry", "campaign report", "explain", "support-bundle", "sandbox", "demo",
)  # fmt: skip
ERROR = {"code", "message", "remedy", "location"}
HOSTILE = ("", "--", "\u202egnp.exe", "\x1b[2J\x7f", "a\nb", "a" * 100_000, "\udcff", "{{ 7*7 }}[/red]")


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_explains_itself_with_an_example(metrix, verb):
    """`--help` ends with 0, and its example is one line that can be copied."""
    result = metrix(*verb.split(), "--help")
    assert (result.status, result.err) == (0, "")
    assert f"\n    metrix-channels {verb}" in result.out


def test_the_help_lists_every_verb_in_one_line_each(metrix):
    """No title is cut off."""
    result = metrix("--help")
    assert result.status == 0
    assert "..." not in result.out.partition("Commands:")[2]
    for verb in {verb.split()[0] for verb in VERBS}:
        assert f"\n  {verb} " in result.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Missing command"),
        (("nope",), "No such command 'nope'"),
        (("channels",), "No command was given"),
        (("channels", "nope"), "No such command 'nope'"),
        (("send",), "Missing argument"),
        (("send", "sms"), "Missing option"),
        (("send", "sms", "--to"), "requires an argument"),
        (("preview",), "Missing argument"),
        (("preview", "otp", "more"), "extra argument"),
        (("preflight", "--nope"), "No such option"),
        (("init", "--offline"), "No such option"),
        (("demo", "more"), "extra argument"),
        (("--nope", "demo"), "No such option"),
        (("demo", "--config"), "--config needs a file name"),
    ],
)
def test_a_wrong_command_is_one_document_and_exit_status_2(metrix, arguments, said):
    """It says what is wrong, and which help to read."""
    result = metrix(*arguments[:1], "--json", *arguments[1:])
    assert (result.status, result.err) == (2, "")
    assert set(result.document["error"]) == ERROR
    assert result.document["error"]["code"] == "usage"
    assert said in result.document["error"]["message"]
    text = metrix(*arguments)
    assert (text.status, text.out) == (2, "")
    assert text.err


def test_without_a_verb_the_help_is_shown(metrix):
    """On stderr: it is no result."""
    for arguments in ((), ("channels",)):
        result = metrix(*arguments)
        assert (result.status, result.out) == (2, "")
        assert result.err.startswith("Usage: metrix-channels")


def test_the_version(metrix):
    """Alone, and as a document."""
    plain, document = metrix("--version"), metrix("--version", "--json")
    assert (plain.status, document.status) == (0, 0)
    assert document.document == {"version": plain.out.strip()}


def test_what_follows_two_dashes_is_never_an_option(metrix, config):
    """A template may have any name; the document is asked for before the dashes."""
    result = metrix("--config", config, "preview", "--", "--json")
    assert "[template_path_refused]" in result.err


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    "arguments",
    [
        ("send", "VALUE", "--to", "u", "--template", "otp"),
        ("send", "sms", "--to=VALUE", "--template", "otp", "--set", "code=1"),
        ("send", "sms", "--to", "u", "--template=VALUE"),
        ("send", "sms", "--to", "u", "--template", "otp", "--set=VALUE"),
        ("send", "sms", "--to", "u", "--template", "otp", "--context=VALUE"),
        ("send", "sms", "--to", "u", "--template", "otp", "--set", "code=1", "--locale=VALUE"),
        ("send", "sms", "--to", "u", "--template", "otp", "--set", "code=1", "--key=VALUE"),
        ("send", "sms", "--to", "u", "--template", "otp", "--set", "code=VALUE", "--dry-run"),
        ("preflight", "--offline", "VALUE"),
        ("preview", "VALUE"),
        ("preview", "otp", "--channel=VALUE"),
        ("preview", "otp", "--set", "code=VALUE"),
        ("channels", "verify", "VALUE", "--by", "sara"),
        ("channels", "verify", "sms", "--by", "sara", "--note=VALUE"),
        ("channels", "verify", "sms", "--by", "sara", "--expires=VALUE"),
        ("--config=VALUE", "channels", "list"),
        ("VALUE",),
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_hostile_values_end_in_words(metrix, config, arguments, value):
    """Huge, not UTF-8, mark-up: one document; what could draw on the terminal, as text, does not."""
    call = [argument.replace("VALUE", value) for argument in ("--config", str(config), *arguments)]
    drawing = bool({"\x1b", "\u202e", "\n"} & set(value))
    result = metrix(*call) if drawing else metrix("--json", *call)
    assert result.status in (0, 2, 3)
    assert "internal" not in result.out + result.err
    assert not {"\x1b", "\u202e", "\x7f"} & set(result.out + result.err)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[1]",
        b'"text"',
        b"null",
        b'{"code": NaN}',
        b'{"code": -Infinity}',
        b'{"code": 1e999}',
        b'{"code": 1, "code": 2}',
        b'{"a": {"b": 1, "b": 2}}',
        b'{"code": "\\ud800"}',
        b'{"code": ' + b"9" * 5000 + b"}",
        b"[" * 200_000,
        b'{"code": ' + b"[" * 50_000,
        b"\xff\xfe{\x00}\x00",
        b'{"code": "\x00"}',
        b" " * 5_000_000,
    ],
    ids=lambda content: repr(content[:24]),
)
def test_a_context_that_is_no_plain_data_is_refused(metrix, config, tmp_path, metrix_sandbox, content):
    """Broken, repeated, infinite, huge or deep: exit status 2 before a request."""
    file = tmp_path / "context.json"
    file.write_bytes(content)
    send = ("send", "sms", "--to", "u", "--template", "otp", "--context", file)
    result = metrix("--config", config, "--json", *send)
    assert result.status == 2
    assert set(result.document["error"]) == ERROR
    assert result.document["error"]["code"] != "internal"
    assert metrix_sandbox.requests() == []


def test_files_that_cannot_be_read_are_explained(metrix, config, tmp_path):
    """A folder, a missing file, a device without end, a loop of links."""
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    send = ("send", "sms", "--to", "u", "--template", "otp", "--json")
    for path in (tmp_path, tmp_path / "missing", "/dev/zero", loop, "/proc/self/mem"):
        assert metrix("--config", config, *send, "--context", path).status == 2
        result = metrix("--config", path, *send)
        assert (result.status, set(result.document)) == (2, {"error"})


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_files_without_permission_are_explained(metrix, config, tmp_path):
    """The system's own word is in the message."""
    config.chmod(0)
    result = metrix("--config", config, "channels", "list", "--json")
    assert result.document["error"]["code"] == "file_unreadable"


def test_a_fault_of_our_own_shows_no_value_and_no_traceback(metrix, config, monkeypatch):
    """What the exception says may hold a secret: it is not shown."""

    def fail(*_):
        raise RuntimeError("the key is s3cret")

    monkeypatch.setattr("metrix_channels.support.standings.standing", fail)
    for more in ((), ("--json",), ("-vv",)):
        result = metrix("--config", config, "channels", "list", *more)
        assert "Traceback" not in result.err
        assert result.status == 1
        assert "internal" in result.out + result.err
        assert "RuntimeError" in result.out + result.err
        assert "s3cret" not in result.out + result.err


def test_the_configuration_is_found_by_its_variable(config, tmp_path):
    """METRIX_CHANNELS_CONFIG names it; what it names must be there; --config wins."""
    listed = run_command("channels", "list", cwd=tmp_path, env={"METRIX_CHANNELS_CONFIG": str(config)})
    assert listed.status == 0
    missing = {"METRIX_CHANNELS_CONFIG": "missing.yaml"}
    refused = run_command("channels", "list", "--json", cwd=tmp_path, env=missing)
    assert (refused.status, refused.document["error"]["code"]) == (2, "config_missing")
    assert "METRIX_CHANNELS_CONFIG" in refused.document["error"]["message"]
    assert run_command("channels", "list", "--config", config, cwd=tmp_path, env=missing).status == 0


def test_a_folder_that_was_deleted_under_us_is_no_fault(config, tmp_path):
    """Nothing needs the current folder where --config is given."""
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"import os; os.rmdir({str(gone)!r}); from metrix_channels.cli import main; main()"
    # -P: as the installed command, which does not look for modules in the current folder.
    for arguments, status in ((("channels", "list"), 2), (("--config", str(config), "preflight", "--offline"), 0)):
        gone.mkdir(exist_ok=True)
        result = subprocess.run(
            [sys.executable, "-P", "-c", script, *arguments], cwd=gone, capture_output=True, text=True
        )
        assert "Traceback" not in result.stderr
        assert "internal" not in result.stderr
        assert result.returncode == status
