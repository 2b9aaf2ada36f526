"""One table: whatever a sensitive value is, wherever it appears, and whoever sends it, it is shown nowhere."""

import asyncio
import json
import logging
import re
import sqlite3
import traceback
import zlib
from contextlib import closing

import psycopg
import pytest

from helpers.accounting_server import AccountingServer, Taken
from helpers.campaigns import Project
from helpers.cluster import on_postgres
from helpers.encodings import shown
from helpers.outbox import OutboxWorker
from helpers.postgres import execute
from helpers.telemetry import SPANS, set_up_telemetry, told
from metrix_channels import AsyncNotifier
from metrix_channels.errors import MetrixChannelsError

VALUES = {
    "text": ("zq/کد+482193771", "value"),
    "Persian digits": ("۴۸۲۱۹۳۷۷۱", "value"),
    "Persian digits in a word": ("کد-۴۸۲۱۹۳۷۷۱", "value"),
    "whole number": (482193771, "value"),
    "fraction": (482193.771, "value"),
    "fraction that is whole": (482193771.0, "value | int"),
    "list": (["482193771", "771204553"], "value | join('-')"),
    "nested list": ([482193771, [["zq-771204553"]]], "value[0] ~ ' ' ~ value[1][0][0]"),
    "mapping": ({"code": "482193771", "pin": 771204553}, "value.code ~ ' ' ~ value.pin"),
    "nested mapping": ({"a": [{"b": {"c": "۴۸۲۱۹۳۷۷۱"}}], "d": 771204553.5}, "value.a[0].b.c ~ ' ' ~ value.d"),
}
"""Values, and how a template writes each of them: lists and mappings cannot stand in a message as they are."""
TEMPLATE = """---
sensitive: [value]
extra: {link: "https://example.com/?c={{ (VALUE) | string | urlencode }}", plain: "{{ VALUE }}"}
---
کد {{ VALUE }}، {{ (VALUE) | string | fa_digits }}
"""
FAULTY = {
    "a link that is refused": "---\nsensitive: [value]\nextra: {link: 'javascript:{{ VALUE }}'}\n---\nسلام".replace(
        "'", '"'
    ),
    "a value that a filter refuses": "---\nsensitive: [value]\n---\n{{ (VALUE) | string | jalali }}",
    "a value that is no number": "---\nsensitive: [value]\n---\n{{ ('x' ~ (VALUE)) | round }}",
    "a text that is too long": "---\nsensitive: [value]\n---\n{{ VALUE }}{{ 'x' * 9000000 }}",
    "an item that is missing": "---\nsensitive: [value]\n---\n{{ VALUE }}{{ {}[VALUE] }}",
}
"""Templates that fail, each in another place."""


def refuse(_recipients, _message, body):
    """Say back all that was sent, as it was and with its escapes undone and redone."""
    text = body.decode()
    loud = json.dumps(json.loads(body))  # every letter of Persian as an escape
    return Taken(400, taken=False, body=f"Bad request: {text} {loud}".encode())


ANSWERS = {
    "refused with an echo": refuse,
    "taken with an echo": lambda _recipients, _message, body: Taken(body=b'{"status": true, "you": ' + body + b"}"),
    "a page with an echo": lambda _recipients, _message, body: Taken(body=b"<html>" + body),
    "refused for all with an echo": lambda _recipients, _message, body: Taken(403, taken=False, body=body),
    "unavailable with an echo": lambda _recipients, _message, body: Taken(503, taken=False, body=body),
}


class Logged(logging.Handler):
    """All that is logged by anybody, with its fields."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.texts = []

    def emit(self, record):
        self.texts.append(f"{record.getMessage()} {record.__dict__!r}")


@pytest.fixture
def logged():
    """As with -vv: every level of every logger."""
    handler, root = Logged(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    set_up_telemetry()
    SPANS.clear()
    yield handler.texts
    root.removeHandler(handler)
    root.setLevel(level)


async def send(project, value):
    """Send at once; returns what is said of it."""
    async with AsyncNotifier.from_config(project.config) as notifier:
        return repr(await notifier.send("sms", "u1", "offer", {"value": value}))


async def campaign(project, value):
    """Run a campaign with the value in its audience; end it, should it be halted."""
    return await _campaign(project, [{"customUserId": "u1", "value": value}], {})


async def campaign_context(project, value):
    """The same with the value in its context."""
    return await _campaign(project, [{"customUserId": "u1"}], {"value": value})


async def _campaign(project, rows, context):
    (project.folder / "people.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    path = project.campaign(audience={"file": "people.jsonl"}, context=context)
    async with AsyncNotifier.from_config(project.config) as notifier:
        campaigns = notifier.campaigns
        status = await campaigns.run(path)
        found = [status, await campaigns.failed_attempts("offer"), await campaigns.overview("offer")]
        if not status.is_over:
            found.append(await campaigns.cancel("offer"))
        return repr(found + [row async for page in campaigns.pages("offer") for row in page])


async def outbox(project, value):
    """Enqueue, and send as a worker does; returns the receipts."""
    url = json.loads(project.config.read_text())["ledger"]
    async with AsyncNotifier.from_config(project.config) as notifier:
        with psycopg.connect(url) as connection:
            sent = await notifier.enqueue("sms", "u1", "offer", {"value": value}, connection=connection)
        worker = OutboxWorker(project.config)
        try:
            assert await worker.work()
        finally:
            await worker.close()
        return repr([await notifier.receipts(sent), worker.problems])


PATHS = {"send": send, "campaign": campaign, "campaign's context": campaign_context, "outbox": outbox}


@pytest.fixture(params=PATHS)
def path(request, tmp_path):
    """Who sends; with the project that it is done in, and how to look into its ledger."""
    project = Project(tmp_path)
    url = request.getfixturevalue("postgres_url") if request.param == "outbox" else None
    return PATHS[request.param], project, url


def said_and_kept(path, template, what, answer, logged):
    """Send a value in a template; return all that is said, logged, told to OpenTelemetry and kept."""
    work, project, url = path
    value, expression = VALUES[what]
    project.template(template.replace("VALUE", expression))
    with AccountingServer(answer) as server:
        project.configure(server.url, max_attempts=1)
        if url is not None:
            on_postgres(project, url)
        try:
            said = asyncio.run(work(project, value))
        except MetrixChannelsError as error:
            said = everything_about(error)
    kept = _file(project.folder / "metrix-channels.db") if url is None else _tables(url)
    return "\n".join([said, *logged, told(), kept]), server


def everything_about(error):
    """Return all texts of an exception and of those behind it."""
    texts = ["".join(traceback.format_exception(error)), repr(getattr(error, "receipts", ""))]
    while error is not None:
        texts.append(f"{error!s} {error!r} {error.args!r} {vars(error)!r}")
        error = error.__cause__ or error.__context__
    return "\n".join(texts)


def _file(path):
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return "\n".join(
            _text(cell) for table in tables for row in connection.execute(f"SELECT * FROM {table}") for cell in row
        )


def _tables(url):
    """Return what every table holds; but of a message that waits, which a worker needs as it is."""
    tables = "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname NOT LIKE 'pg_%'"
    names = [name for (name,) in execute(url, f"{tables} AND schemaname <> 'information_schema'")]
    if "metrix_channels.sends" in names:
        execute(url, "UPDATE metrix_channels.sends SET outgoing = NULL WHERE state = 'open'")
    return "\n".join(_text(cell) for name in names for row in execute(url, f"SELECT * FROM {name}") for cell in row)


def _text(cell):
    try:
        return zlib.decompress(cell).decode() if isinstance(cell, bytes) else str(cell)
    except zlib.error:
        return repr(cell)


def leaves(value):
    """Give the texts and numbers in a value, as a message may say them."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from leaves(inner)
    else:
        yield str(value)
        if isinstance(value, float):
            yield str(int(value)) if value.is_integer() else str(value)


def leaked(text, value):
    """Return which parts of a value a text shows, in whichever script and encoding."""
    ascii_text = _in_ascii_digits(text)
    found = [leaf for leaf in leaves(value) if _in_ascii_digits(leaf) in ascii_text or shown(text, leaf)]
    digits = [run for leaf in leaves(value) for run in re.findall(r"\d{6,}", _in_ascii_digits(leaf))]
    return found + [run for run in digits if run in ascii_text]


def _in_ascii_digits(text):
    return "".join(str(int(char)) if char.isdecimal() else char for char in text)


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("what", VALUES)
def test_whatever_is_answered_nothing_shows_it(path, what, answer, logged):
    """Not the result or its error, no line at DEBUG, no span, no evidence, and nothing else in the ledger."""
    value, _ = VALUES[what]
    found, server = said_and_kept(path, TEMPLATE, what, ANSWERS[answer], logged)
    assert leaked("".join(body.decode() for body in server.bodies), value), "it was not sent at all"
    assert leaked(found, value) == []
    assert "***" in found or "withheld" in found or answer == "taken with an echo"


@pytest.mark.parametrize("template", FAULTY)
@pytest.mark.parametrize("what", VALUES)
def test_a_message_that_cannot_be_made_does_not_quote_it(path, what, template, logged):
    """Nothing leaves, and the error names the place and not the value."""
    found, server = said_and_kept(path, FAULTY[template], what, ANSWERS["taken with an echo"], logged)
    assert server.bodies == []
    assert leaked(found, VALUES[what][0]) == []
