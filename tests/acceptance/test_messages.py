"""`messages`: what was sent to whom, as text, as JSON and from Python."""

import asyncio
import re
from datetime import timedelta

import pytest

from metrix_channels import AsyncNotifier, MessageInvalid, Notifier, SentMessage, UsageError

KEYS = ["at", "recipient", "channel", "template", "campaign", "key", "outcome", "attempts", "receipt"]


@pytest.fixture
def sent(metrix, config, metrix_sandbox, monkeypatch):
    """A project whose ledger holds a send, a text and a campaign, all to user-42."""
    monkeypatch.chdir(config.parent)
    metrix_sandbox.test_channel("SMS")
    (config.parent / "people.csv").write_text("id,code\nuser-42,1\nسارا,2\n", encoding="utf-8")
    (config.parent / "eid.yaml").write_text(
        "version: 1\nname: eid\nchannel: sms\ntemplate: otp\naudience: {file: people.csv, id: id}\n"
    )
    assert (
        metrix("send", "sms", "--to", "user-42", "--template", "otp", "--set", "code=1", "--key", "order-7").status == 0
    )
    assert metrix("campaign", "run", "eid.yaml", "--yes").status == 0
    assert metrix("send", "push", "--to", "user-42", "--to", "u9", "--title", "x", "--text", "سلام").status == 0
    return config


def test_the_document_is_that_of_the_contract(metrix, sent):
    """Key by key, the newest first."""
    found = metrix("messages", "--recipient", "user-42", "--json").document
    assert list(found) == ["messages"]
    assert [list(each) for each in found["messages"]] == [KEYS] * 3
    assert sorted(each["campaign"] or "" for each in found["messages"]) == ["", "", "eid"]
    times = [each["at"] for each in found["messages"]]
    assert times == sorted(times, reverse=True)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", each["at"]) for each in found["messages"])
    by_key = metrix("messages", "--key", "order-7", "--json").document["messages"]
    assert [each | {"at": "", "receipt": ""} for each in by_key] == [
        {
            "at": "",
            "recipient": "user-42",
            "channel": "sms",
            "template": "otp",
            "campaign": None,
            "key": "order-7",
            "outcome": "accepted",
            "attempts": 1,
            "receipt": "",
        }
    ]


def test_each_option_narrows_it(metrix, sent):
    """Several together, too."""

    def found(*options):
        return {each["recipient"] for each in metrix("messages", *options, "--json").document["messages"]}

    assert found() == {"user-42", "سارا", "u9"}
    assert found("--campaign", "eid") == {"user-42", "سارا"}
    assert found("--recipient", "سارا") == {"سارا"}
    assert found("--channel", "push") == {"user-42", "u9"}
    assert found("--since", "24h", "--outcome", "accepted") == {"user-42", "سارا", "u9"}
    assert found("--outcome", "rejected") == set()
    assert found("--channel", "email") == set()


def test_the_text_is_a_table(metrix, sent):
    """Or says that nothing was found."""
    assert re.search(r"accepted +سارا +sms +otp +eid +1 +\d+-\d+", metrix("messages", "--recipient", "سارا").out)
    assert metrix("messages", "--recipient", "nobody").out == "No message was found.\n"
    assert metrix("messages", "--recipient", "nobody", "--json").document == {"messages": []}


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--recipient", ""), "recipient_invalid"),
        (("--recipient", " user-42"), "recipient_invalid"),
        (("--recipient", "user\u202e42"), "recipient_invalid"),
        (("--key", ""), "usage"),
        (("--outcome", "delivered"), "usage"),
        (("--since", "yesterday"), "usage"),
        (("--since", "-1h"), "usage"),
        (("--channel", "smss"), "channel_unknown"),
        (("--campaign", "eit"), "run_missing"),
    ],
)
def test_a_slip_is_an_error(metrix, sent, options, code):
    """And not an empty answer."""
    result = metrix("messages", *options, "--json")
    assert (result.status, result.document["error"]["code"]) == (2, code)
    assert list(result.document) == ["error"]


def test_python_gives_them_one_by_one(sent):
    """An iterator; the outcome of a slip is an error at once."""
    with Notifier.from_config(sent) as notifier:
        found = list(notifier.messages(recipient="user-42", since=timedelta(hours=24)))
        assert ([type(each) for each in found], len(found)) == ([SentMessage] * 3, 3)
        assert next(iter(notifier.messages(campaign="eid", recipient="سارا"))).outcome == "accepted"
        assert list(notifier.messages(since=timedelta(0))) == []
        for wrong in ({"outcome": "delivered"}, {"since": timedelta(-1)}, {"since": timedelta.max}, {"since": "24h"}):
            with pytest.raises(UsageError):
                notifier.messages(**wrong)
        with pytest.raises(MessageInvalid):
            notifier.messages(recipient=" ")


def test_python_gives_them_in_an_event_loop(sent):
    """As an asynchronous iterator."""

    async def run():
        async with AsyncNotifier.from_config(sent) as notifier:
            return [each.recipient async for each in notifier.messages(channel="push")]

    assert sorted(asyncio.run(run())) == ["u9", "user-42"]
