"""`identify` and `track`: users and events from the command line."""

import json
import signal
import threading

import pytest

from helpers.command_line import run_command, started_command
from helpers.fault_server import Answer, FaultServer, refusing_address


@pytest.fixture
def taxonomy_config(metrix_config):
    return metrix_config(taxonomy=["order_paid"], metrix={"max_attempts": 2})


def test_a_user_arrives_as_told(metrix, config, metrix_sandbox):
    """Texts, a date, and attributes of both kinds."""
    result = metrix(
        "--config", config, "identify", "user-42", "--email", "sara@example.com", "--phone", "+989121234567",
        "--first-name", "سارا", "--birthday", "1990-05-01", "--attribute", "zip=01234", "--attribute", "level:=3",
    )  # fmt: skip
    assert (result.status, result.err) == (0, "")
    assert "accepted  user-42  user at " in result.out
    [event] = metrix_sandbox.events()
    assert event["user"] == {"customUserId": "user-42"}
    told = {key: value for key, value in event["message"].items() if key not in ("id", "time")}
    assert told == {
        "type": "user",
        "email": "sara@example.com",
        "phoneNumber": "+989121234567",
        "firstName": "سارا",
        "birthday": 641_520_000_000,
        "customAttributes": {"zip": "01234", "level": 3},
    }


def test_the_document_of_an_event(metrix, config, metrix_sandbox):
    """Its id, its time and what became of it."""
    arguments = (
        "track",
        "m-1",
        "--metrix-user",
        "--slug",
        "abcde",
        "--revenue",
        "12",
        "--time",
        "2026-11-20T10:00:00Z",
    )
    result = metrix("--config", config, *arguments, "--json")
    [event] = metrix_sandbox.events()
    assert (result.status, result.err) == (0, "")
    assert event["user"] == {"metrixUserId": "m-1"}
    assert event["message"]["revenue"] == 12.0
    assert result.document == {
        "events": [
            {
                "id": event["message"]["id"],
                "user": "m-1",
                "type": "revenue",
                "time": "2026-11-20T10:00:00.000Z",
                "outcome": "accepted",
                "attempts": 1,
                "status_code": 200,
                "possible_duplicate": False,
                "error": None,
            }
        ]
    }


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (("track", "u", "--name", "order_payed"), "event_name_unknown", "`name`"),
        (("track", "u", "--name", ""), "event_name_invalid", "`name`"),
        (("track", "u"), "event_name_invalid", "`name`"),
        (("track", "u", "--name", "order_paid", "--slug", "abcde"), "event_name_invalid", "`slug`"),
        (("track", "u", "--name", "order_paid", "--time", "1795516841"), "event_time_invalid", "`time`"),
        (("track", "u", "--name", "order_paid", "--time", "soon"), "event_time_invalid", "`time`"),
        (("track", "u", "--name", "order_paid", "--revenue", "much"), "usage", "--revenue"),
        (("track", "u", "--name", "order_paid", "--revenue", "nan"), "revenue_invalid", "`revenue`"),
        (("track", "u", "--name", "order_paid", "--attribute", "total"), "usage", "--attribute"),
        (("track", "u", "--name", "order_paid", "--attribute", "total:=x"), "usage", "--attribute"),
        (("track", "u", "--name", "order_paid", "--attribute", "total:=null"), "attribute_invalid", "'total'"),
        (("identify", "u", "--birthday", "2090-01-01"), "birthday_invalid", "`birthday`"),
        (("identify", "u", "--gender", "female"), "profile_invalid", "`gender`"),
        (("identify", "u", "--email", ""), "profile_invalid", "`email`"),
        (("identify", " u"), "user_invalid", "customUserId"),
        (("identify",), "usage", "USER"),
        (("track", "u", "--file", "events.jsonl"), "usage", "--file"),
        (("track", "--name", "order_paid", "--file", "events.jsonl"), "usage", "--file"),
        (("track", "--file", "missing.jsonl"), "file_unreadable", "missing.jsonl"),
    ],
)
def test_wrong_input_is_refused_before_a_request(metrix, taxonomy_config, metrix_sandbox, arguments, code, named):
    """With a code, and the field named."""
    result = metrix("--config", taxonomy_config, *arguments, "--json")
    assert (result.status, result.document["error"]["code"]) == (2, code)
    assert named in result.document["error"]["message"]
    assert metrix_sandbox.requests() == []


def test_a_file_of_events(metrix, taxonomy_config, metrix_sandbox, tmp_path):
    """Sent once, and again only what Metrix has not; the second time says so."""
    file = tmp_path / "events.jsonl"
    line = {"user": "u1", "name": "order_paid", "attributes": {"city": "تهران"}}
    file.write_text(
        "\n".join(json.dumps(line | {"time": 1_795_000_000_000 + at}) for at in range(250)), encoding="utf-8"
    )
    first = metrix("--config", taxonomy_config, "track", "--file", file, "--json")
    assert (first.status, first.err) == (0, "")
    assert first.document == {
        "events": 250,
        "accepted": 250,
        "rejected": 0,
        "unknown": 0,
        "not_sent": 0,
        "repeated": 0,
        "pending": 0,
        "possible_duplicates": 0,
        "batches": 3,
        "failures": [],
        "halted_by": None,
    }
    again = metrix("--config", taxonomy_config, "track", "--file", file)
    assert again.status == 1
    assert "repeated  250" in again.out
    assert "[event_time_repeated]" in again.out
    assert len(metrix_sandbox.events()) == 250


def test_standard_input(config, metrix_sandbox, tmp_path):
    """Kept in a file, since it is checked whole first."""
    users = "".join(json.dumps({"user": f"u{at}", "first_name": "سارا"}) + "\n" for at in range(20))
    result = run_command("--config", config, "identify", "--file", "-", cwd=tmp_path, stdin=users)
    assert result.status == 0
    assert "accepted  20" in result.out
    assert len(metrix_sandbox.events()) == 20


def test_a_wrong_line_is_named_and_nothing_is_sent(metrix, config, metrix_sandbox, tmp_path):
    """File and line."""
    file = tmp_path / "users.jsonl"
    file.write_text('{"user": "u1"}\n{"user": "u2", "birthday": "2090-01-01"}\n')
    result = metrix("--config", config, "identify", "--file", file, "--json")
    assert result.status == 2
    assert result.document["error"]["location"] == f"{file}:2"
    assert metrix_sandbox.requests() == []


def test_an_interrupted_file_is_sent_again_without_repetition(metrix_config, tmp_path):
    """Ctrl-C ends it after the requests in flight; the second time goes what did not."""
    began = threading.Event()

    class Slow:
        def play(self, conversation):
            began.set()
            conversation.stopping.wait(0.1)
            return Answer().play(conversation)

    events = [{"user": f"u{at}", "name": "x", "time": 1_795_000_000_000 + at} for at in range(100)]
    file = tmp_path / "events.jsonl"
    file.write_text("".join(json.dumps(event) + "\n" for event in events))
    with FaultServer([Slow()]) as server:
        config = metrix_config(metrix={"base_url": server.url, "concurrency": 2})
        command = ("track", "--file", file, "--config", config)
        with started_command(*command, "--json", cwd=tmp_path) as process:
            assert began.wait(60)
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=60)
        first = json.loads(out)
        assert (process.returncode, first["error"]["code"]) == (4, "interrupted")
        assert 0 < first["accepted"] == len(server.requests) < 100
        second = json.loads(run_command(*command, "--json", cwd=tmp_path).out)
        assert (second["accepted"], second["repeated"]) == (100 - first["accepted"], first["accepted"])
        assert len(server.requests) == 100


def test_an_outage_is_said_to_be_one(metrix, metrix_config, tmp_path):
    """Exit status 4: not for now."""
    file = tmp_path / "users.jsonl"
    file.write_text("".join(json.dumps({"user": f"u{at}"}) + "\n" for at in range(100)))
    with refusing_address() as url:
        config = metrix_config(metrix={"base_url": url, "max_attempts": 1, "timeout": "1s"})
        one = metrix("--config", config, "identify", "u1", "--json")
        many = metrix("--config", config, "identify", "--file", file, "--json")
        shown = metrix("--config", config, "identify", "--file", file)
    assert (one.status, one.document["error"]["code"]) == (4, "unreachable")
    assert one.document["events"][0]["outcome"] == "not_sent"
    assert (many.status, many.document["error"]["code"], many.document["not_sent"]) == (4, "unreachable", 100)
    assert shown.status == 4
    assert "Halted: " in shown.err
