"""`send --text`: a message without a template, as it is, checked and kept as any other."""

import asyncio
import json
import sqlite3
from contextlib import closing

import pytest

from helpers.command_line import run_command
from metrix_channels import AsyncNotifier, Notifier, UsageError

PERSIAN = "میز شما آماده است: می‌رسیم."


def send(config, *arguments):
    """Return the arguments of a send to user-42."""
    return ("--config", config, "send", "sms", "--to", "user-42", *arguments, "--json")


@pytest.mark.parametrize(
    "text", [PERSIAN, "{{ x }} {% raw %} {# y #}", "---\ntitle: no\n---\nbody", "${HOME}\n\tx", "-5%"]
)
def test_a_text_arrives_as_it_was_typed(metrix, config, metrix_sandbox, text):
    """Persian, what would be syntax in a template, several lines: nothing in it is rendered."""
    assert metrix(*send(config, "--text", text)).status == 0
    assert [each["message"] for each in metrix_sandbox.messages()] == [{"body": text}]


def test_a_title_goes_with_it(metrix, config, metrix_sandbox):
    """A push has one."""
    metrix("--config", config, "send", "push", "--to", "u1", "--title", "میز {{ n }}", "--text", "آماده است")
    assert metrix_sandbox.messages()[0]["message"] == {"title": "میز {{ n }}", "body": "آماده است"}


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--template", "otp", "--text", "hello"),
        ("--template", "otp", "--title", "hello"),
        ("--title", "hello"),
        ("--text", "hello", "--set", "code=1"),
        ("--text", "hello", "--locale", "fa"),
    ],
)
def test_a_text_and_a_template_exclude_each_other(metrix, config, metrix_sandbox, arguments):
    """Both, neither, or options of the other are a usage error, and nothing is sent."""
    for more in ((), ("--dry-run",)):
        result = metrix(*send(config, *arguments, *more))
        assert (result.status, result.document["error"]["code"]) == (2, "usage")
        assert "--text" in result.document["error"]["remedy"]
    assert metrix_sandbox.requests() == []


@pytest.mark.parametrize(
    ("channel", "arguments", "code"),
    [
        ("sms", ("--text", ""), "message_empty"),
        ("sms", ("--text", " \n"), "message_empty"),
        ("sms", ("--text", "a\x07b"), "field_invalid"),
        ("push", ("--text", "a", "--title", "two\nlines"), "field_invalid"),
        ("push", ("--text", "س" * 2100), "message_too_large"),
        ("email", ("--title", "x", "--text", '<a href="javascript:alert(1)">x</a>'), "link_refused"),
    ],
)
def test_a_text_is_checked_as_any_message(metrix, config, metrix_sandbox, channel, arguments, code):
    """By what its channel carries, before anything is sent."""
    result = metrix("--config", config, "send", channel, "--to", "u1", *arguments, "--json")
    assert (result.status, result.document["error"]["code"]) == (2, code)
    assert metrix_sandbox.requests() == []


def test_a_dry_run_counts_the_parts(metrix, config, metrix_sandbox):
    """A Persian text over 70 letters is two parts for each recipient."""
    found = metrix(*send(config, "--to", "user-43", "--text", "س" * 71, "--dry-run")).document
    assert found["requests"][0]["body"]["message"] == {"body": "س" * 71}
    assert (found["sms_parts"], [each["code"] for each in found["cautions"]]) == (4, ["sms_parts"])
    assert metrix(*send(config, "--text", "x" * 160, "--dry-run")).document["sms_parts"] == 1
    push = metrix("--config", config, "send", "push", "--to", "u1", "--text", "x", "--dry-run", "--json").document
    assert (push["sms_parts"], push["cautions"][0]["code"]) == (None, "push_without_title")
    assert "billed as 2 parts" in metrix(*send(config, "--text", "س" * 71, "--dry-run")[:-1]).err
    assert metrix_sandbox.requests() == []


def test_the_gate_holds(metrix, metrix_config, templates, metrix_sandbox):
    """A text is no way around a channel that nobody tested."""
    config = metrix_config(templates=templates, channels={"sms": {"type": "sms", "verified": False}})
    result = metrix(*send(config, "--text", "hello"))
    assert (result.status, result.document["error"]["code"]) == (3, "channel_unverified")
    assert metrix_sandbox.requests() == []


def test_a_key_stands_for_its_text(metrix, config, metrix_sandbox):
    """The same text once; another text, another title, or a template under the key are other contents."""
    first, second = (metrix(*send(config, "--text", PERSIAN, "--key", "table-7")) for _ in range(2))
    assert second.document["receipts"][0]["id"] == first.document["receipts"][0]["id"]
    for other in (
        ("--text", PERSIAN + "!"),
        ("--text", PERSIAN, "--title", ""),
        ("--template", "otp", "--set", "code=1"),
    ):
        assert metrix(*send(config, *other, "--key", "table-7")).document["error"]["code"] == "key_reused"
    assert len(metrix_sandbox.requests()) == 1


def test_the_ledger_keeps_it(metrix, config):
    """Text and channel, without the name of a template."""
    metrix(*send(config, "--text", PERSIAN))
    with closing(sqlite3.connect(config.with_name("metrix-channels.db"))) as ledger:
        [(template, message)] = ledger.execute("SELECT template, message FROM sends").fetchall()
    assert (template, json.loads(message)) == ("", {"channel": "SMS", "message": {"body": PERSIAN}})


def test_python_takes_a_text(config, metrix_sandbox):
    """To one, to several, and as a dry run."""
    with Notifier.from_config(config) as notifier:
        assert notifier.send("sms", "u1", text=PERSIAN).recipients == ("u1",)
        [receipt] = notifier.send("push", ["u1", "u2"], text="{{ x }}", title="{{ y }}", deadline=5.0)
        assert receipt.recipients == ("u1", "u2")
        [request] = notifier.dry_run("sms", "u1", text="{{ x }}")
        assert request["body"] == {"recipients": ["u1"], "channel": "SMS", "message": {"body": "{{ x }}"}}
    assert [each["message"]["body"] for each in metrix_sandbox.messages(channel="SMS")] == [PERSIAN]


def test_python_takes_a_text_in_an_event_loop(config, metrix_sandbox):
    """The same by AsyncNotifier."""

    async def use():
        async with AsyncNotifier.from_config(config) as notifier:
            assert (await notifier.send("sms", "u1", text=PERSIAN)).recipients == ("u1",)
            assert len(await notifier.dry_run("sms", ["u1", "u2"], text="x")) == 1

    asyncio.run(use())
    assert metrix_sandbox.messages()[0]["message"] == {"body": PERSIAN}


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"template": "otp", "text": "x"},
        {"text": "x", "context": {"a": 1}},
        {"text": "x", "locale": "fa"},
        {"title": "x"},
    ],
)
def test_python_says_what_excludes_what(config, metrix_sandbox, arguments):
    """A usage error from each method."""
    with Notifier.from_config(config) as notifier:
        for method in (notifier.send, notifier.dry_run):
            with pytest.raises(UsageError) as refused:
                method("sms", "u1", **arguments)
            assert (refused.value.code, "pass `template`" in refused.value.remedy) == ("usage", True)
        with pytest.raises(UsageError, match=r"template|text"):
            notifier.enqueue("sms", "u1", connection=object(), **arguments)
    assert metrix_sandbox.requests() == []


def test_the_help_shows_one(tmp_path):
    """With an example."""
    assert '--text "Your table is ready."' in run_command("send", "--help", cwd=tmp_path).out
