"""`campaign`: every verb as text and as JSON, with the exit statuses that scripts rely on."""

import contextlib
import csv
import json
import os
import pty
import re
import subprocess

import pytest
import yaml

from helpers.command_line import COMMAND, environment

KEYS = [
    "campaign",
    "run",
    "state",
    "audience",
    "accepted",
    "rejected",
    "unknown",
    "pending",
    "cancelled",
    "skipped",
    "batches",
    "requests",
    "possible_duplicates",
    "started_at",
    "finished_at",
    "halted_by",
]
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"
PEOPLE = "customUserId,first_name\nu1,سارا\nu2,رضا\nu3,سارا\nu1,سارا\n u 5,علی\nu6,لیلا\n"
"""Four recipients with three names, one of them twice, and one who is none."""


@pytest.fixture
def folder(config, templates, metrix_sandbox, monkeypatch):
    """The project's folder, which is the current one: a campaign `eid` for an audience of six rows."""
    (templates / "offer").mkdir()
    (templates / "offer" / "sms.txt.j2").write_text("سلام {{ first_name }}، {{ discount }} درصد", encoding="utf-8")
    monkeypatch.chdir(config.parent)
    metrix_sandbox.test_channel("SMS")
    write_campaign(config.parent)
    (config.parent / "audience.csv").write_text(PEOPLE, encoding="utf-8")
    return config.parent


def write_campaign(folder, more="", *, name="eid", **keys):
    known = {"channel": "sms", "template": "offer", "audience": "{file: audience.csv}", "context": "{discount: 30}"}
    lines = ["version: 1", f"name: {name}", *(f"{key}: {value}" for key, value in (known | keys).items()), more]
    path = folder / f"{name}.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def adds_up(document):
    counts_of = sum(document[name] for name in ("accepted", "rejected", "unknown", "pending", "cancelled"))
    return counts_of + sum(document["skipped"].values()) == document["audience"]


# -- rows and ids


def test_the_reason_of_an_invalid_row_is_named_with_its_line(metrix, folder):
    """In dry run, plan, report and refusal, as text and as JSON; blank lines count, as in a spreadsheet."""
    rows = "customUserId,first_name\nu1,a\n\nu\u200f2,b\nu3\n,c\n,d\n"
    (folder / "audience.csv").write_text(rows, encoding="utf-8")
    invalid = [
        {
            "reason": "its 'customUserId' contains the invisible character U+200F RIGHT-TO-LEFT MARK at position 2",
            "count": 1,
            "lines": [4],
        },
        {"reason": "has 1 field, but the header has 2", "count": 1, "lines": [5]},
        {"reason": "its 'customUserId' is empty", "count": 2, "lines": [6, 7]},
    ]
    plan = metrix("campaign", "run", "eid.yaml", "--dry-run", "--json").document["plan"]
    assert (plan["skipped"], plan["invalid"]) == ({"invalid": 4}, invalid)
    told = "Invalid: 2 rows (lines 6, 7): its 'customUserId' is empty."
    assert told in metrix("campaign", "run", "eid.yaml", "--dry-run").out
    assert told in metrix("campaign", "run", "eid.yaml", "--yes").out
    assert told in metrix("campaign", "report", "eid").out
    assert metrix("campaign", "report", "eid", "--json").document["plan"]["invalid"] == invalid
    (folder / "audience.csv").write_text("customUserId,first_name\n,c\n,d\n")
    write_campaign(folder, name="nobody")
    error = metrix("campaign", "run", "nobody.yaml", "--yes", "--json").document["error"]
    assert error["code"] == "audience_empty"
    assert "Invalid: 2 rows (lines 2, 3): its 'customUserId' is empty." in error["message"]


def test_ids_that_differ_in_nothing_that_can_be_seen_are_a_caution(metrix, folder):
    """They stay different people; the plan names the first, of the audience and of its lists."""
    (folder / "audience.csv").write_text("customUserId,first_name\nعلي,a\nu1,b\nعلی,a\nu2,c\n", encoding="utf-8")
    (folder / "optout.csv").write_text("customUserId\nU1\nx\nX\n", encoding="utf-8")
    write_campaign(folder, suppress="[optout.csv]")
    plan = metrix("campaign", "run", "eid.yaml", "--dry-run", "--json").document["plan"]
    assert (plan["recipients"], plan["cautions"]["ids_alike"]) == (4, 3)
    assert sorted(plan["alike"]) == [
        ["audience.csv:2", "audience.csv:4"],
        ["audience.csv:3", "optout.csv:2"],
        ["optout.csv:3", "optout.csv:4"],
    ]
    assert "audience.csv:3 and optout.csv:2" in metrix("campaign", "run", "eid.yaml", "--dry-run").out


def test_ids_that_a_spreadsheet_damaged_refuse_the_plan(metrix, folder, metrix_sandbox):
    """Naming the first rows; unless the campaign says that they are ids."""
    rows = "customUserId,first_name\nu1,a\n9.12346E+09,b\n#N/A,c\n101.0,d\n"
    (folder / "audience.csv").write_text(rows, encoding="utf-8")
    result = metrix("campaign", "run", "eid.yaml", "--yes", "--json")
    error = result.document["error"]
    assert (result.status, error["code"]) == (2, "ids_damaged")
    assert error["location"].endswith("/audience.csv:3:1")
    assert "3 ids" in error["message"]
    assert "line 3 ('9.12346E+09'), line 4 ('#N/A'), line 5 ('101.0')" in error["message"]
    assert "damaged_ids: send" in error["remedy"]
    assert metrix_sandbox.messages() == []
    write_campaign(folder, audience="{file: audience.csv, damaged_ids: send}")
    assert metrix("campaign", "run", "eid.yaml", "--yes", "--json").document["accepted"] == 4


@pytest.mark.parametrize("verb", ["run", "resume", "retry"])
def test_a_list_that_is_not_understood_refuses_every_verb_that_sends(metrix, folder, metrix_sandbox, verb):
    """Nobody is sent to; the error names file and line, and a corrected list lets the run go on."""
    (folder / "audience.csv").write_text("user_id,first_name\nu1,a\nu2,b\n", encoding="utf-8")
    keys = {"audience": "{file: audience.csv, id: user_id}", "on_ambiguous": "hold"}
    write_campaign(folder, **keys)
    if verb != "run":
        metrix_sandbox.inject("status:403" if verb == "resume" else "drop", times=2)
        metrix("campaign", "run", "eid.yaml", "--yes")
    made = len(metrix_sandbox.requests())
    (folder / "optout.jsonl").write_text('{"customUserId": "u2"}\n{"id": "u1"}\n')
    write_campaign(folder, suppress="[optout.jsonl]", **keys)
    arguments = {
        "run": ["run", "eid.yaml", "--yes"],
        "resume": ["resume", "eid"],
        "retry": ["retry", "eid", "--unknown"],
    }
    result = metrix("campaign", *arguments[verb], "--json")
    assert (result.status, result.document["error"]["code"]) == (2, "suppression_invalid")
    assert result.document["error"]["location"].endswith("/optout.jsonl:2:1")
    assert len(metrix_sandbox.requests()) == made


# -- run


def test_the_document_of_a_run(metrix, folder, metrix_sandbox):
    """Exactly the keys of the contract; a request a text; whoever is no recipient, or twice there, is counted so."""
    result = metrix("campaign", "run", "eid.yaml", "--yes", "--json")
    document = result.document
    assert (result.status, result.err, list(document)) == (0, "", KEYS)
    assert re.fullmatch(r"[0-9a-f]{32}", document.pop("run"))
    assert re.fullmatch(MOMENT, document.pop("started_at"))
    assert re.fullmatch(MOMENT, document.pop("finished_at"))
    assert document == {
        "campaign": "eid",
        "state": "finished",
        "audience": 6,
        "accepted": 4,
        "rejected": 0,
        "unknown": 0,
        "pending": 0,
        "cancelled": 0,
        "skipped": {"duplicate": 1, "invalid": 1},
        "batches": 3,
        "requests": 3,
        "possible_duplicates": 0,
        "halted_by": None,
    }
    texts = {each["message"]["body"]: sorted(each["recipients"]) for each in metrix_sandbox.messages()}
    assert texts == {
        "سلام سارا، 30 درصد": ["u1", "u3"],
        "سلام رضا، 30 درصد": ["u2"],
        "سلام لیلا، 30 درصد": ["u6"],
    }


def test_the_text_of_a_run(metrix, folder):
    """The name, the state, and counts that a person can add up; nothing on stderr where nobody watches."""
    result = metrix("campaign", "run", "eid.yaml", "--yes")
    assert (result.status, result.err) == (0, "")
    assert result.out.splitlines()[0] == "eid  finished"
    assert re.search(r"^accepted +4$", result.out, re.MULTILINE)
    assert re.search(r"^skipped \(invalid 1, duplicate 1\) +2$", result.out, re.MULTILINE)


def test_a_finished_campaign_does_not_run_again(metrix, folder, metrix_sandbox):
    """Exit 2, and not one request more; under --name it is another run."""
    metrix("campaign", "run", "eid.yaml", "--yes")
    before = len(metrix_sandbox.requests())
    again = metrix("campaign", "run", "eid.yaml", "--yes", "--json")
    assert (again.status, again.document["error"]["code"]) == (2, "run_finished")
    assert "`metrix-channels campaign retry eid --rejected`" in again.document["error"]["remedy"]
    assert len(metrix_sandbox.requests()) == before
    other = metrix("campaign", "run", "eid.yaml", "--yes", "--name", "eid-2", "--json")
    assert (other.status, other.document["campaign"], other.document["accepted"]) == (0, "eid-2", 4)


def test_a_name_that_is_none_is_refused(metrix, folder, metrix_sandbox):
    """--name is held to the same rule as the file's."""
    result = metrix("campaign", "run", "eid.yaml", "--yes", "--name", "عید نوروز", "--json")
    assert (result.status, result.document["error"]["code"]) == (2, "usage")
    assert metrix_sandbox.requests() == []


def test_a_dry_run_shows_requests_and_plan(metrix, folder, metrix_sandbox):
    """The bodies as they would go, the key masked; no request, no run, no ledger."""
    result = metrix("campaign", "run", "eid.yaml", "--dry-run", "--json")
    assert (result.status, list(result.document)) == (0, ["requests", "plan"])
    plan = result.document["plan"]
    assert plan | {"audience": 6, "recipients": 4, "batches": 3, "texts": 3, "sms_parts": 4} == plan
    assert plan["skipped"] == {"duplicate": 1, "invalid": 1}
    assert len(result.document["requests"]) == 3
    for request in result.document["requests"]:
        assert (request["method"], request["url"]) == ("POST", f"{metrix_sandbox.url}/push")
        assert request["headers"]["X-API-Key"] == "***"
        assert list(request["body"]) == ["recipients", "channel", "message"]
    text = metrix("campaign", "run", "eid.yaml", "--dry-run")
    assert "سلام لیلا، 30 درصد" in text.out
    assert re.search(r"skipped: duplicate +1", text.out)
    assert text.out.endswith("Nothing was sent.\n")
    assert metrix_sandbox.requests() == []
    assert metrix("campaign", "list", "--json").document == {"campaigns": []}


def test_a_dry_run_shows_the_first_twenty(metrix, folder):
    """However many there are."""
    rows = "".join(f"u{number},n{number}\n" for number in range(30))
    (folder / "audience.csv").write_text("customUserId,first_name\n" + rows)
    document = metrix("campaign", "run", "eid.yaml", "--dry-run", "--json").document
    assert (len(document["requests"]), document["plan"]["batches"]) == (20, 30)


@pytest.mark.parametrize(
    ("change", "status", "code", "place"),
    [
        ({"channel": "smz"}, 2, "channel_unknown", None),
        ({"template": "nothing"}, 2, "template_missing", None),
        ({"audience": "{file: nowhere.csv}"}, 2, "file_unreadable", None),
        ({"audience": "{file: audience.csv, id: userId}"}, 2, "audience_invalid", r"audience\.csv:1"),
        ({"audience": "{file: audience.docx}"}, 2, "config_value_invalid", r"eid.yaml:7?5?:\d+"),
        ({"audience": "[audience.csv"}, 2, "yaml_invalid", r"eid.yaml:\d+:\d+"),
        ({"colour": "red"}, 2, "config_key_unknown", r"eid.yaml:\d+:1"),
        ({"context": "{discount: 012}"}, 2, "yaml_refused", r"eid.yaml:\d+:\d+"),
        ({"schedule": "{at: 2020-01-01T10:00:00Z}"}, 3, "schedule_missed", None),
        ({"suppress": "[nowhere.csv]"}, 2, "file_unreadable", None),
        ({"audience": "{file: audience.csv, except: [before]}"}, 2, "run_missing", None),
    ],
)
def test_a_campaign_file_that_is_wrong(metrix, folder, metrix_sandbox, change, status, code, place):
    """Each with its own code, and its place where the file is at fault; nothing sent, nothing in the books."""
    write_campaign(folder, **change)
    result = metrix("campaign", "run", "eid.yaml", "--yes", "--json")
    error = result.document["error"]
    assert (result.status, error["code"]) == (status, code)
    assert place is None or re.search(place, error["location"])
    assert metrix_sandbox.requests() == []
    assert metrix("campaign", "list", "--json").document == {"campaigns": []}


@pytest.mark.parametrize("name", ["nowhere.yaml", ".", "x" * 5_000])
@pytest.mark.parametrize("verb", [("run",), ("run", "--dry-run"), ("test", "--to", "u1")])
def test_a_campaign_file_that_is_not_there(metrix, folder, name, verb):
    """Missing, a folder, a name too long for any file, a NUL: one clean error."""
    result = metrix("campaign", *verb, "--json", name)
    assert (result.status, result.document["error"]["code"]) == (2, "file_unreadable")
    assert metrix("campaign", *verb, "--json", "a\0b.yaml").document["error"]["code"] == "usage"


def test_an_unverified_channel_is_refused_before_anything_is_read(
    metrix, folder, metrix_config, templates, metrix_sandbox
):
    """Exit 3, no request and no run, from every verb that could send."""
    metrix_config(templates=templates, channels={"sms": {"type": "sms", "verified": False}})
    for arguments in (
        ("run", "eid.yaml", "--yes"),
        ("run", "eid.yaml", "--dry-run"),
        ("test", "eid.yaml", "--to", "u1"),
    ):
        result = metrix("campaign", *arguments, "--json")
        assert (result.status, result.document["error"]["code"]) == (3, "channel_unverified")
    assert metrix_sandbox.requests() == []
    assert metrix("campaign", "list", "--json").document == {"campaigns": []}


@pytest.mark.parametrize(
    ("name", "content", "code", "words"),
    [
        ("a.csv", "customUserId,first_name\nu1,سارا\n".encode("cp1256"), "audience_invalid", "UTF-8"),
        ("a.csv.gz", b"\x1f\x8b\x08\x00broken", "audience_invalid", "gzip"),
        ("a.csv", b"customUserId,first_name\nu1,a\0b\n", "audience_invalid", "NUL"),
        ("a.csv", b"", "audience_invalid", "empty"),
        ("a.csv", b"customUserId,first_name\n", "audience_invalid", "no recipients"),
        ("a.csv", b"customUserId,first_name\n u 1,x\n", "audience_empty", "1 row skipped"),
        ("a.jsonl", b"[1, 2]\n{oops\n", "audience_empty", "2 rows"),
    ],
)
def test_an_audience_that_cannot_be_read(metrix, folder, metrix_sandbox, name, content, code, words):
    """Another encoding, a broken gzip, a NUL, nobody in it: named, nothing sent."""
    (folder / name).write_bytes(content)
    write_campaign(folder, audience=f"{{file: {name}}}")
    result = metrix("campaign", "run", "eid.yaml", "--yes", "--json")
    error = result.document["error"]
    assert (result.status, error["code"]) == (2, code)
    assert words in error["message"]
    assert metrix_sandbox.requests() == []
    assert metrix("campaign", "status", "eid", "--json").document["error"]["code"] == "run_missing"


def test_a_template_that_fails_in_one_row_is_found_before_anything_is_sent(metrix, folder, templates, metrix_sandbox):
    """The row is named, with the count and the place in the template."""
    (templates / "offer" / "sms.txt.j2").write_text("{{ 100 // (first_name | int) }}")
    rows = "".join(f"u{number},{number}\n" for number in range(1, 900))
    (folder / "audience.csv").write_text(f"customUserId,first_name\n{rows}zero,0\n")
    result = metrix("campaign", "run", "eid.yaml", "--yes", "--json")
    error = result.document["error"]
    assert (result.status, error["code"]) == (2, "plan_failed")
    assert "1 of 900 rows" in error["message"]
    assert "1 row (line 901)" in error["message"]
    assert "offer/sms.txt.j2:1" in error["location"]
    assert metrix_sandbox.requests() == []


def test_standard_input_is_an_audience(folder, metrix_sandbox):
    """Read once, and it does not ask: where the rows come from nobody can answer."""
    path = write_campaign(folder, audience='{file: "-"}')
    command = [COMMAND, "campaign", "run", path.name, "--yes", "--json"]
    for name, more in (("eid", []), ("eid-2", ["--yes", "--name", "eid-2"])):
        result = subprocess.run([*command, *more], input=PEOPLE.encode(), capture_output=True, env=environment())
        document = json.loads(result.stdout)
        assert (result.returncode, result.stderr, document["campaign"]) == (0, b"", name)
        assert (document["state"], document["accepted"]) == ("finished", 4)
    assert len(metrix_sandbox.messages()) == 6


@pytest.mark.parametrize("option", [False, True])
def test_canaries_go_first_alone(metrix, folder, metrix_sandbox, option):
    """By the file or by --canary: when one of them fails, nobody else is sent anything, and it can go on."""
    write_campaign(folder, **({} if option else {"canary": 2}))
    metrix_sandbox.inject("status:400", times=9)
    arguments = ("campaign", "run", "eid.yaml", "--yes", *(("--canary", "2") if option else ()))
    halted = metrix(*arguments, "--json")
    assert (halted.status, halted.document["error"]["code"]) == (4, "canary_failed")
    assert halted.document["state"] == "halted"
    assert halted.document["halted_by"]["code"] == "canary_failed"
    assert "`metrix-channels campaign report eid`" in halted.document["halted_by"]["remedy"]
    assert (halted.document["rejected"], halted.document["pending"]) == (2, 2)
    assert adds_up(halted.document)
    assert list(halted.document) == [*KEYS, "error"]
    assert metrix_sandbox.messages() == []


# -- what is in the books


def test_the_list_and_the_status(metrix, folder):
    """The newest first, each as `run` shows it; nothing there is no error."""
    assert metrix("campaign", "list").out == "There are no campaigns yet.\n"
    ran = [
        metrix("campaign", "run", "eid.yaml", "--yes", "--name", name, "--json").document
        for name in ("first", "second")
    ]
    listed = metrix("campaign", "list", "--json")
    assert (listed.status, listed.document) == (0, {"campaigns": [ran[1], ran[0]]})
    status = metrix("campaign", "status", "first", "--json")
    assert (status.status, status.document) == (0, ran[0])
    assert re.search(r"^second +finished +6 +4 +0 +0 +0 ", metrix("campaign", "list").out, re.MULTILINE)
    assert metrix("campaign", "status", "first").out.startswith("first  finished\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("status", "NAME"),
        ("pause", "NAME"),
        ("resume", "NAME"),
        ("cancel", "NAME"),
        ("report", "NAME"),
        ("report", "NAME", "--csv", "out.csv"),
        ("retry", "NAME", "--unknown"),
    ],
)
@pytest.mark.parametrize("name", ["nobody", "", "../eid", "عید", "a\u202eb"])
def test_a_campaign_that_nobody_ran(metrix, folder, arguments, name):
    """One error for every verb, and no CSV begun; no control character reaches the terminal."""
    arguments = ["campaign", *(name if each == "NAME" else each for each in arguments)]
    result = metrix(*arguments, "--json")
    assert (result.status, result.document["error"]["code"]) == (2, "run_missing")
    assert not (folder / "out.csv").exists()
    assert "\u202e" not in metrix(*arguments).err


def test_pause_resume_and_cancel(metrix, folder, metrix_sandbox):
    """A halted run is paused, which `run` respects; `resume` ends it; after that there is nothing to cancel."""
    halt(metrix, metrix_sandbox)
    paused = metrix("campaign", "pause", "eid", "--json")
    assert (paused.status, list(paused.document), paused.document["state"]) == (0, KEYS, "paused")
    refused = metrix("campaign", "run", "eid.yaml", "--yes", "--json")
    assert (refused.status, refused.document["error"]["code"]) == (4, "run_paused")
    resumed = metrix("campaign", "resume", "eid", "--json")
    assert (resumed.status, resumed.document["state"], resumed.document["accepted"]) == (0, "finished", 4)
    for verb in ("pause", "resume", "cancel"):
        over = metrix("campaign", verb, "eid", "--json")
        assert (over.status, over.document["error"]["code"]) == (2, "run_finished")


def test_a_cancelled_run_is_over(metrix, folder, metrix_sandbox):
    """Whoever was pending is cancelled, and stays so."""
    halt(metrix, metrix_sandbox)
    cancelled = metrix("campaign", "cancel", "eid", "--json")
    assert (cancelled.status, cancelled.document["state"]) == (0, "cancelled")
    assert (cancelled.document["cancelled"], cancelled.document["pending"]) == (4, 0)
    assert adds_up(cancelled.document)
    for arguments in (
        ("run", "eid.yaml", "--yes"),
        ("resume", "eid"),
        ("retry", "eid", "--unknown"),
        ("cancel", "eid"),
    ):
        result = metrix("campaign", *arguments, "--json")
        assert (result.status, result.document["error"]["code"]) == (2, "run_cancelled")
    assert metrix_sandbox.messages() == []


def test_a_halted_run_says_why_and_goes_on(metrix, folder, metrix_sandbox):
    """Exit 4 with the document and the error; as text the remedy; `run` takes it up, and status forgets the halt."""
    halted = halt(metrix, metrix_sandbox)
    assert list(halted.document) == [*KEYS, "error"]
    assert halted.document["error"] == halted.document["halted_by"]
    status = metrix("campaign", "status", "eid")
    assert "[credentials_refused]" in status.out
    assert "white list" in status.out
    assert metrix("campaign", "run", "eid.yaml", "--yes", "--json").document["state"] == "finished"
    assert metrix("campaign", "status", "eid", "--json").document["halted_by"] is None


def test_what_changed_since_the_plan_is_named(metrix, folder, metrix_sandbox):
    """An edited audience refuses to resume; undone, it goes on."""
    halt(metrix, metrix_sandbox)
    (folder / "audience.csv").write_text(PEOPLE + "u7,مریم\n", encoding="utf-8")
    for arguments in (("run", "eid.yaml", "--yes"), ("resume", "eid")):
        result = metrix("campaign", *arguments, "--json")
        assert (result.status, result.document["error"]["code"]) == (2, "run_pinned")
        assert "audience" in result.document["error"]["message"]
    (folder / "audience.csv").write_text(PEOPLE, encoding="utf-8")
    assert metrix("campaign", "resume", "eid").status == 0


def test_retry_sends_to_the_rejected_alone(metrix, folder, metrix_sandbox):
    """Exit 1 while some are rejected; retry takes exactly them; one of the two must be chosen."""
    metrix_sandbox.inject("status:400", times=1)
    write_campaign(folder, context="{discount: 30}", template="shared")
    (folder / "audience.csv").write_text("customUserId\nu1\n")
    (metrix_templates(folder) / "shared").mkdir()
    (metrix_templates(folder) / "shared" / "sms.txt.j2").write_text("سلام", encoding="utf-8")
    first = metrix("campaign", "run", "eid.yaml", "--yes", "--json")
    assert (first.status, first.document["state"], first.document["rejected"]) == (1, "finished_with_errors", 1)
    for wrong in ((), ("--rejected", "--unknown")):
        refused = metrix("campaign", "retry", "eid", *wrong, "--json")
        assert (refused.status, refused.document["error"]["code"]) == (2, "usage")
    again = metrix("campaign", "retry", "eid", "--rejected", "--json")
    assert (again.status, list(again.document), again.document["state"]) == (0, KEYS, "finished")
    assert (again.document["accepted"], again.document["rejected"]) == (1, 0)


def metrix_templates(folder):
    return folder.parent / "templates"


def halt(metrix, sandbox):
    """Run `eid` until Metrix refuses the application."""
    sandbox.inject("status:403", times=3)
    halted = metrix("campaign", "run", "eid.yaml", "--yes", "--json")
    assert (halted.status, halted.document["state"], halted.document["pending"]) == (4, "halted", 4)
    sandbox.clear()
    sandbox.test_channel("SMS")
    return halted


# -- test


def test_a_colleague_gets_one_row(metrix, folder, metrix_sandbox):
    """The document of `send`; the message is the row's; no run comes of it."""
    result = metrix("campaign", "test", "eid.yaml", "--to", "boss", "--to", "me", "--row", "2", "--json")
    [receipt] = result.document["receipts"]
    assert (result.status, list(result.document), receipt["outcome"]) == (0, ["receipts"], "accepted")
    assert receipt["recipients"] == ["boss", "me"]
    first = metrix("campaign", "test", "eid.yaml", "--to", "boss")
    assert (first.status, first.err) == (0, "")
    assert re.search(r"accepted +boss", first.out)
    bodies = [message["message"]["body"] for message in metrix_sandbox.messages()]
    assert bodies == ["سلام رضا، 30 درصد", "سلام سارا، 30 درصد"]
    assert metrix("campaign", "list", "--json").document == {"campaigns": []}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--to", "boss", "--row", "7"), "row_missing"),
        (("--to", "boss", "--row", "5"), "row_missing"),
        (("--to", "boss", "--row", "0"), "usage"),
        (("--to", "boss", "--row", "one"), "usage"),
        (("--to", " a b"), "recipient_invalid"),
        ((), "usage"),
    ],
)
def test_a_test_that_cannot_be_made(metrix, folder, metrix_sandbox, arguments, code):
    """A row that is not there or names nobody, a colleague who is none."""
    result = metrix("campaign", "test", "eid.yaml", *arguments, "--json")
    assert (result.status, result.document["error"]["code"]) == (2, code)
    assert metrix_sandbox.requests() == []


def test_a_test_that_is_refused_keeps_its_receipt(metrix, folder, metrix_sandbox):
    """Exit 1, the receipt beside the error."""
    metrix_sandbox.inject("status:400")
    result = metrix("campaign", "test", "eid.yaml", "--to", "boss", "--json")
    assert (result.status, list(result.document)) == (1, ["receipts", "error"])
    assert result.document["error"]["code"] == "rejected"


# -- report


def test_the_csv_has_a_row_for_every_row(metrix, folder):
    """Its header as the contract says; sent, twice there and invalid alike; only its owner can read it."""
    run = metrix("campaign", "run", "eid.yaml", "--yes", "--json").document
    result = metrix("campaign", "report", "eid", "--csv", "out.csv", "--json")
    assert (result.status, result.document["rows"]) == (0, 6)
    assert {key: result.document[key] for key in KEYS} == run
    with (folder / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["recipient", "channel", "outcome", "reason", "batch", "attempts", "status_code", "at"]
    assert sorted((row["recipient"], row["outcome"], row["reason"]) for row in rows) == [
        (" u 5", "skipped", "invalid"),
        ("u1", "accepted", ""),
        ("u1", "skipped", "duplicate"),
        ("u2", "accepted", ""),
        ("u3", "accepted", ""),
        ("u6", "accepted", ""),
    ]
    sent = next(row for row in rows if row["recipient"] == "u2")
    assert (sent["channel"], sent["attempts"], sent["status_code"]) == ("sms", "1", "200")
    assert re.fullmatch(MOMENT, sent["at"])
    assert (folder / "out.csv").stat().st_mode & 0o077 == 0


def test_no_cell_of_the_csv_is_a_formula(metrix, folder):
    """Ids that a spreadsheet would calculate are marked as text."""
    evil = ["=cmd|' /C calc'!A0", "+1+1", "-2", "@SUM(1)", "plain"]
    (folder / "audience.csv").write_text("customUserId,first_name\n" + "".join(f"{each},x\n" for each in evil))
    metrix("campaign", "run", "eid.yaml", "--yes")
    metrix("campaign", "report", "eid", "--csv", "out.csv")
    with (folder / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        cells = [row["recipient"] for row in csv.DictReader(file)]
    assert sorted(cells) == sorted(f"'{each}" if each != "plain" else each for each in evil)


def test_a_report_is_an_audience_and_a_list_again(metrix, folder, templates):
    """It begins with a byte order mark, which Excel needs; ids come back as they were, guarded or not."""
    ids = ["+98912", "=1", "'u", "سارا", "u,1", '"u"', "@x"]
    with (folder / "audience.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["customUserId", "first_name"], *([each, "x"] for each in ids), ["u\u200f1", "x"]])
    assert metrix("campaign", "run", "eid.yaml", "--yes").status == 0
    metrix("campaign", "report", "eid", "--csv", "out.csv")
    assert (folder / "out.csv").read_bytes().startswith(b"\xef\xbb\xbfrecipient,channel,")
    write_campaign(folder, name="again", audience="{file: out.csv, id: recipient}")
    (templates / "offer" / "sms.txt.j2").write_text("سلام", encoding="utf-8")
    result = metrix("campaign", "run", "again.yaml", "--dry-run", "--json")
    (request,) = result.document["requests"]
    assert sorted(request["body"]["recipients"]) == sorted(ids)
    write_campaign(folder, name="others", suppress="[out.csv]")
    result = metrix("campaign", "run", "others.yaml", "--dry-run", "--json")
    assert (result.status, result.document["error"]["code"]) == (2, "audience_empty")


@pytest.mark.parametrize(
    ("name", "code"),
    [("eid.yaml", "file_exists"), ("link.csv", "file_exists"), (".", "file_exists"), ("no/out.csv", "file_unwritable")],
)
def test_a_csv_that_cannot_be_written(metrix, folder, name, code):
    """Nothing is overwritten, not through a link either."""
    metrix("campaign", "run", "eid.yaml", "--yes")
    (folder / "link.csv").symlink_to(folder / "elsewhere.csv")
    before = (folder / "eid.yaml").read_text()
    result = metrix("campaign", "report", "eid", "--csv", name, "--json")
    assert (result.status, result.document["error"]["code"]) == (2, code)
    assert (folder / "eid.yaml").read_text() == before
    assert not (folder / "elsewhere.csv").exists()


def test_the_report_names_who_is_unknown_and_what_to_do(metrix, folder, metrix_sandbox):
    """Held after a lost answer: counted, listed by situation, with the commands that help."""
    write_campaign(folder, on_ambiguous="hold")
    metrix_sandbox.inject("drop", times=1)
    run = metrix("campaign", "run", "eid.yaml", "--yes", "--json")
    assert (run.status, run.document["state"]) == (1, "finished_with_errors")
    assert run.document["unknown"] in (1, 2)
    assert adds_up(run.document)
    report = metrix("campaign", "report", "eid")
    assert "1 request failed" in report.out
    assert "metrix-channels campaign report eid --csv FILE" in report.out
    assert "metrix-channels campaign retry eid --unknown" in report.out
    [trouble] = metrix("campaign", "report", "eid", "--json").document["failed_attempts"]
    assert list(trouble) == ["disposition", "status_code", "example", "attempts"]
    again = metrix("campaign", "retry", "eid", "--unknown", "--json")
    assert (again.status, again.document["accepted"], again.document["unknown"]) == (0, 4, 0)
    assert again.document["possible_duplicates"] == run.document["unknown"]


# -- at a terminal


@pytest.mark.parametrize(("answer", "status", "sent"), [(b"n\n", 4, 0), (b"\n", 4, 0), (b"y\n", 0, 4)])
def test_at_a_terminal_it_asks_before_it_sends(metrix, folder, metrix_sandbox, answer, status, sent):
    """What it would cost, then the question; any answer but yes leaves no run at all."""
    ended, shown, out = at_terminal(folder, "campaign", "run", "eid.yaml", answer=answer)
    assert ended == status
    assert "6 rows, 4 recipients, 3 requests, 3 different texts." in shown
    assert "4 SMS parts" in shown
    assert "Send to 4 recipients? [y/N]: " in shown
    assert ("eid  finished" in out) is bool(sent)
    assert sum(len(message["recipients"]) for message in metrix_sandbox.messages()) == sent
    assert len(metrix("campaign", "list", "--json").document["campaigns"]) == bool(sent)


@pytest.mark.parametrize(("answer", "status", "sent"), [(b"\x04", 4, 0), ("بله\n".encode(), 4, 2)])
def test_at_a_terminal_it_shows_what_would_be_sent_and_who_goes_first(
    metrix, folder, templates, metrix_sandbox, answer, status, sent
):
    """One message of each locale, counts, parts and cost, the names of the first; then they alone are sent to."""
    settings = yaml.safe_load((folder / "channels.yaml").read_text(encoding="utf-8"))
    settings["channels"]["sms"] |= {"price_per_part": 120, "currency": "IRR"}
    (folder / "channels.yaml").write_text(json.dumps(settings), encoding="utf-8")
    (templates / "offer" / "sms.en.txt.j2").write_text("Hello {{ first_name }}", encoding="utf-8")
    people = "customUserId,first_name,lang\nu1,سارا,fa\nu2,Reza,en\nu3,Leila,en\n"
    (folder / "audience.csv").write_text(people, encoding="utf-8")
    write_campaign(folder, canary="{first: 2, then: pause}", locale="{column: lang, default: fa}")
    ended, shown, _ = at_terminal(folder, "campaign", "run", "eid.yaml", answer=answer)
    assert ended == status
    plain = " ".join(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).split())
    for words in (
        "3 rows, 3 recipients",
        "3 SMS parts",
        "360 IRR",
        "locale en: 2 recipients",
        "u1, u2",
        "سلام سارا، 30 درصد",
    ):
        assert words in plain
    assert "Hello Reza" in plain
    assert "Hello Leila" not in plain
    assert plain.index("Hello Reza") < plain.index("Send to 3 recipients? [y/N]:")
    first = {who for message in metrix_sandbox.messages() for who in message["recipients"]}
    assert first == ({"u1", "u2"} if sent else set())
    states = [each["state"] for each in metrix("campaign", "list", "--json").document["campaigns"]]
    assert states == (["paused"] if sent else [])


def test_the_bar_is_on_stderr_and_stdout_is_clean(metrix, folder, metrix_sandbox):
    """With --yes nobody is asked; with --json the question is on stderr too, and stdout is the document."""
    rows = "".join(f"u{number},n{number}\n" for number in range(300))
    (folder / "audience.csv").write_text("customUserId,first_name\n" + rows)
    status, shown, out = at_terminal(folder, "campaign", "run", "eid.yaml", "--yes")
    assert status == 0
    assert "Sending" in shown
    assert "accepted" in shown
    assert "Send to" not in shown
    assert "\x1b" not in out
    assert out.startswith("eid  finished\n")
    command = ("campaign", "run", "eid.yaml", "--name", "eid-2", "--json")
    status, shown, out = at_terminal(folder, *command, answer="بله\n".encode())
    assert (status, json.loads(out)["accepted"]) == (0, 300)
    assert "Send to 300 recipients? [y/N]: " in shown


@pytest.mark.parametrize("lost", ["stdin", "stderr", "both"])
@pytest.mark.parametrize("json_too", [(), ("--json",)])
def test_without_a_terminal_to_ask_on_it_refuses_to_send(metrix, folder, metrix_sandbox, lost, json_too):
    """Somebody has to see the question and to answer it: exit 2, no run and no request, and --yes is named."""
    controller, terminal = pty.openpty()
    command = [COMMAND, "campaign", "run", "eid.yaml", *json_too]
    ended = subprocess.run(
        command,
        stdin=terminal if lost == "stderr" else subprocess.DEVNULL,
        stderr=terminal if lost == "stdin" else subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
        timeout=60,
    )
    os.close(terminal)
    os.close(controller)
    assert ended.returncode == 2
    if json_too:
        error = json.loads(ended.stdout)["error"]
        assert error["code"] == "confirmation_missing"
        assert "--yes" in error["remedy"]
    assert metrix_sandbox.requests() == []
    assert metrix("campaign", "list", "--json").document == {"campaigns": []}
    assert metrix("campaign", "run", "eid.yaml", "--dry-run").status == 0


@pytest.mark.parametrize(("answer", "status"), [(b"n\n", 4), (b"y\n", 0)])
def test_at_a_terminal_it_asks_before_it_goes_on_with_a_run(metrix, folder, metrix_sandbox, answer, status):
    """What is left of the run, then the question; after any answer but yes the run is as it was."""
    metrix_sandbox.inject("status:403")
    halted = metrix("campaign", "run", "eid.yaml", "--yes", "--json").document
    accepted, pending = halted["accepted"], halted["pending"]
    ended, shown, _ = at_terminal(folder, "campaign", "run", "eid.yaml", answer=answer)
    assert ended == status
    assert f"eid continues: {accepted} accepted, {pending} pending." in shown
    assert re.search(rf"Send to {pending} recipients?\? \[y/N\]: ", shown)
    left = metrix("campaign", "status", "eid", "--json").document
    assert (left["accepted"], left["state"]) == ((accepted, "halted") if status else (4, "finished"))


def at_terminal(folder, *arguments, answer=b""):
    """Run the command with stdin and stderr at a terminal; return its status, what was shown there, and stdout."""
    controller, terminal = pty.openpty()
    with (
        (folder / "stdout").open("wb") as out,
        subprocess.Popen(
            [COMMAND, *arguments], stdin=terminal, stdout=out, stderr=terminal, env=environment(TERM="xterm")
        ) as process,
    ):
        os.close(terminal)
        os.write(controller, answer)
        shown = b""
        with contextlib.suppress(OSError):  # what Linux says when the last writer has gone
            while part := os.read(controller, 65_536):
                shown += part
        os.close(controller)
        status = process.wait(timeout=60)
    return status, shown.decode(), (folder / "stdout").read_text(encoding="utf-8")
