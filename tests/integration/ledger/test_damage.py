"""A ledger that fails: before the send nothing leaves, after it the doubt is on record."""

import json
import sqlite3
from contextlib import closing

import pytest

from helpers.command_line import started_command
from helpers.damage import cut_short, fill_disk, hold_lock, make_directory, make_garbage, make_newer, prlimit
from helpers.fault_server import Answer, FaultServer
from helpers.sending import call, sender
from metrix_channels import Notifier
from metrix_channels.ledger.sqlite import connection as sqlite


@pytest.fixture
def configure(metrix_config, tmp_path):
    """Write a configuration with one template."""
    (tmp_path / "templates/note").mkdir(parents=True)
    (tmp_path / "templates/note/sms.txt.j2").write_text("{{ text }}")

    def write(url, on_ambiguous="retry", **metrix):
        settings = {"base_url": url, **metrix}
        return metrix_config(templates=tmp_path / "templates", on_ambiguous=on_ambiguous, metrix=settings)

    return write


def ledger_of(config):
    return config.parent / "metrix-channels.db"


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (make_garbage, "ledger_corrupt"),
        (cut_short, "ledger_corrupt"),
        (make_newer, "ledger_newer"),
        (make_directory, "ledger_unavailable"),
    ],
)
@pytest.mark.parametrize("key", ["k", None])
def test_a_ledger_that_cannot_be_trusted_sends_nothing(damage, code, key, configure):
    """Found out by a process that starts, before its first request; with a code that says what to do."""
    with FaultServer() as server:
        config = configure(server.url)
        with Notifier.from_config(config) as notifier:
            call(notifier, "u1", key)
        damage(ledger_of(config))
        with Notifier.from_config(config) as notifier:
            ended = call(notifier, "u2", key)
        assert (ended.code, ended.receipts) == (code, ())
        assert len(server.requests) == 1


@pytest.mark.parametrize("key", ["k", None])
@pytest.mark.parametrize("replaced", [False, True])
def test_a_ledger_that_goes_away_under_a_running_process_stops_it(replaced, key, configure):
    """It would write to a file that nobody reads any more."""
    with FaultServer() as server:
        config = configure(server.url)
        with Notifier.from_config(config) as notifier:
            call(notifier, "u1", key)
            ledger = ledger_of(config)
            copy = ledger.read_bytes()
            ledger.unlink()
            if replaced:
                ledger.write_bytes(copy)
            assert call(notifier, "u2", key).code == "ledger_unavailable"
        assert len(server.requests) == 1


@pytest.mark.parametrize("key", ["k", None])
def test_a_locked_ledger_sends_nothing(key, configure, monkeypatch):
    """After some patience: ledger_locked; once it is free, the same process sends."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    with FaultServer() as server:
        config = configure(server.url)
        with Notifier.from_config(config) as notifier:
            call(notifier, "u1", "first")
            with hold_lock(ledger_of(config)):
                assert call(notifier, "u2", key).code == "ledger_locked"
            assert len(server.requests) == 1
            assert call(notifier, "u2", key).code is None


def test_an_outcome_that_could_not_be_written_is_written_when_the_ledger_is_free(configure, monkeypatch):
    """The caller hears outcome_unrecorded and has the receipts; the next call with the key sends nothing."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    locks = []

    def lock(_):
        locks.append(hold_lock(ledger_of(config)))
        return Answer()

    with FaultServer(lock) as server:
        config = configure(server.url)
        with Notifier.from_config(config) as notifier:
            ended = call(notifier, "u1", "k")
            assert ended.code == "outcome_unrecorded"
            assert [receipt.outcome for receipt in ended.receipts] == ["accepted"]
            with locks[0]:
                pass
            again = call(notifier, "u1", "k")
            assert (again.code, again.receipts) == (None, ended.receipts)
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [200, 500])
def test_a_ledger_that_fails_between_the_requests_of_a_send_hides_nothing(status, configure, monkeypatch):
    """The caller learns who was sent to, and sends only to the others again."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    locks = []

    def lock(_):
        if locks:
            return Answer()
        locks.append(hold_lock(ledger_of(config)))
        return Answer(status)

    with FaultServer(lock) as server:
        config = configure(server.url, batch_size=1)
        with Notifier.from_config(config) as notifier:
            ended = call(notifier, ["u1", "u2"], "k")
            assert (ended.code, len(server.requests)) == ("outcome_unrecorded", 1)
            first = "accepted" if status == 200 else "unknown"
            assert [receipt.outcome for receipt in ended.receipts] == [first, "not_sent"]
            with locks[0]:
                pass
            again = call(notifier, ["u1", "u2"], "k")
            assert [(receipt.outcome, receipt.repeated) for receipt in again.receipts] == [
                (first, True),
                ("accepted", False),
            ]
        assert len(server.requests) == 2


@prlimit
def test_the_command_shows_no_traceback_when_its_outcome_cannot_be_written(configure):
    """It ends with the receipt and one error."""

    def full(_):
        fill_disk(process.pid)
        return Answer()

    with FaultServer(full) as server:
        config = configure(server.url)
        send = ("send", "sms", "--to", "u1", "--template", "note", "--set", "text=x", "--json")
        with started_command("--config", config, *send, cwd=config.parent) as process:
            out, err = process.communicate(timeout=60)
    found = json.loads(out)
    assert (process.returncode, found["error"]["code"]) == (1, "outcome_unrecorded")
    assert found["receipts"][0]["outcome"] == "accepted"
    assert b"Traceback" not in err


@prlimit
@pytest.mark.parametrize("key", ["k", None])
def test_a_full_disk_before_the_intent_sends_nothing(key, configure):
    """A message that could not be written down is not sent."""
    with FaultServer() as server:
        config = configure(server.url)
        with sender(config, "u1", key, wait=True) as child:
            child.starting()
            fill_disk(child.process.pid)
            child.go()
            ended = child.ended()
        assert (ended.code, ended.receipts) == ("ledger_unavailable", ())
        assert server.requests == []


@prlimit
@pytest.mark.parametrize(
    ("on_ambiguous", "status", "outcome", "requests"),
    [
        ("hold", 200, "unknown", 1),
        ("hold", 500, "unknown", 1),
        ("retry", 200, "accepted", 2),
        ("retry", 500, "accepted", 2),
    ],
)
def test_a_full_disk_after_the_send_leaves_the_doubt_on_record(on_ambiguous, status, outcome, requests, configure):
    """The sender hears outcome_unrecorded and stops; whoever takes the send up finds an attempt without an end."""

    def full(_):
        if len(server.requests) > 1:
            return Answer()
        fill_disk(child.process.pid)
        return Answer(status)

    with FaultServer(full) as server:
        config = configure(server.url, on_ambiguous)
        with sender(config, "u1", "k") as child:
            assert child.ended().code == "outcome_unrecorded"
            assert len(server.requests) == 1
        with closing(sqlite3.connect(ledger_of(config))) as connection:
            assert connection.execute("SELECT recipients, disposition FROM attempts").fetchall() == [('["u1"]', None)]
        with Notifier.from_config(config) as notifier:
            [receipt] = call(notifier, "u1", "k").receipts
        assert (receipt.outcome, receipt.possible_duplicate) == (outcome, on_ambiguous == "retry")
        assert len(server.requests) == requests
