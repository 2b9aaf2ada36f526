"""A worker shows neither the key nor a sensitive value: not of a message of the outbox, and not in its log."""

import asyncio
import re

import psycopg
import pytest

from helpers.accounting_server import AccountingServer, Taken
from helpers.campaigns import KEY
from helpers.cluster import Workers, on_postgres
from helpers.command_line import wait_until
from helpers.encodings import encodings, shown
from helpers.postgres import execute
from metrix_channels.ledger import EvidenceBook
from metrix_channels.ledger.postgres.connection import PostgresDatabase

CODE = "کد-۴۰۸۱"
NAMES = ("as it is", "JSON of .NET", "URL, all of it", "base64 of JSON, at 1", "spaces")


@pytest.mark.parametrize("secret", [KEY, CODE])
def test_what_a_server_says_back_about_a_message_of_the_outbox_is_shown_nowhere(project, postgres_url, secret):
    """Receipts, evidence and the worker's log hold the reason why it is not there."""
    forms = {"as it is": secret, **encodings(secret)}
    users = {f"u{number}": forms[name] for number, name in enumerate(NAMES)}

    def echo(recipients, _message, _body):
        return Taken(400, taken=False, body=f"No: {users[recipients[0]]}".encode())

    project.template("---\nsensitive: [code]\n---\nکد {{ code | fa_digits }}", "otp")
    with AccountingServer(echo) as server:
        project.configure(server.url)
        on_postgres(project, postgres_url)
        with project.notifier() as notifier, psycopg.connect(postgres_url) as connection:
            sent = [notifier.enqueue("sms", user, "otp", {"code": CODE}, connection=connection) for user in users]
            connection.commit()
            with Workers(project) as workers:
                workers.start(1, "-vv")
                wait_until(lambda: all(notifier.receipts(each) for each in sent), seconds=60)
            receipts = repr([notifier.receipts(each) for each in sent])
        kept = repr(execute(postgres_url, "SELECT answer FROM attempts")) + repr(asyncio.run(evidence(postgres_url)))
    found = receipts + kept + workers.log.read_text()
    assert "No: ***" in found
    assert len(re.findall("answer withheld: it contains", receipts)) >= len(NAMES) - 1
    assert shown(found, secret) + shown(found, CODE) == []


async def evidence(url):
    database = PostgresDatabase(url)
    found = await EvidenceBook(database, days=30, size=1_000_000).recent()
    await database.close()
    return found
