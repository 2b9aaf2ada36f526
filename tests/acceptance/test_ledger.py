"""`ledger purge`: recipients and values go, counts and keys stay; `ledger check` and `ledger adopt`."""

import json
import sqlite3
import time
import zlib
from contextlib import closing

import pytest

from helpers.fault_server import Answer, FaultServer

PEOPLE = "customUserId,first_name\nrecipient-1,Zahra\nrecipient-2,Kamran\nrecipient-2,Kamran\n recipient-9,Zahra\n"
PERSONAL = ("recipient-", "Zahra", "Kamran", "4821", "quoted back")


@pytest.fixture
def old(metrix, config, templates, monkeypatch):
    """A ledger in which a campaign, two messages, one of them refused, and an event are over."""
    (templates / "offer").mkdir()
    (templates / "offer" / "sms.txt.j2").write_text("Hello {{ first_name }}", encoding="utf-8")
    monkeypatch.chdir(config.parent)
    (config.parent / "audience.csv").write_text(PEOPLE)
    (config.parent / "eid.yaml").write_text(
        "version: 1\nname: eid\nchannel: sms\ntemplate: offer\naudience: {file: audience.csv}\n"
    )

    def answer(request):
        return Answer(400, b"recipient-3 quoted back") if b"recipient-3" in request.body else Answer(200)

    with FaultServer(answer) as server:
        settings = json.loads(config.read_text())
        settings["metrix"]["base_url"] = server.url
        config.write_text(json.dumps(settings))
        assert metrix("campaign", "run", "eid.yaml", "--yes").status == 0
        send = ("send", "sms", "--template", "otp", "--set", "code=4821", "--to")
        assert metrix(*send, "recipient-1", "--key", "k1").status == 0
        assert metrix(*send, "recipient-3", "--key", "k3").status == 1
        assert metrix("track", "recipient-1", "--name", "order_paid").status == 0
        yield config.parent, send, server


def personal(folder):
    """What is left of recipients and values: in the file as it is, and in what is compressed in it."""
    content = (folder / "metrix-channels.db").read_bytes()
    with closing(sqlite3.connect(folder / "metrix-channels.db")) as ledger:
        for query in ("SELECT batches FROM shards", "SELECT request FROM evidence", "SELECT lines FROM evidence"):
            content += b"".join(zlib.decompress(blob) for (blob,) in ledger.execute(query))
    return [word for word in PERSONAL if word.encode() in content]


def test_recipients_and_values_are_forgotten(metrix, old):
    """Not a trace of them is left in the file; all counts are."""
    folder, _, _ = old
    assert set(personal(folder)) == set(PERSONAL)
    before = metrix("campaign", "status", "eid", "--json").document
    time.sleep(1.1)
    result = metrix("ledger", "purge", "--older-than", "1s", "--json")
    assert result.status == 0
    assert result.document | {"before": ""} == {
        "before": "",
        "sends": 2,
        "campaigns": 1,
        "attempts": 1,
        "event_times": 1,
        "unfinished": 0,
    }
    assert personal(folder) == []
    assert metrix("campaign", "status", "eid", "--json").document == before
    again = metrix("ledger", "purge", "--older-than", "1s", "--json").document
    assert (again["sends"], again["campaigns"]) == (0, 0)


def test_what_is_younger_is_left_alone(metrix, old):
    """To the second."""
    folder, _, _ = old
    result = metrix("ledger", "purge", "--older-than", "1h")
    assert "Purged: 0 messages, 0 campaigns, 0 failed attempts, 0 event times." in result.out
    assert set(personal(folder)) == set(PERSONAL)


def test_a_key_is_kept(metrix, old):
    """Under it nothing is sent again, and other content is still noticed."""
    _, send, server = old
    time.sleep(1.1)
    metrix("ledger", "purge", "--older-than", "1s")
    requests = len(server.requests)
    again = metrix(*send, "recipient-1", "--key", "k1", "--json")
    [receipt] = again.document["receipts"]
    assert (again.status, receipt["outcome"], receipt["recipients"]) == (0, "accepted", ["recipient-1"])
    assert metrix(*send, "recipient-3", "--key", "k3").status == 1
    assert metrix(*send, "recipient-2", "--key", "k1", "--json").document["error"]["code"] == "key_reused"
    assert len(server.requests) == requests


def test_what_needs_the_recipients_says_that_they_are_gone(metrix, old):
    """Instead of an empty report; or of sending to everybody, whom `except` was to leave out."""
    folder, _, server = old
    time.sleep(1.1)
    metrix("ledger", "purge", "--older-than", "1s")
    requests = len(server.requests)
    (folder / "rest.yaml").write_text(
        "version: 1\nname: rest\nchannel: sms\ntemplate: offer\naudience: {file: audience.csv, except: [eid]}\n"
    )
    for arguments in (
        ("campaign", "report", "eid", "--csv", "report.csv"),
        ("campaign", "retry", "eid", "--unknown"),
        ("campaign", "run", "rest.yaml", "--yes"),
    ):
        result = metrix(*arguments, "--json")
        assert (result.status, result.document["error"]["code"]) == (2, "run_purged")
    assert len(server.requests) == requests
    assert not (folder / "report.csv").exists()


def test_what_is_not_over_is_left_alone(metrix, metrix_config, templates, monkeypatch):
    """A halted campaign still needs its recipients; it is counted."""
    (templates / "offer").mkdir()
    (templates / "offer" / "sms.txt.j2").write_text("Hello {{ first_name }}", encoding="utf-8")
    with FaultServer([Answer(403)]) as server:
        config = metrix_config(templates=templates, metrix={"base_url": server.url})
        monkeypatch.chdir(config.parent)
        (config.parent / "audience.csv").write_text(PEOPLE)
        (config.parent / "eid.yaml").write_text(
            "version: 1\nname: eid\nchannel: sms\ntemplate: offer\naudience: {file: audience.csv}\n"
        )
        assert metrix("campaign", "run", "eid.yaml", "--yes").status == 4
        time.sleep(1.1)
        result = metrix("ledger", "purge", "--older-than", "1s")
        assert "Not purged, because they are unfinished: 1." in result.out
        assert metrix("campaign", "status", "eid", "--json").document["pending"] == 2


@pytest.mark.parametrize("text", ["90", "soon", "-1d", ""])
def test_a_duration_is_asked_for(metrix, config, text):
    """Nothing is forgotten by mistake."""
    result = metrix("--config", config, "ledger", "purge", f"--older-than={text}", "--json")
    assert (result.status, result.document["error"]["code"]) == (2, "usage")


def change(folder, *statements):
    with closing(sqlite3.connect(folder / "metrix-channels.db")) as ledger, ledger:
        for statement in statements:
            ledger.execute(*statement)


def test_a_ledger_that_is_right_is_called_so(metrix, old):
    """Every campaign is counted anew; after a purge only the counts are left to look at."""
    result = metrix("ledger", "check", "--json")
    [run] = result.document["runs"]
    assert (result.status, result.document["ok"], result.document["damaged"]) == (0, True, [])
    assert (run["campaign"], run["ok"], run["differs"], run["adds_up"]) == ("eid", True, [], True)
    assert run["counts"] == run["recounted"]
    assert (run["counts"]["audience"], run["counts"]["accepted"]) == (4, 2)
    assert run["counts"]["skipped"] == {"invalid": 1, "duplicate": 1}
    assert "Correct campaigns: 1 of 1" in metrix("ledger", "check").out
    time.sleep(1.1)
    metrix("ledger", "purge", "--older-than", "1s")
    result = metrix("ledger", "check", "--json")
    assert (result.status, result.document["runs"][0]["recounted"]) == (0, None)


def test_what_differs_is_told_with_both_numbers(metrix, old):
    """In one document, or a line each; the status says that a check failed."""
    folder, _, _ = old
    with closing(sqlite3.connect(folder / "metrix-channels.db")) as ledger:
        [(run, text)] = ledger.execute("SELECT run, counts FROM run_counts").fetchall()
    wrong = json.dumps(json.loads(text) | {"accepted": 22, "pending": -20})
    change(folder, ("UPDATE run_counts SET counts = ?, checksum = ?", (wrong, zlib.crc32(repr((run, wrong)).encode()))))
    result = metrix("ledger", "check", "--json")
    [run] = result.document["runs"]
    assert (result.status, result.document["ok"], run["ok"], run["adds_up"]) == (1, False, False, False)
    assert run["differs"] == ["accepted", "pending"]
    assert (run["counts"]["pending"], run["recounted"]["pending"]) == (-20, 0)
    result = metrix("ledger", "check")
    assert result.status == 1
    assert "eid: accepted is 22 in the counts, but 2 after recounting." in result.out
    assert "Correct campaigns: 0 of 1" in result.out


def test_what_is_damaged_is_told(metrix, old):
    """Of campaigns and of single messages."""
    folder, _, _ = old
    change(
        folder,
        ("UPDATE skips SET rows = '[]' WHERE reason = 'invalid'",),
        ("UPDATE sends SET template = 'x' WHERE key = 'k1'",),
    )
    result = metrix("ledger", "check", "--json")
    assert (result.status, result.document["ok"]) == (1, False)
    assert "skipped rows" in result.document["runs"][0]["damaged"][0]
    assert "the send" in result.document["damaged"][0]


def test_a_copy_is_adopted(metrix, old):
    """Before, nothing is sent from it; afterwards all is as it was."""
    folder, send, server = old
    ledger = folder / "metrix-channels.db"
    assert metrix("ledger", "adopt", "--json").document["adopted"] is False
    content = ledger.read_bytes()
    ledger.rename(folder / "original.db")
    ledger.write_bytes(content)
    requests = len(server.requests)
    result = metrix(*send, "recipient-5", "--json")
    assert (result.status, result.document["error"]["code"]) == (2, "ledger_copied")
    assert metrix("campaign", "status", "eid").status == 0
    assert len(server.requests) == requests
    assert "Adopted" in metrix("ledger", "adopt").out
    assert metrix(*send, "recipient-5").status == 0
    assert len(server.requests) == requests + 1


def test_where_there_is_no_ledger_yet_check_and_adopt_say_so(metrix, config):
    """Exit 0, and looking makes no file."""
    for verb, word in (("check", "exists"), ("adopt", "adopted")):
        assert "There is no ledger yet" in metrix("--config", config, "ledger", verb).out
        result = metrix("--config", config, "ledger", verb, "--json")
        assert (result.status, result.document[word]) == (0, False)
    assert not config.with_name("metrix-channels.db").exists()


def test_a_ledger_without_campaigns_is_not_counted(metrix, config):
    """Nobody has to understand what 0 of 0 are."""
    metrix("--config", config, "send", "sms", "--to", "u1", "--template", "otp", "--set", "code=1")
    assert "The ledger has no campaigns and no damage" in metrix("--config", config, "ledger", "check").out


def test_adopt_says_why_there_is_nothing_to_adopt_in_postgresql(metrix, metrix_config):
    """The question is one of files; no server has to answer."""
    config = metrix_config(ledger="postgresql://me@127.0.0.1:9/db")
    document = metrix("--config", config, "ledger", "adopt", "--json").document
    assert (document["adopted"], "only a SQLite ledger" in document["reason"]) == (False, True)
