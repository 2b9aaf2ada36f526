"""A campaign shows neither the key nor a sensitive value: not in its request, its answer or its evidence."""

import json
import logging
import sqlite3
import zlib
from contextlib import closing

import pytest

from helpers.accounting_server import AccountingServer, Taken
from helpers.campaigns import KEY
from helpers.encodings import encodings, shown
from helpers.fault_server import FaultServer, Raw
from metrix_channels import CampaignError
from metrix_channels.api.transports.httpx_transport import HttpxTransport
from metrix_channels.notifier import clients

CODE = "کد-۴۰۸۱"


@pytest.fixture(params=["httptools", "httpx"])
def _wire(request, monkeypatch):
    """Over each transport, though no proxy stands between."""
    if request.param == "httpx":
        monkeypatch.setattr(clients, "open_transport", HttpxTransport)


@pytest.fixture
def secretive(project):
    """A campaign whose recipients have codes, which the template calls sensitive."""
    project.template(
        "---\nsensitive: [first_name]\nextra: {link: 'https://x/?c={{ first_name }}'}\n---\nکد {{ first_name }}"
    )
    project.campaign()
    return project


KEPT = (
    "SELECT request, answer, explanation, lines FROM evidence",
    "SELECT * FROM failed_attempts",
    "SELECT * FROM runs",
)


def visible(project, caplog):
    """Return all that is kept or shown of a run, but the values from which its messages are rendered."""
    with project.notifier() as notifier:
        found = [repr(notifier.campaigns.status("offer"))]
    found += [unpacked(cell) for sql in KEPT for row in query(project, sql) for cell in row]
    return "\n".join(found) + caplog.text


def query(project, sql):
    with closing(sqlite3.connect(project.folder / "metrix-channels.db")) as connection:
        return connection.execute(sql).fetchall()


def unpacked(cell):
    try:
        return zlib.decompress(cell).decode() if isinstance(cell, bytes) else str(cell)
    except zlib.error:
        return repr(cell)


@pytest.mark.usefixtures("_wire")
@pytest.mark.parametrize("what", ["key", "code"])
def test_what_a_server_says_back_is_shown_in_no_encoding(secretive, caplog, what):
    """Each recipient is refused with another form of the key, or of the own code."""
    caplog.set_level(logging.DEBUG)
    names = ["as it is", *encodings(KEY)]
    said = []
    codes = {f"u{number}": f"{CODE}-{number}" for number in range(len(names))}

    def echo(recipients, _message, _body):
        [user] = recipients
        if user.startswith("ok"):
            return Taken()
        secret = KEY if what == "key" else codes[user]
        form = {"as it is": secret, **encodings(secret)}[names[int(user[1:])]]
        said.append(form)
        return Taken(422, taken=False, body=f"No: {form}".encode())

    with AccountingServer(echo) as server:
        secretive.configure(server.url, batch_size=1, concurrency=1)
        # Between them some are accepted: twenty refused in a row would end the run.
        secretive.audience(
            [row for user, code in codes.items() for row in ((user, code), (f"ok{user}", f"hello {user}"))]
        )
        with secretive.notifier() as notifier:
            assert notifier.campaigns.run(secretive.folder / "offer.yaml").rejected == len(names)
    found = visible(secretive, caplog)
    assert len(query(secretive, "SELECT 1 FROM evidence")) == len(names)
    assert "withheld: it contains" in found
    assert [form for form in (CODE, KEY, *said) if form in found or repr(form)[1:-1] in found] == []


@pytest.mark.usefixtures("_wire")
def test_the_request_is_kept_without_what_is_sensitive(secretive, caplog):
    """It stays the JSON that it was; a link that holds the value in percent-encoding goes whole."""
    with AccountingServer(lambda *_: Taken(403, taken=False, body=b"Forbidden")) as server:
        secretive.configure(server.url, concurrency=1)
        secretive.audience([("u1", CODE)])
        with secretive.notifier() as notifier:
            notifier.campaigns.run(secretive.folder / "offer.yaml")
        assert CODE in json.loads(server.bodies[0])["message"]["body"]
    [(request, answer)] = query(secretive, "SELECT request, answer FROM evidence")
    kept = json.loads(zlib.decompress(request))
    assert (kept["recipients"], kept["message"]["body"], answer) == (["u1"], "کد ***", "Forbidden")
    assert shown(visible(secretive, caplog), CODE) == []


@pytest.mark.usefixtures("_wire")
@pytest.mark.parametrize("said", [CODE, KEY, *[encodings(secret)["bytes of Python"] for secret in (CODE, KEY)]])
def test_a_failures_reason_shows_neither(secretive, caplog, said):
    """What is no HTTP is quoted by the library that could not read it."""
    with FaultServer([Raw(f"{said}\r\n\r\n".encode())]) as server:
        secretive.configure(server.url, concurrency=1, max_attempts=1)
        secretive.audience([("u1", CODE)])
        with secretive.notifier() as notifier:
            notifier.campaigns.run(secretive.folder / "offer.yaml")
    found = visible(secretive, caplog)
    assert "failed after sending had begun" in found
    assert shown(found, CODE) + shown(found, KEY) == []


def test_a_plan_that_fails_does_not_quote_it(secretive, caplog):
    """A link that is refused is named without the value that makes it so."""
    secretive.template('---\nsensitive: [first_name]\nextra: {link: "javascript:{{ first_name }}"}\n---\nسلام')
    secretive.configure("http://127.0.0.1:9")
    secretive.audience([("u1", CODE)])
    with secretive.notifier() as notifier, pytest.raises(CampaignError) as caught:
        notifier.campaigns.run(secretive.folder / "offer.yaml")
    assert caught.value.code == "plan_failed"
    assert shown(str(caught.value) + caplog.text, CODE) == []
