"""The schema of a ledger in PostgreSQL makes itself, once, whoever comes first."""

import threading

import psycopg

from helpers.command_line import wait_until
from helpers.postgres import execute
from metrix_channels.errors import LedgerError
from metrix_channels.ledger.postgres.connecting import SETTINGS
from metrix_channels.ledger.postgres.schema import prepare_schema

WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


def test_who_waited_while_another_made_the_schema_takes_it(postgres_url):
    """What it saw before it waited is not what it goes by."""
    refused = []

    def second():
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(SETTINGS)
            try:
                prepare_schema(connection, postgres_url)
            except (LedgerError, psycopg.Error) as error:
                refused.append(error)

    thread = threading.Thread(target=second)
    with psycopg.connect(postgres_url, autocommit=True) as first:
        first.execute(SETTINGS)
        with first.transaction():
            prepare_schema(first, postgres_url)
            thread.start()
            wait_until(lambda: execute(postgres_url, WAITING) == [(1,)], 60)
    thread.join(60)
    assert refused == []
