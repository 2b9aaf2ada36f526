"""`key=`: one send of one content, across calls, processes and crashes, and the books that are kept of it."""

import hashlib
import json
import os
import random
import shutil
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from attrs import frozen

from helpers.command_line import wait_until
from helpers.fault_server import Answer, FaultServer, Hang, refusing_address
from helpers.sending import call, sender
from metrix_channels import Notifier
from metrix_channels.errors import CATALOGUE
from metrix_channels.ledger.checksums import checksum
from metrix_channels.ledger.sends.rows import COLUMNS

SEED = os.environ.get("METRIX_CHANNELS_TEST_SEED", "1")


@pytest.fixture
def configure(metrix_sandbox, metrix_config, tmp_path):
    """Write a configuration with one template; with a name, beside the first and on the same ledger."""
    metrix_sandbox.test_channel("SMS")
    (tmp_path / "templates/note").mkdir(parents=True)
    (tmp_path / "templates/note/sms.txt.j2").write_text("{{ text }}")

    def write(url=None, name=None, *, on_ambiguous="retry", **metrix):
        metrix |= {"base_url": url} if url else {}
        path = metrix_config(templates=tmp_path / "templates", on_ambiguous=on_ambiguous, metrix=metrix)
        return Path(shutil.move(path, path.with_name(name))) if name else path

    return write


def outcomes(ended):
    return {recipient: receipt.outcome.value for receipt in ended.receipts for recipient in receipt.recipients}


def recipients(server):
    """Return whom the server was asked to send to; a request that broke off in the middle asked for nothing."""
    whole = [each for each in server.requests if len(each.body) == int(each.headers["content-length"])]
    return [json.loads(request.body)["recipients"] for request in whole]


def in_books(config, sql):
    with closing(sqlite3.connect(config.parent / "metrix-channels.db")) as connection:
        return connection.execute(sql).fetchall()


def test_the_second_call_gets_the_first_receipt(configure, metrix_sandbox):
    """The same key and content: one message, also after a restart; another key is another message."""
    config = configure()
    with Notifier.from_config(config) as notifier:
        first = call(notifier, "u1", "k")
        assert call(notifier, "u1", "k") == first
        assert first.code is None
    with Notifier.from_config(config) as notifier:
        assert call(notifier, "u1", "k") == first
        assert len(metrix_sandbox.messages()) == 1
        assert call(notifier, "u1", "k2").receipts[0].id != first.receipts[0].id
    assert len(metrix_sandbox.messages()) == 2


@pytest.mark.parametrize("changed", [{"to": "u2"}, {"to": ["u1", "u2"]}, {"text": "other"}])
def test_other_content_under_the_key_is_an_error(changed, configure, metrix_sandbox):
    """Another recipient or value: key_reused, exit status 2, no request."""
    with Notifier.from_config(configure()) as notifier:
        call(notifier, "u1", "k")
        ended = call(notifier, **{"to": "u1", "key": "k", **changed})
    assert (ended.code, ended.receipts) == ("key_reused", ())
    assert CATALOGUE["key_reused"].exit_status == 2
    assert len(metrix_sandbox.requests()) == 1


ALIKE = {
    "another order of the recipients": ({"to": ["u2", "u1"]}, {}),
    "a set of recipients": ({"to": {"u1", "u2"}}, {}),
    "recipients named twice": ({"to": ["u1", "u2", "u1"]}, {}),
    "text in place of a number": ({}, {"total": "10"}),
    "another kind of number": ({}, {"total": 10}),
    "the same instant in another zone": ({}, {"at": datetime(2026, 3, 20, 6, 30, tzinfo=UTC)}),
    "the same instant as text": ({}, {"at": "2026-03-20T06:30:00Z"}),
    "a value that the text does not show": ({}, {"unused": 1}),
    "a locale without a text of its own": ({"locale": "en"}, {}),
    "another template with the same text": ({"template": "twin"}, {}),
    "another channel of the same type": ({"channel": "sms-2"}, {}),
}
FIRST = {"channel": "sms", "to": ("u1", "u2"), "template": "order"}
VALUES = {"total": Decimal(10), "at": datetime(2026, 3, 20, 10, 0, tzinfo=timezone(timedelta(hours=3.5)))}
ORDER = "{{ total }} at {{ at | jalali('%Y/%m/%d %H:%M') }}{# {{ unused }} #}"


@pytest.mark.parametrize(("call_changed", "values_changed"), ALIKE.values(), ids=list(ALIKE))
def test_a_key_means_what_is_sent_and_not_how_it_was_written(
    call_changed, values_changed, configure, metrix_sandbox, tmp_path
):
    """Equal messages to equal recipients are one content: the second call gets the first receipt."""
    for name in ("order", "twin"):
        (tmp_path / "templates" / name).mkdir()
        (tmp_path / "templates" / name / "sms.txt.j2").write_text(ORDER)
    config = configure()
    written = json.loads(config.read_text())
    written["channels"]["sms-2"] = written["channels"]["sms"]
    config.write_text(json.dumps(written))
    with Notifier.from_config(config) as notifier:
        [first] = notifier.send(**FIRST, context=VALUES, key="k")
        [second] = notifier.send(**(FIRST | call_changed), context=VALUES | values_changed, key="k")
    assert (second, first.repeated, second.repeated) == (first, False, True)
    assert len(metrix_sandbox.messages(recipient="u1")) == len(metrix_sandbox.messages(recipient="u2")) == 1


def test_the_time_in_a_text_is_that_of_the_first_call(configure, metrix_sandbox, tmp_path):
    """A template that shows `now` renders otherwise each time; the key stands for what the first call would send."""
    file = tmp_path / "templates/note/sms.txt.j2"
    file.write_text("{{ text }} {{ now | jalali('%S.%f') }}")
    with Notifier.from_config(configure()) as notifier:
        first = call(notifier, "u1", "k")
        time.sleep(0.005)
        assert call(notifier, "u1", "k") == first
        assert call(notifier, "u1", "k", text="other").code == "key_reused"
    assert len(metrix_sandbox.messages()) == 1


def test_an_edited_template_is_another_content(configure, metrix_sandbox, tmp_path):
    """What the key stands for is not what would be sent now."""
    with Notifier.from_config(configure()) as notifier:
        call(notifier, "u1", "k")
        (tmp_path / "templates/note/sms.txt.j2").write_text("{{ text }}, edited")
        assert call(notifier, "u1", "k").code == "key_reused"
    assert len(metrix_sandbox.requests()) == 1


def test_a_key_of_an_earlier_version_still_answers(configure, metrix_sandbox, tmp_path):
    """Its fingerprint was taken of the call's arguments."""
    config = configure()
    with Notifier.from_config(config) as notifier:
        first = call(notifier, "u1", "k")
    content = json.dumps(["sms", ["u1"], "note", None, {"text": "hello"}], sort_keys=True).encode()
    with closing(sqlite3.connect(config.parent / "metrix-channels.db")) as connection:
        connection.row_factory = sqlite3.Row
        [(salt,)] = connection.execute("SELECT value FROM salt")
        row = dict(connection.execute("SELECT * FROM sends").fetchone())
        row["fingerprint"] = hashlib.blake2b(content, key=salt, digest_size=32).digest()
        connection.execute(
            "UPDATE sends SET fingerprint = ?, checksum = ?",
            (row["fingerprint"], checksum([row[column] for column in COLUMNS])),
        )
        connection.commit()
    with Notifier.from_config(config) as notifier:
        assert call(notifier, "u1", "k") == first
        assert call(notifier, "u2", "k").code == "key_reused"
    assert len(metrix_sandbox.messages()) == 1


def test_of_a_call_that_goes_on_with_another_the_old_receipts_are_repeated(configure):
    """What this call sent itself is not."""
    answers = iter([Answer(), Answer(503), Answer()])
    with FaultServer(lambda request: next(answers)) as server:
        with Notifier.from_config(configure(server.url, batch_size=1, max_attempts=1)) as notifier:
            assert outcomes(call(notifier, ["u1", "u2"], "k")) == {"u1": "accepted", "u2": "not_sent"}
            found = {each.recipients: each.repeated for each in call(notifier, ["u1", "u2"], "k").receipts}
        assert len(server.requests) == 3
    assert found == {("u1",): True, ("u2",): False}


@pytest.mark.parametrize("key", ["", " ", "a\nb", "a\r", "a\u202eb", "a\x00"])
def test_a_key_is_one_line_of_text(key, configure, metrix_sandbox):
    """What nobody sees in a list, or what breaks a line of it, is a slip: nothing is sent under it."""
    with Notifier.from_config(configure()) as notifier:
        ended = call(notifier, "u1", key)
    assert (ended.code, ended.receipts, metrix_sandbox.requests()) == ("usage", (), [])


def test_two_processes_at_once_send_one_message(configure, metrix_sandbox):
    """The one that comes second waits for the receipt of the first."""
    config = configure()
    metrix_sandbox.inject("slow:0.3")
    with sender(config, "u1", "k") as one, sender(config, "u1", "k") as other:
        first, second = one.ended(), other.ended()
    assert first == second
    assert (first.code, outcomes(first)) == (None, {"u1": "accepted"})
    assert len(metrix_sandbox.messages()) == len(metrix_sandbox.requests()) == 1


def test_who_waits_in_vain_hears_so_at_the_deadline(configure):
    """key_busy, exit status 4, and no request of its own."""
    with FaultServer([Hang()]) as server:
        hasty, patient = configure(server.url, "hasty.yaml", deadline="2s", timeout="2s"), configure(server.url)
        with sender(patient, "u1", "k") as one:
            wait_until(lambda: server.requests)
            with Notifier.from_config(hasty) as notifier:
                began = time.monotonic()
                assert call(notifier, "u1", "k").code == "key_busy"
                assert 0.1 <= time.monotonic() - began <= 15
            one.process.kill()
            one.process.join()
        assert len(server.requests) == 1
    assert CATALOGUE["key_busy"].exit_status == 4


def test_not_sent_frees_the_key(configure):
    """Nothing left, so nothing is repeated: the next call sends, whatever its content."""
    with refusing_address() as nowhere, FaultServer() as server:
        down, up = configure(nowhere, "down.yaml", max_attempts=1), configure(server.url)
        with Notifier.from_config(down) as notifier:
            ended = call(notifier, "u1", "k")
            assert (ended.code, outcomes(ended)) == ("unreachable", {"u1": "not_sent"})
        with Notifier.from_config(up) as notifier:
            assert call(notifier, "u1", "k", "other").code is None
        assert recipients(server) == [["u1"]]


@pytest.mark.parametrize("on_ambiguous", ["retry", "hold"])
def test_only_those_not_sent_to_are_taken_up(on_ambiguous, configure):
    """After an accepted and an unknown the credentials fail: the next call sends to the rest, and to nobody else."""
    people = ["u1", "u2", "u3", "u4"]
    script = [Answer(200), Answer(500), Answer(403), Answer(200)]
    with FaultServer(script) as server:
        config = configure(server.url, on_ambiguous=on_ambiguous, batch_size=1, max_attempts=1)
        with Notifier.from_config(config) as notifier:
            first = call(notifier, people, "k")
            assert first.code == "credentials_refused"
            assert outcomes(first) == {"u1": "accepted", "u2": "unknown", "u3": "not_sent", "u4": "not_sent"}
        with Notifier.from_config(config) as notifier:
            second = call(notifier, people, "k")
            assert second.code == "outcome_unknown"
            assert outcomes(second) == {"u1": "accepted", "u2": "unknown", "u3": "accepted", "u4": "accepted"}
            assert second.receipts[:2] == first.receipts[:2]
            assert call(notifier, people, "k") == second
        assert recipients(server) == [["u1"], ["u2"], ["u3"], ["u3"], ["u4"]]


def test_every_send_is_on_the_books(configure):
    """Keyed or not, accepted or not: whom, by what, when, each request with its answer, and the receipts."""
    script = [Answer(200), Answer(503), Answer(200), Answer(400, b'{"message": "no such user"}')]
    with FaultServer(script) as server:
        config = configure(server.url)
        with Notifier.from_config(config) as notifier:
            ended = [call(notifier, who, key) for who, key in (("u1", "k"), ("u2", None), ("u3", None))]
    assert [each.code for each in ended] == [None, None, "rejected"]
    sends = in_books(config, "SELECT id, key, recipients, channel, template, state, owner, receipts FROM sends")
    for each, key in zip(ended, ("k", None, None), strict=True):
        [receipt] = each.receipts
        [row] = [row for row in sends if row[0] == receipt.id]
        assert row[1:7] == (key, json.dumps(list(receipt.recipients)), "sms", "note", "settled", None)
        assert json.loads(row[7]) == [receipt.as_dict()]
    attempts = in_books(config, "SELECT recipients, disposition, status, answer, began_at <= ended_at FROM attempts")
    assert attempts == [
        ('["u1"]', "accepted", 200, "{}", 1),
        ('["u2"]', "not_taken", 503, "{}", 1),
        ('["u2"]', "accepted", 200, "{}", 1),
        ('["u3"]', "refused", 400, '{"message": "no such user"}', 1),
    ]


@frozen
class Later:
    """Take the message at once and answer after a while."""

    seconds: float

    def play(self, conversation):
        conversation.stopping.wait(self.seconds)
        return Answer().play(conversation)


def send_is_killed(config, recipient, rng):
    """Let a process send, and kill it at a random moment: as it opens everything, or in the middle of the send."""
    with sender(config, recipient, f"key of {recipient}", warm_up=rng.random() < 0.7) as child:
        child.starting()
        time.sleep(rng.uniform(0, 0.06))
        child.process.kill()
        child.process.join()


@pytest.mark.parametrize("on_ambiguous", ["retry", "hold"])
@pytest.mark.parametrize("rounds", [12, pytest.param(200, marks=pytest.mark.long)])
def test_kill_9_at_any_moment(rounds, on_ambiguous, configure):
    """Under hold nobody gets it twice, under retry nobody goes without, and the second call tells the truth."""
    rng, delays = random.Random(f"{SEED} {on_ambiguous}"), random.Random(SEED)
    told = {}
    with FaultServer(lambda _: Later(delays.choice([0, 0.02, 0.05]))) as server:
        config = configure(server.url, on_ambiguous=on_ambiguous)
        with Notifier.from_config(config) as notifier:
            for number in range(rounds):
                recipient = f"u{number}"
                send_is_killed(config, recipient, rng)
                told[recipient] = call(notifier, recipient, f"key of {recipient}")
    taken = [recipient for each in recipients(server) for recipient in each]
    for recipient, ended in told.items():
        where = f"{recipient}: METRIX_CHANNELS_TEST_SEED={SEED}"
        [receipt] = ended.receipts
        messages = taken.count(recipient)
        if on_ambiguous == "hold":
            assert messages <= 1, where
            assert (receipt.outcome, messages) in {("accepted", 1), ("unknown", 0), ("unknown", 1)}, where
            assert not receipt.possible_duplicate, where
        else:
            assert receipt.outcome == "accepted", where
            assert messages in {1, 2}, where
            assert messages == 1 or receipt.possible_duplicate, where
    settled = "SELECT count(*) FROM sends WHERE key IS NOT NULL AND state = 'settled' AND owner IS NULL"
    assert in_books(config, settled) == [(rounds,)]
    assert in_books(config, "SELECT count(*) FROM attempts")[0][0] >= len(taken)
