"""Workers are killed, frozen, woken and asked to end, and the database falls over, in random orders under load.

They send a campaign and the messages of the outbox. Afterwards the books add up, and the server's own account agrees
with them.
"""

import os
import random
import time

import psycopg
import pytest

from helpers.accounting_server import AccountingServer, Taken, always, troubled
from helpers.campaigns import balance, people
from helpers.cluster import LEASE, Workers, on_postgres, over, until
from helpers.command_line import wait_until
from metrix_channels import Outcome

SEED = int(os.environ.get("METRIX_CHANNELS_TEST_SEED", "1"))
MANY = 900
MESSAGES = 12
"""Put into the outbox before each event."""


def killed(workers, _postgres, chance):
    """A worker dies, and somebody starts another."""
    workers.kill(chance.randrange(len(workers.processes)))
    workers.start()


def frozen(workers, _postgres, chance):
    """A worker sleeps past its lease and goes on as if nothing had been."""
    workers.freeze(chance.randrange(len(workers.processes)), LEASE + chance.uniform(0.2, 1.5))


def drained(workers, _postgres, chance):
    """A worker is asked to end, as in a deployment."""
    workers.terminate(chance.randrange(len(workers.processes)))
    workers.start()


def restarted(_workers, postgres, _chance):
    """The database falls over and comes back."""
    postgres.restart(mode="immediate")


def misconfigured(workers, _postgres, _chance):
    """Somebody starts a worker that has no key: it takes nothing, and its run and messages are the others'."""
    folder = workers.project.folder / "keyless"
    folder.mkdir(exist_ok=True)
    (folder / "channels.yaml").write_text(workers.project.config.read_text())
    workers.start(folder=folder)


EVENTS = (killed, frozen, drained, restarted, misconfigured)


def check(ended, server, on_ambiguous):
    """Compare the books of the campaign with the server's account."""
    assert balance(ended) == 0
    assert ended["pending"] == 0
    assert ended["accepted"] + ended["unknown"] == MANY
    missing = MANY - sum(each.startswith("u") for each in server.account)
    assert missing <= ended["unknown"]
    twice = {each for each in server.twice if each.startswith("u")}
    if on_ambiguous == "hold":
        assert twice == set()
    else:
        assert len(twice) <= ended["possible_duplicates"]


def enqueued(project, url, numbers):
    """Put messages into the outbox, every fourth in a transaction that is rolled back; return those that are there."""
    found = {}
    with project.notifier() as notifier, psycopg.connect(url) as connection:
        for number in numbers:
            sent = notifier.enqueue("sms", f"m{number}", "offer", {"first_name": "a"}, connection=connection)
            if number % 4:
                connection.commit()
                found[f"m{number}"] = sent
            else:
                connection.rollback()
    return found


def check_outbox(project, server, messages, on_ambiguous):
    """Wait for the receipts of all messages, and compare them with the server's account."""
    with project.notifier() as notifier:
        for recipient, sent in messages.items():
            wait_until(lambda sent=sent: notifier.receipts(sent) is not None, 90.0)
            [receipt] = notifier.receipts(sent)
            taken = server.account[recipient]
            assert receipt.outcome in (Outcome.ACCEPTED, Outcome.UNKNOWN)
            assert taken >= 1 or receipt.outcome is Outcome.UNKNOWN
            assert taken <= 1 or receipt.possible_duplicate or receipt.outcome is Outcome.UNKNOWN
            assert taken <= 1 or on_ambiguous == "retry"
    assert {each for each in server.account if each.startswith("m")} <= set(messages)


def one_order(project, postgres, on_ambiguous, script, seed, name):
    """Run one campaign through one random order of events."""
    chance = random.Random(seed)
    with AccountingServer(script(chance.randrange(10**9)), seconds=0.02) as server, postgres.database() as url:
        project.configure(server.url, on_ambiguous=on_ambiguous, batch_size=3, max_attempts=8, concurrency=4)
        on_postgres(project, url)
        project.campaign(name)
        with Workers(project) as workers:
            workers.start(3)
            assert project.run("run", f"{name}.yaml", "--yes", "--detach").status == 0
            messages = {}
            for at, event in enumerate(chance.sample(EVENTS, k=len(EVENTS))[: chance.randint(2, 4)]):
                messages |= enqueued(project, url, range(at * MESSAGES, (at + 1) * MESSAGES))
                time.sleep(chance.uniform(0.0, 1.2))
                event(workers, postgres, chance)
            ended = until(project, name, over)
            check_outbox(project, server, messages, on_ambiguous)
            for at in range(len(workers.processes)):
                workers.terminate(0) if at % 2 else workers.kill(0)
        check(ended, server, on_ambiguous)


def options(project, postgres, on_ambiguous, script, count):
    project.audience(people(MANY))
    for number in range(count):
        seed = SEED + number
        print(f"METRIX_CHANNELS_TEST_SEED={seed} replays this")  # noqa: T201 - shown when it fails
        one_order(project, postgres, on_ambiguous, script, seed, f"c{number}")


def healthy(_seed):
    """A server without faults."""
    return always(Taken())


@pytest.mark.parametrize("on_ambiguous", ["hold", "retry"])
def test_random_orders_of_accidents(project, postgres, on_ambiguous):
    """hold: nobody twice; retry: nobody missing, every duplicate counted; a sample of `make long`."""
    options(project, postgres, on_ambiguous, troubled, 1)


@pytest.mark.long
@pytest.mark.parametrize("on_ambiguous", ["hold", "retry"])
@pytest.mark.parametrize("script", [healthy, troubled])
def test_a_hundred_random_orders(project, postgres, on_ambiguous, script):
    """The same, 25 times in each of four ways."""
    options(project, postgres, on_ambiguous, script, 25)
