"""Assertions about what arrived: what passes, and what a failure says."""

import pytest

from metrix_channels.testing.messages import arrived_messages


def entry(body, to=("u1",), *, title=None, reason=None, channel="SMS"):
    """A message, as the sandbox describes it."""
    message = {"body": body} if title is None else {"title": title, "body": body}
    return {
        "channel": channel,
        "recipients": list(to),
        "message": message,
        "at": "2026-03-20T06:30:00.000Z",
        "delivered": reason is None,
        "reason": reason,
        "fault": None,
    }


def sms(*entries):
    return arrived_messages("an SMS", entries)


def failure(act):
    """What the failure of an assertion says, line by line."""
    with pytest.raises(AssertionError) as raised:
        act()
    return str(raised.value).splitlines()


def test_assertions_narrow():
    """Each returns the messages that it found; the last is the newest."""
    messages = sms(entry("order 1, code 11"), entry("order 2"), entry("order 1", ["u2", "u1"]))
    messages.to("u1").contains("order 1").count(2)
    messages.to("u1").contains("order 1").contains("code 11").count(1)
    messages.to("u2").count(1)
    messages.contains("order 2").not_sent_to("u2")
    assert messages.last.recipients == ("u2", "u1")
    assert [message.body for message in messages.to("u2")] == ["order 1"]
    assert (len(messages), repr(messages)) == (3, "<an SMS: 3>")


def test_two_texts_in_two_messages_are_not_in_one():
    """A chain is about the same message."""
    messages = sms(entry("order 1"), entry("code 11"))
    assert failure(lambda: messages.contains("order 1").contains("code 11"))[0] == (
        "Expected an SMS with the text 'order 1' with the text 'code 11', but none arrived."
    )


def test_a_title_is_searched_too():
    """That of a push, or the subject of an email."""
    push = arrived_messages("a push", [entry("body", title="Sale", channel="APP_PUSH")])
    assert push.contains("Sale").last.title == "Sale"
    assert failure(lambda: push.to("u2"))[-1] == "  APP_PUSH to 'u1': 'Sale': 'body'"


@pytest.mark.parametrize("digits", ["۱۲۳۴", "١٢٣٤", "1234"])
@pytest.mark.parametrize("asked", ["1234", "۱۲۳۴", "١٢٣٤"])
def test_digits_are_folded_where_it_is_asked_for(digits, asked):
    """In both texts; letters stay as they are, and without it the failure says how to ask."""
    messages = sms(entry(f"کد\u200cشما {digits}"))
    messages.contains(f"کد\u200cشما {asked}", fold_digits=True)
    if digits == asked:
        messages.contains(asked)
        return
    said = failure(lambda: messages.contains(asked))
    assert said[1] == "A message has this text with other digits: use fold_digits=True."
    assert failure(lambda: messages.contains(f"كد {asked}", fold_digits=True))[1] == "Arrived: 1 message:"


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (lambda messages: messages.to("u9"), "Expected an SMS to 'u9', but none arrived."),
        (lambda messages: messages.contains("no"), "Expected an SMS with the text 'no', but none arrived."),
        (
            lambda messages: messages.to("u1").contains("no"),
            "Expected an SMS to 'u1' with the text 'no', but none arrived.",
        ),
        (lambda messages: messages.count(1), "Expected 1 message (an SMS), but 2 arrived."),
        (lambda messages: messages.to("u1").count(0), "Expected 0 messages (an SMS to 'u1'), but 1 arrived."),
        (lambda messages: messages.not_sent_to("u1"), "Expected nothing for 'u1', but an SMS was sent."),
    ],
)
def test_a_failure_lists_what_arrived(act, expected):
    """Also what the chain left out."""
    assert failure(lambda: act(sms(entry("سلام ۱"), entry("سلام ۲", ["u2"])))) == [
        expected,
        "Arrived: 2 messages:",
        "  SMS to 'u1': 'سلام ۱'",
        "  SMS to 'u2': 'سلام ۲'",
    ]


@pytest.mark.parametrize("act", [lambda none: none.last, lambda none: none.to("u1"), lambda none: none.contains("")])
def test_nothing_arrived(act):
    """The failure says so; to have counted none is right."""
    sms().count(0)
    sms().not_sent_to("u1")
    assert failure(lambda: act(sms()))[-1] == "Arrived: no message."


def test_what_was_not_delivered_did_not_arrive():
    """It is listed with the reason and the way out, and counts as sent."""
    messages = sms(entry("code 1", reason="channel not tested"))
    assert len(messages) == 0
    assert failure(lambda: messages.to("u1")) == [
        "Expected an SMS to 'u1', but none arrived.",
        "Arrived: no message.",
        "Sent, but not delivered: 1 message:",
        "  SMS to 'u1': 'code 1' (channel not tested)",
        'Before the send, call metrix_sandbox.test_channel("SMS").',
    ]
    assert failure(lambda: messages.not_sent_to("u1"))[0] == "Expected nothing for 'u1', but an SMS was sent."
    assert failure(lambda: messages.contains("code"))[0] == "Expected an SMS with the text 'code', but none arrived."


def test_a_long_list_is_shortened():
    """The newest messages, the first recipients, the beginning of a text; no character draws on the terminal."""
    many = [entry(f"text {number}") for number in range(30)]
    said = failure(lambda: sms(*many, entry("x" * 300 + "\x1b[2J", [f"u{n}" for n in range(8)])).to("none"))
    assert said[1] == "Arrived: 31 messages, the newest 20 of them:"
    assert said[2] == "  SMS to 'u1': 'text 11'"
    assert said[-1].startswith("  SMS to 'u0', 'u1', 'u2', 'u3', 'u4' and 3 more: 'xxx")
    assert said[-1].endswith("x…'")
    assert failure(lambda: sms(entry("\x1b[2J")).to("none"))[-1] == r"  SMS to 'u1': '\x1b[2J'"
