"""The outbox as a state machine: whatever happens in whatever order, no message is lost and none sent in silence twice.

The ledger and the server are real. The workers share the test's process, so that each can be killed or frozen before
any of its transactions; `test_outbox.py` does the same to real processes.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from attrs import define, field
from hypothesis import HealthCheck, settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from helpers.accounting_server import AccountingServer, Taken, always
from helpers.campaigns import Project
from helpers.cluster import on_postgres
from helpers.outbox import OutboxWorker
from helpers.postgres import execute
from metrix_channels import AsyncNotifier, Outcome
from metrix_channels.errors import LedgerError, MetrixChannelsError
from metrix_channels.ledger.purge import purge
from metrix_channels.notifier.outbox import outbox as outbox

ANSWERS = {
    "taken": Taken(),
    "lost": Taken(0),
    "failed": Taken(500),
    "busy": Taken(503, taken=False),
    "wait": Taken(429, taken=False, headers={"Retry-After": "0"}),
    "refused": Taken(400, taken=False),
}
BAD = ("keyless", "unverified", "unknown", "foreign", "denied", "broken")
WORKERS = strategies.integers(0, 1)
STEPS = strategies.integers(0, 6)
KEYS = strategies.sampled_from(["k1", "k2"])
TIMES = {"at once": None, "overdue": timedelta(hours=-1), "later": timedelta(hours=1)}
UNWATCHED = """
    SELECT s.id FROM sends s WHERE s.state = 'open' AND s.outgoing IS NOT NULL
        AND (s.due_at IS NULL OR s.due_at::timestamptz <= now())
        AND NOT EXISTS (SELECT 1 FROM owners o WHERE o.name = s.owner AND o.lease_until > now())
        AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs j WHERE j.status = 'todo' AND j.args->>'send' = s.id)"""


@define
class Sent:
    """What the test knows of a message.

    Attributes:
        id: of the ledger.
        recipient: of this message alone, or of its key.
        found: its outcome, as the ledger told it before a purge.
    """

    id: str
    recipient: str
    found: Outcome | None = field(default=None)


class Outbox(RuleBasedStateMachine):
    """Enqueue, roll back, withdraw, work, kill, freeze, wake, outage, bad workers, key reuse, purge."""

    postgres = None

    def __init__(self) -> None:
        super().__init__()
        self.sent: dict[str, Sent] = {}
        self.rolled_back: list[str] = []
        self.keys: set[str] = set()
        self.number = 0
        self.runner = asyncio.Runner()

    @initialize(on_ambiguous=strategies.sampled_from(["hold", "retry"]))
    def begin(self, on_ambiguous: str) -> None:
        """An empty ledger, two good workers, and one of each bad kind that is yet to start."""
        self.on_ambiguous = on_ambiguous
        self.folder = TemporaryDirectory(prefix="mc-outbox-")
        self.made = self.postgres.database()
        self.url = self.made.__enter__()
        self.server, self.denying = AccountingServer(), AccountingServer(always(Taken(401, taken=False)))
        self.server.__enter__()
        self.denying.__enter__()
        self.config = self._configure("good")
        self.notifier = AsyncNotifier.from_config(self._configure("caller"))
        self.workers = [OutboxWorker(self.config) for _ in range(2)]
        self.runner.run(self.workers[0].sweep())
        self.bad: dict[str, OutboxWorker] = {}

    def _configure(self, kind: str) -> Path:
        folder = Path(self.folder.name) / kind
        folder.mkdir()
        project = Project(folder)
        project.template("سلام {{ first_name }}")
        project.configure(
            self.denying.url if kind == "denied" else self.server.url,
            on_ambiguous=self.on_ambiguous,
            verified=kind != "unverified",
            max_attempts=2,
            app_id="other" if kind == "foreign" else "app",
            deadline="1s" if kind == "caller" else "10s",
        )
        on_postgres(project, self.url)
        return project.config

    def teardown(self) -> None:
        """Mend everything, and look what became of each message."""
        try:
            if hasattr(self, "server"):
                self._settle_all()
                self._compare()
        finally:
            if hasattr(self, "server"):
                self.server.__exit__()
                self.denying.__exit__()
                for worker in [*self.workers, *self.bad.values()]:
                    self.runner.run(worker.close())
                self.runner.run(self.notifier.close())
                self.made.__exit__(None, None, None)
                self.folder.cleanup()
            self.runner.close()

    # -- what may happen

    @rule(
        key=strategies.sampled_from([None, None, "k1", "k2"]),
        commit=strategies.booleans(),
        due=strategies.sampled_from(sorted(TIMES)),
    )
    def enqueue(self, key: str | None, commit: bool, due: str) -> None:
        """A message within a transaction that commits, or does not."""
        self.number += 1
        recipient, ahead = key or f"u{self.number}", TIMES[due]
        at = None if ahead is None else datetime.now(UTC) + ahead
        with psycopg.connect(self.url) as connection:
            try:
                message = self.runner.run(
                    self.notifier.enqueue(
                        "sms", recipient, "offer", {"first_name": "a"}, connection=connection, key=key, at=at
                    )
                )
            except LedgerError as error:
                if error.code != "key_reused" or key not in self.keys:
                    raise
                return  # it is due at another time
            if commit:
                connection.commit()
                self.sent[message] = Sent(message, recipient)
                self.keys |= {key} if key else set()
            else:
                connection.rollback()
                self.rolled_back += [] if key else [recipient]

    @rule(key=KEYS)
    def send(self, key: str) -> None:
        """The same key from a caller that does not wait for workers."""
        self.keys.add(key)
        try:
            self.runner.run(self.notifier.send("sms", key, "offer", {"first_name": "a"}, key=key))
        except MetrixChannelsError:
            return
        assert self.server.account[key] >= 1

    @rule(key=KEYS, commit=strategies.booleans(), which=WORKERS)
    def withdraw(self, key: str, commit: bool, which: int) -> None:
        """A transaction withdraws a message while a worker is at work, and commits or does not."""
        with psycopg.connect(self.url) as connection:
            taken = self.server.account[key]
            is_withdrawn = self.runner.run(self.notifier.withdraw(key, connection=connection))
            self.runner.run(self.workers[which].work())
            assert not is_withdrawn or self.server.account[key] == taken
            if commit:
                connection.commit()
            else:
                connection.rollback()

    @rule(key=KEYS, which=WORKERS, at=STEPS)
    def withdraw_from_a_worker(self, key: str, which: int, at: int) -> None:
        """A message is withdrawn between two transactions of a worker: of the two, one has it."""
        taken, found = self.server.account[key], []

        async def withdrawn() -> None:
            taken_before = self.server.account[key]
            async with await psycopg.AsyncConnection.connect(self.url) as connection:
                found.append(await self.notifier.withdraw(key, connection=connection))
            assert not found[0] or taken_before == taken

        self.runner.run(self.workers[which].work(at, withdrawn))
        assert found != [True] or self.server.account[key] == taken

    @rule()
    def time_passes(self) -> None:
        """What was due later is due."""
        execute(self.url, "UPDATE sends SET due_at = '2026-01-01T00:00:00.000Z' WHERE state = 'open' AND due_at > ''")

    @rule(which=WORKERS, answer=strategies.sampled_from(sorted(ANSWERS)), old=strategies.booleans())
    def work(self, which: int, answer: str, old: bool) -> None:
        """A worker does a job, while Metrix is as it is; the message may be a day old."""
        self.server.script = always(ANSWERS[answer])
        before = outbox._GIVEN_UP_AFTER
        outbox._GIVEN_UP_AFTER = timedelta(0) if old else before
        try:
            self.runner.run(self.workers[which].work())
        finally:
            outbox._GIVEN_UP_AFTER = before
            self.server.script = always(Taken())

    @rule(
        which=strategies.integers(0, 1), at=strategies.integers(0, 6), answer=strategies.sampled_from(sorted(ANSWERS))
    )
    def kill(self, which: int, at: int, answer: str) -> None:
        """A worker dies before one of its transactions, and another one starts."""
        self.server.script = always(ANSWERS[answer])
        worker = self.workers[which]
        self.runner.run(worker.work(at, worker.kill))
        self.server.script = always(Taken())
        if worker.is_dead:
            self.workers[which] = OutboxWorker(self.config)
            self.workers.append(worker)

    @rule(which=WORKERS, at=STEPS, swept=strategies.booleans())
    def freeze_and_wake(self, which: int, at: int, swept: bool) -> None:
        """A worker sleeps past its lease before one of its transactions; the other works on, then it wakes."""
        worker, other = self.workers[which], self.workers[1 - which]

        async def asleep() -> None:
            worker.freeze()
            if swept:
                await other.sweep()
                while await other.work():
                    pass

        self.runner.run(worker.work(at, asleep))
        worker.wake()

    @rule(kind=strategies.sampled_from(BAD))
    def bad_worker(self, kind: str) -> None:
        """A worker that can send nothing, or not this, tries; it says why, and takes nothing that it cannot send."""
        if kind not in self.bad:
            config = self._configure(kind)
            self.bad[kind] = OutboxWorker(config)
            self.runner.run(self.bad[kind].sweep())
            if kind == "keyless":
                (config.parent / "key").unlink()
            if kind == "broken":
                config.write_text("version: [")
            if kind == "unknown":
                document = json.loads(config.read_text())
                document["channels"] = {"text": document["channels"]["sms"]}
                config.write_text(json.dumps(document))
        worked = self.runner.run(self.bad[kind].work())
        assert kind == "denied" or not worked
        if kind in ("keyless", "broken"):
            assert self.bad[kind].problems

    @rule(lost=strategies.booleans())
    def sweep(self, lost: bool) -> None:
        """The sweep leaves no message without a job or a living claim, even when all jobs were deleted."""
        if lost:
            execute(self.url, "DELETE FROM procrastinate_jobs")
        self.runner.run(self.workers[0].sweep())
        assert execute(self.url, UNWATCHED) == []

    @rule()
    def forget(self) -> None:
        """A purge of all that is over touches nothing that waits."""
        self._look()
        before = execute(self.url, "SELECT count(*) FROM sends WHERE outgoing IS NOT NULL")
        self.runner.run(
            purge(self.notifier._services.current().engine.book_file, datetime.now(UTC) + timedelta(seconds=1))
        )
        assert execute(self.url, "SELECT count(*) FROM sends WHERE outgoing IS NOT NULL") == before

    # -- what must hold

    @invariant()
    def nobody_twice_under_hold(self) -> None:
        """And nobody of a transaction that was rolled back."""
        if hasattr(self, "server"):
            assert not set(self.rolled_back) & set(self.server.account)
            assert self.on_ambiguous == "retry" or self.server.twice == set()
            assert execute(self.url, "SELECT id FROM sends WHERE state = 'settled' AND outgoing IS NOT NULL") == []

    def _look(self) -> None:
        for sent in self.sent.values():
            receipts = self.runner.run(self.notifier.receipts(sent.id))
            if receipts is not None:
                assert sent.found in (None, receipts[0].outcome), "an outcome changed"
                sent.found = receipts[0].outcome

    def _settle_all(self) -> None:
        good = OutboxWorker(self.config)
        self.workers.append(good)
        self.time_passes()
        for _ in range(4):
            self.runner.run(good.sweep())
            while self.runner.run(good.work()):
                pass

    def _compare(self) -> None:
        self._look()
        for sent in self.sent.values():
            receipts = self.runner.run(self.notifier.receipts(sent.id))
            assert receipts is not None, f"the message to {sent.recipient} was lost"
            [receipt] = receipts
            taken = self.server.account[sent.recipient]
            if receipt.outcome is Outcome.ACCEPTED:
                assert taken >= 1
            if receipt.outcome in (Outcome.REJECTED, Outcome.NOT_SENT):
                assert sent.recipient in self.keys or taken == 0
                assert receipt.error is not None
            if taken > 1 and sent.recipient not in self.keys:
                assert receipt.possible_duplicate or receipt.outcome is Outcome.UNKNOWN
        assert execute(self.url, "SELECT id FROM sends WHERE outgoing IS NOT NULL") == []


def run(postgres, examples: int) -> None:
    """Run so many random histories."""
    machine = type("OutboxOnPostgres", (Outbox,), {"postgres": postgres})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


def test_random_histories_of_the_outbox(postgres):
    """Whatever happens, in whatever order; a sample of `make long`."""
    run(postgres, 8)


@pytest.mark.long
def test_two_hundred_random_histories_of_the_outbox(postgres):
    """The same, 200 times."""
    run(postgres, 200)
