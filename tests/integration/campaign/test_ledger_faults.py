"""A campaign on a ledger that fails: nothing leaves without an intent on disk, and what was in flight is in doubt."""

import shutil
import signal
import sqlite3
import threading
from contextlib import closing

import pytest

from helpers.accounting_server import AccountingServer, Taken, always
from helpers.campaigns import Project, balance, document, people, started, under_way
from helpers.command_line import run_command
from helpers.damage import (
    cut_short,
    fill_disk,
    hold_lock,
    make_directory,
    make_garbage,
    make_newer,
    prlimit,
)
from metrix_channels import LedgerError
from metrix_channels.ledger.sqlite import connection as sqlite


@pytest.fixture
def small(project):
    """Twenty recipients with a request each, and a server that takes them."""
    with AccountingServer() as server:
        project.configure(server.url, batch_size=1, concurrency=2)
        project.audience(people(20))
        project.campaign()
        yield project, server


def ledger_of(project):
    return project.folder / "metrix-channels.db"


def refused(project, code):
    with project.notifier() as notifier, pytest.raises(LedgerError) as caught:
        notifier.run_campaign(project.folder / "offer.yaml")
    assert caught.value.code == code
    assert caught.value.exit_status in (2, 4)


def finished(project):
    with project.notifier() as notifier:
        found = notifier.run_campaign(project.folder / "offer.yaml").as_dict()
    assert balance(found) == 0
    return found


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (make_garbage, "ledger_corrupt"),
        (cut_short, "ledger_corrupt"),
        (make_newer, "ledger_newer"),
        (make_directory, "ledger_unavailable"),
    ],
)
def test_a_ledger_that_cannot_be_trusted_sends_nothing(small, damage, code):
    """Neither for a new campaign nor for one that it may have known."""
    project, server = small
    with project.notifier() as notifier:
        assert notifier.campaigns.all() == []
    damage(ledger_of(project))
    refused(project, code)
    assert server.requests == []


def test_a_locked_ledger_sends_nothing(small, monkeypatch):
    """Once it is free, the campaign runs."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    project, server = small
    with project.notifier() as notifier:
        notifier.campaigns.all()
    with hold_lock(ledger_of(project)):
        refused(project, "ledger_locked")
    assert server.requests == []
    assert finished(project)["accepted"] == 20


@pytest.mark.parametrize(("on_ambiguous", "duplicates"), [("hold", 0), ("retry", 2)])
def test_a_ledger_that_is_locked_in_the_middle_stops_it(small, monkeypatch, on_ambiguous, duplicates):
    """What was in flight is in doubt; no further request is made; then it goes on."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    project, server = small
    project.configure(server.url, batch_size=1, concurrency=2, on_ambiguous=on_ambiguous)
    locks, lock = [], threading.Lock()

    def script(_recipients, _message, _body):
        with lock:
            if len(server.requests) >= 6 and not locks:
                locks.append(hold_lock(ledger_of(project)))
        return Taken()

    server.script = script
    refused(project, "ledger_locked")
    at_the_lock = len(server.requests)
    assert at_the_lock < 12
    with locks[0]:
        pass
    found = finished(project)
    assert found["possible_duplicates"] + found["unknown"] <= 2
    assert found["accepted"] + found["unknown"] == 20
    if on_ambiguous == "hold":
        assert server.twice == set()
        assert found["possible_duplicates"] == 0
    else:
        assert set(server.account) == {f"u{at}" for at in range(20)}
        assert len(server.twice) <= found["possible_duplicates"] <= duplicates


def test_a_process_goes_on_with_its_run_after_the_ledger_was_locked(small, monkeypatch):
    """It is not restarted, such as a web service; the run does not look as if it were still being sent."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    project, server = small
    locks = []

    def script(_recipients, _message, _body):
        if not locks:
            locks.append(hold_lock(ledger_of(project)))
        return Taken()

    server.script = script
    with project.notifier() as notifier:
        with pytest.raises(LedgerError):
            notifier.run_campaign(project.folder / "offer.yaml")
        with locks[0]:
            pass
        assert notifier.campaigns.status("offer").state == "interrupted"
        assert notifier.run_campaign(project.folder / "offer.yaml").as_dict()["accepted"] == 20


def test_a_run_that_could_not_be_cancelled_can_be_cancelled_later(small):
    """By the same process, when the ledger is whole again."""
    project, server = small
    server.script = always(Taken(403, taken=False))
    with project.notifier() as notifier, closing(sqlite3.connect(ledger_of(project), isolation_level=None)) as other:
        assert notifier.run_campaign(project.folder / "offer.yaml").state == "halted"
        other.execute("UPDATE shards SET checksum = checksum + 1")
        with pytest.raises(LedgerError):
            notifier.campaigns.cancel("offer")
        assert notifier.campaigns.status("offer").state == "interrupted"
        other.execute("UPDATE shards SET checksum = checksum - 1")
        assert notifier.campaigns.cancel("offer").state == "cancelled"


@pytest.mark.parametrize("replaced", [False, True])
def test_a_ledger_that_goes_away_stops_it(slow, replaced):
    """It would write to a file that nobody reads any more."""
    project, server = slow
    with started(project, "run", "offer.yaml", "--yes") as process:
        under_way(server)
        copy = ledger_of(project).read_bytes()
        ledger_of(project).unlink()
        if replaced:
            ledger_of(project).write_bytes(copy)
        status, found = document(process)
    assert (status, found["error"]["code"]) == (4, "ledger_unavailable")
    assert len(server.requests) < 100


@prlimit
@pytest.mark.parametrize("on_ambiguous", ["hold", "retry"])
def test_a_full_disk_stops_it_and_leaves_the_doubt_on_record(slow, on_ambiguous):
    """No request after the last intent that was written; when there is room, it goes on in books that add up."""
    project, server = slow
    project.configure(server.url, batch_size=1, concurrency=4, on_ambiguous=on_ambiguous)
    with started(project, "run", "offer.yaml", "--yes") as process:
        under_way(server, 30)
        fill_disk(process.pid)
        status, found = document(process)
    assert (status, found["error"]["code"]) == (4, "ledger_unavailable")
    stopped_at = len(server.requests)
    assert stopped_at < 100
    server.seconds = 0
    found = finished(project)
    assert found["accepted"] + found["unknown"] == 400
    if on_ambiguous == "hold":
        assert server.twice == set()
        assert found["unknown"] <= 4
        assert len(server.account) >= 400 - found["unknown"]
    else:
        assert len(server.account) == 400
        assert len(server.twice) <= found["possible_duplicates"] <= 4


@prlimit
def test_a_disk_that_is_full_from_the_start_sends_nothing(small):
    """The plan cannot be written; nothing of it is left, and with room the campaign runs."""
    project, server = small
    project.audience(people(50_000))
    with started(project, "run", "offer.yaml", "--yes") as process:
        fill_disk(process.pid)
        status, found = document(process)
    assert (status, found["error"]["code"]) == (4, "ledger_unavailable")
    assert server.requests == []
    project.audience(people(20))
    assert finished(project)["accepted"] == 20


@pytest.mark.parametrize("table", ["shards", "shard_statuses", "runs", "run_counts"])
def test_a_wrong_bit_is_found_out(small, table):
    """By the checksum of its row: nothing more is sent on the strength of it."""
    project, server = small
    server.script = lambda *_: Taken(403, taken=False)
    with project.notifier() as notifier:
        assert notifier.run_campaign(project.folder / "offer.yaml").state == "halted"
    server.requests.clear()
    change = {
        "shards": "UPDATE shards SET batches = CAST(substr(batches, 1, length(batches) - 1) || x'00' AS BLOB)",
        "shard_statuses": "UPDATE shard_statuses SET statuses = CAST(x'02' || substr(statuses, 2) AS BLOB)",
        "runs": "UPDATE runs SET file = file || 'x'",
        "run_counts": """UPDATE run_counts SET counts = replace(counts, '20', '30')""",
    }
    with closing(sqlite3.connect(ledger_of(project))) as connection, connection:
        connection.execute(change[table])
    refused(project, "ledger_corrupt")
    assert server.requests == []


def test_a_wrong_bit_in_the_skipped_rows_is_found_out(small):
    """A report names nobody on the strength of it."""
    project, _ = small
    project.audience([*people(3), *people(2)])
    assert finished(project)["skipped"] == {"duplicate": 2}
    with closing(sqlite3.connect(ledger_of(project))) as connection, connection:
        connection.execute("UPDATE skips SET rows = replace(rows, 'u1', 'u7')")
    with project.notifier() as notifier, pytest.raises(LedgerError) as caught:
        list(notifier.campaigns.rows("offer"))
    assert caught.value.code == "ledger_corrupt"


@pytest.mark.parametrize("beside", [1, 2])
def test_whatever_is_deleted_beside_the_ledger_one_process_sends(slow, beside):
    """A cleaner of temporary files, a restored folder: no other process takes a live one for dead."""
    project, server = slow
    with started(project, "run", "offer.yaml", "--yes") as process:
        under_way(server)
        for each in project.folder.glob("metrix-channels.db?*"):
            if each.is_dir():
                shutil.rmtree(each)
        for _ in range(beside):
            ended = project.run("run", "offer.yaml", "--yes")
            assert (ended.status, ended.document["error"]["code"]) == (4, "run_busy")
        server.seconds = 0
        status, found = document(process)
    assert (status, found["state"], found["accepted"], balance(found)) == (0, "finished", 400, 0)
    assert server.twice == set()


def test_a_ledger_that_was_copied_in_the_middle_sends_nothing(slow):
    """Not from the copy, in a folder of its own; it can be looked at, and once adopted it goes on."""
    project, server = slow
    with started(project, "run", "offer.yaml", "--yes") as process:
        under_way(server)
        process.send_signal(signal.SIGTERM)
        document(process)
    copy = Project(project.folder / "copy")
    shutil.copytree(project.folder, copy.folder)
    before = len(server.requests)
    for verb in (("run", "offer.yaml", "--yes"), ("resume", "offer"), ("retry", "offer", "--unknown")):
        ended = copy.run(*verb)
        assert (ended.status, ended.document["error"]["code"]) == (2, "ledger_copied")
    with copy.notifier() as notifier:
        for key in ("k", None):
            with pytest.raises(LedgerError) as caught:
                notifier.send("sms", to="u1", template="offer", context={"first_name": "سارا"}, key=key)
            assert caught.value.code == "ledger_copied"

        assert notifier.campaigns.status("offer").state == "interrupted"
        assert len(list(notifier.campaigns.rows("offer"))) == 400
    assert len(server.requests) == before
    adopted = run_command("ledger", "adopt", "--json", cwd=copy.folder)
    assert (adopted.status, adopted.document["adopted"]) == (0, True)
    server.seconds = 0
    assert finished(copy)["accepted"] == 400
    assert server.twice == set()
