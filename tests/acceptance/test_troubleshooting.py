"""Metrix's troubleshooting page, sentence by sentence: what the table in docs names does what it says."""

import json
import re
import zipfile
from pathlib import Path

import pytest

from helpers.certificates import make_certificates
from helpers.fault_server import Answer, FaultServer, refusing_address
from helpers.project import make_project
from metrix_channels import MetrixChannelsError, Notifier
from metrix_channels.errors.catalogue import SITUATIONS

PAGE = Path(__file__).parents[2] / "docs" / "troubleshooting.md"
AT = 1_795_000_000_000

ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if re.match(r"\| \d ", line)
]
SETTINGS = ("taxonomy", "-v", "-vv")
LAYERS = ("dns", "tcp", "tls", "http", "credentials")
FILES = ("README.txt", "request.sh", "answer.txt", "log.txt")


def promises():
    """What the third column names: codes, commands, layers of doctor and files of the bundle."""
    for number, (_, _, promised) in enumerate(ROWS, start=1):
        for name in re.findall(r"`([^`]+)`", promised):
            if name not in SETTINGS:
                yield pytest.param(name, promised, id=f"{number}-{name}")


@pytest.fixture
def stage(tmp_path, metrix, monkeypatch):
    return Stage(tmp_path, metrix, monkeypatch)


class Stage:
    """Brings situations about, and returns the code that comes of each."""

    def __init__(self, folder, metrix, monkeypatch):
        self.folder = folder
        self.metrix = metrix
        self.monkeypatch = monkeypatch

    def code_of(self, project, act):
        """What an act ends with."""
        with pytest.raises(MetrixChannelsError) as raised, Notifier.from_config(project.config) as notifier:
            act(notifier)
        return raised.value.code

    def call(self, act, *script, **settings):
        """Act against a server that follows a script; also return how many requests it saw."""
        with FaultServer(script or [Answer(200)]) as server:
            project = make_project(self.folder, server.url, max_attempts=2, **settings)
            return self.code_of(project, act), len(server.requests)

    def edited(self, act, edit):
        """The same with a configuration that somebody edited."""
        with FaultServer() as server:
            project = make_project(self.folder, server.url)
            settings = json.loads(project.config.read_text())
            edit(settings)
            project.config.write_text(json.dumps(settings))
            return self.code_of(project, act), len(server.requests)

    def with_key(self, written, value=None):
        """Send with a key that is written so, and its variable set to a value."""

        def edit(settings):
            del settings["metrix"]["api_key_file"]
            settings["metrix"]["api_key"] = written

        if value is not None:
            self.monkeypatch.setenv("METRIX_KEY", value)
        return self.edited(send, edit)

    def unreachable(self):
        """Send where nobody listens."""
        with refusing_address() as url:
            return self.code_of(make_project(self.folder, url, max_attempts=1), send), 0

    def untrusted(self):
        """Send to a server whose certificate nobody signed that is trusted here."""
        certificates = make_certificates(self.folder)
        with FaultServer(certificate=str(certificates.good)) as server:
            return self.code_of(make_project(self.folder, server.url), send), len(server.requests)


def send(notifier):
    notifier.send("sms", "u1", "hello", {"name": "سارا"})


def templated(stage, text):
    def act(notifier):
        file = stage.folder / "templates" / "note" / "sms.txt.j2"
        file.parent.mkdir()
        file.write_text(text, encoding="utf-8")
        notifier.send("sms", "u1", "note", {})

    return act


def track(**fields):
    return lambda notifier: notifier.track("u1", **fields)


def repeated(notifier):
    for _ in range(2):
        notifier.track("u1", name="x", time=AT)


ERRORS = {
    "secret_missing": lambda stage: stage.with_key("${METRIX_KEY}"),
    "secret_invalid": lambda stage: stage.with_key("${METRIX_KEY}", "two\nlines"),
    "secret_literal": lambda stage: stage.with_key("live_9f3a7c51e2"),
    "credentials_refused": lambda stage: stage.call(send, Answer(403)),
    "context_invalid": lambda stage: stage.call(lambda one: one.send("sms", "u", "hello", {"name": object()})),
    "attribute_invalid": lambda stage: stage.call(track(name="x", attributes={"a": float("nan")})),
    "record_invalid": lambda stage: stage.call(lambda one: one.track_many([{"user": "u", "nmae": "x"}])),
    "event_name_invalid": lambda stage: stage.call(track(name="")),
    "event_name_unknown": lambda stage: stage.edited(track(name="x"), lambda it: it.update(taxonomy=["order_paid"])),
    "event_time_invalid": lambda stage: stage.call(track(name="x", time=AT // 1000)),
    "event_time_repeated": lambda stage: stage.call(repeated),
    "birthday_invalid": lambda stage: stage.call(lambda one: one.identify("u", birthday=AT * 2)),
    "revenue_invalid": lambda stage: stage.call(track(name="x", revenue="12.5")),
    "user_invalid": lambda stage: stage.call(lambda one: one.identify("")),
    "recipient_invalid": lambda stage: stage.call(lambda one: one.send("sms", "", "hello", {"name": "x"})),
    "message_empty": lambda stage: stage.call(templated(stage, "  \n")),
    "field_invalid": lambda stage: stage.call(templated(stage, "---\ntitle: [1]\n---\nسلام")),
    "channel_unverified": lambda stage: stage.edited(send, lambda it: it["channels"]["sms"].update(verified=False)),
    "unreachable": lambda stage: stage.unreachable(),
    "certificate_refused": lambda stage: stage.untrusted(),
    "unavailable": lambda stage: stage.call(send, Answer(503)),
    "outcome_unknown": lambda stage: stage.call(send, Answer(500), on_ambiguous="hold"),
}
"""How each code comes about: the code, and the requests that were made until then."""

AFTER_A_REQUEST = {"credentials_refused": 1, "unavailable": 2, "outcome_unknown": 1, "event_time_repeated": 1}


def test_the_table_covers_all_five_sections():
    """And each row promises something."""
    assert {row[0] for row in ROWS} == {"1", "2", "3", "4", "5"}
    assert len({promise.id.partition("-")[0] for promise in promises()}) == len(ROWS)


@pytest.mark.parametrize(("name", "promised"), list(promises()))
def test_what_a_row_names_does_it(stage, name, promised):
    """A code comes about, without a request where none is needed; a command does its part."""
    if name in ERRORS:
        assert ERRORS[name](stage) == (name, AFTER_A_REQUEST.get(name, 0))
        return
    commands = {
        "doctor": doctor_names_every_layer,
        "support-bundle": bundle_is_written,
        "support-bundle --list": bundles_are_listed,
        "track": track_gives_type_id_and_time,
        "identify": identify_gives_type_id_and_time,
        "preflight": preflight_refuses_the_untested,
        "channels verify": verify_records_the_test,
    }
    if name in LAYERS or name in FILES:
        assert "`doctor`" in promised or "`support-bundle`" in promised
        {**dict.fromkeys(LAYERS, doctor_names_every_layer), **dict.fromkeys(FILES, bundle_is_written)}[name](stage)
    elif name.startswith("explain "):
        situation = SITUATIONS[name.removeprefix("explain ")]
        shown = stage.metrix("explain", name.removeprefix("explain "), "--json")
        assert shown.status == 0
        assert situation.remedy in json.dumps(shown.document, ensure_ascii=False)
    else:
        commands[name](stage)


def doctor_names_every_layer(stage):
    with FaultServer([Answer(403)]) as server:
        project = make_project(stage.folder, server.url)
        result = stage.metrix("--config", project.config, "doctor", "--json")
    checks = {check["id"]: check for check in result.document["checks"]}
    assert set(LAYERS) <= set(checks)
    assert "127.0.0.1" in checks["tcp"]["message"]


def failed_project(stage):
    with FaultServer([Answer(400, "نه".encode())]) as server:
        project = make_project(stage.folder, server.url)
        assert stage.code_of(project, send) == "rejected"
    return project


def bundle_is_written(stage):
    project = failed_project(stage)
    path = stage.folder / "bundle.zip"
    assert stage.metrix("--config", project.config, "support-bundle", "-o", path).status == 0
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    assert "app-1" in files["README.txt"]
    assert re.search(r"Time \(UTC\): +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", files["README.txt"])
    assert files["request.sh"].startswith("curl -X POST")
    assert "X-API-Key: ***" in files["request.sh"]
    assert "سلام" in files["request.sh"]
    assert files["answer.txt"] == "Status: 400\n\nنه\n"
    assert "Metrix answered 400" in files["log.txt"]


def bundles_are_listed(stage):
    project = failed_project(stage)
    assert "Metrix answered 400" in stage.metrix("--config", project.config, "support-bundle", "--list").out


def track_gives_type_id_and_time(stage):
    told(stage, lambda notifier: notifier.track("u1", name="x"), {"type": "action", "customName": "x"})


def identify_gives_type_id_and_time(stage):
    told(stage, lambda notifier: notifier.identify("u1", city="تهران"), {"type": "user", "city": "تهران"})


def told(stage, act, expected):
    with FaultServer() as server:
        with Notifier.from_config(make_project(stage.folder, server.url).config) as notifier:
            receipt = act(notifier)
        [message] = json.loads(server.requests[0].body)["messages"]
    assert message == expected | {"id": receipt.id, "time": round(receipt.time.timestamp() * 1000)}


def preflight_refuses_the_untested(stage):
    assert verified_check(stage, untested(stage)) == (3, "fail")


def verify_records_the_test(stage):
    project = untested(stage)
    verify = ("channels", "verify", "sms", "--by", "sara@example.com")
    assert stage.metrix("--config", project.config, *verify).status == 0
    assert verified_check(stage, project)[1] == "pass"


def untested(stage):
    project = make_project(stage.folder, "http://127.0.0.1:9")
    project.config.write_text(project.config.read_text().replace('"verified": true', '"verified": false'))
    return project


def verified_check(stage, project):
    result = stage.metrix("--config", project.config, "preflight", "sms", "--offline", "--json")
    [check] = [check for check in result.document["checks"] if check["id"] == "channel.verified"]
    return result.status, check["status"]
