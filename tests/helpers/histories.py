"""Random histories of one campaign: commands, answers, opt-outs, and processes that die after any commit.

After each command, the report must not contradict what Metrix accepted.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import ClassVar

from helpers.accounting_server import AccountingServer, Taken
from helpers.campaigns import balance, people
from helpers.command_line import environment, run_command, wait_until

MANY = 40

DYING = """
import os, pkgutil, sys
from metrix_channels.cli import main

_, owner, name, left, *rest = sys.argv
owner, left = pkgutil.resolve_name(owner), int(left)
commit = getattr(owner, name)

def committed(*arguments):
    global left
    result = commit(*arguments)
    left -= 1
    if not left:
        os._exit(9)
    return result

setattr(owner, name, committed)
sys.argv = ["metrix-channels", *rest]
main()
"""
"""Runs the command, and dies as by `kill -9` right after a commit. Arguments: the function that commits (its module or
class, and its name), the number of the commit, and those of the command."""

PAGE = b"<html></html>"
ANSWERS = (
    *[Taken()] * 10,
    *[Taken(500), Taken(500, taken=False), Taken(0), Taken(0, taken=False)] * 3,
    Taken(429, taken=False, headers={"Retry-After": "0"}),
    Taken(503, taken=False),
    *[Taken(400, taken=False)] * 2,
    Taken(413, taken=False),
    *[Taken(403, taken=False)] * 3,
    Taken(200, body=PAGE),
    Taken(200, taken=False, body=PAGE),
)


class Metrix:
    """Answers at random until it is told to answer well.

    Attributes:
        taken: per text, how often each recipient was accepted.
        is_erratic: whether answers are random.
    """

    def __init__(self, chance):
        self.taken = {"offer": Counter(), "news": Counter()}
        self.is_erratic = True
        self._chance = chance
        self._refused = {f"u{number}" for number in chance.sample(range(MANY), 2)}
        self._lock = threading.Lock()

    def __call__(self, recipients, message, _body):
        with self._lock:
            answer = self._answer(recipients) if self.is_erratic else Taken()
            if answer.taken:
                self.taken[message["body"].split()[0]].update(recipients)
        if answer.status == 0 and self._chance.random() < 0.2:
            time.sleep(1.3)  # too late for the client, which waits a second
        return answer

    def _answer(self, recipients):
        answer = self._chance.choice(ANSWERS)
        return Taken(400, taken=False) if answer.taken and self._refused & {*recipients} else answer


class History:
    """One campaign, and what happens to it.

    Args:
        project: with the audience and the texts "offer" and "news".
        seed: of the history.
        mode: of `on_ambiguous`; "either" changes it.
    """

    commit: ClassVar[tuple[str, str]] = ("metrix_channels.ledger.sqlite.database", "in_transaction")
    """The function that commits."""

    def __init__(self, project, seed, mode):
        self.project, self.name, self.mode = project, f"c{seed}", mode
        self.chance = random.Random(seed)
        self.metrix = Metrix(self.chance)
        self.approved = False
        self.taken_when_cancelled = None
        self.lines = []
        self.log = []

    def play(self, commands):
        """Run the campaign, let some commands follow, and let it end."""
        try:
            self._play(commands)
        except BaseException:
            print(f"{self.name}: {self.log}")  # noqa: T201 - shown when it fails
            raise

    def _play(self, commands):
        with AccountingServer(self.metrix) as self.server:
            split = self.chance.random() < 0.7
            self.configure(batch_size=4, concurrency=3, max_attempts=3, timeout="1s", split_refused=split)
            self.write()
            self.command("run", f"{self.name}.yaml", "--yes")
            for _ in range(commands):
                self.chance.choices(
                    [self.go_on, self.opt_out, self.change_mode, self.retry, self.pause, self.cancel, self.steer],
                    [4, 4, 1, 3, 1, 0.3, 3],
                )[0]()
                self.check()
            self.end()

    # -- what happens

    def configure(self, **settings):
        self.project.template("offer {{ first_name }}")
        self.project.template("news {{ first_name }}", "news")
        self.project.audience(people(MANY))
        self.project.configure(self.server.url, **settings)

    def write(self):
        (self.project.folder / "optout.csv").write_text("\n".join(["customUserId", *self.lines]) + "\n")
        hold = {"hold": "hold", "retry": "retry"}.get(self.mode) or self.chance.choice(["hold", "retry"])
        self.project.campaign(self.name, suppress=["optout.csv"], on_ambiguous=hold, canary=6,
                              limits={"max_failures": MANY})  # fmt: skip

    def go_on(self):
        self.command(*self.chance.choice([("run", f"{self.name}.yaml", "--yes"), ("resume", self.name)]))

    def opt_out(self):
        self.lines += [f"u{number}" for number in self.chance.sample(range(MANY), 10)]
        self.write()
        self.go_on()

    def change_mode(self):
        self.write()

    def retry(self):
        which = self.chance.choice(["--unknown", "--rejected"])
        self.approved = self.approved or which == "--unknown"
        self.command("retry", self.name, which)

    def pause(self):
        self.command("pause", self.name)

    def cancel(self):
        self.note_cancel(self.command("cancel", self.name))

    def note_cancel(self, status):
        """Remember what was sent until a successful `cancel`: nothing may follow."""
        if status == 0 and self.taken_when_cancelled is None:
            self.taken_when_cancelled = self.metrix.taken["offer"].copy()

    def steer(self):
        """Ask a running process for something."""
        made = len(self.server.requests) + self.chance.randrange(6)
        with self.started("resume", self.name) as process:
            wait_until(lambda: process.poll() is not None or len(self.server.requests) >= made)
            asked = self.chance.choice([["pause"], ["cancel"], ["cancel", "kill"], ["stop"], ["kill"]])
            self.log.append(asked)
            status = 1
            for each in asked:
                if each == "stop":
                    process.terminate()
                elif each == "kill":
                    process.kill()
                else:
                    status = run_command("campaign", each, self.name, "--json", cwd=self.project.folder).status
            self.finished(process)
        if "cancel" in asked:
            self.note_cancel(status)

    def command(self, *arguments):
        commits = self.chance.randrange(1, 40) if self.chance.random() < 0.6 else 0
        with self.started(*arguments, commits=commits) as process:
            return self.finished(process)

    def started(self, *arguments, commits=0):
        self.log.append((*arguments, commits))
        return self.process(commits, "campaign", *arguments, "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def process(self, commits, *arguments, **streams):
        """Start a process that dies after so many commits; 0: it does not."""
        command = [sys.executable, "-c", DYING, *self.commit, str(commits), *arguments]
        return subprocess.Popen(command, cwd=self.project.folder, env=environment(), **streams)

    def finished(self, process):
        _, err = process.communicate(timeout=60)
        assert b"Traceback" not in err, err.decode()
        wait_until(lambda: self.server.at_once == 0)
        return process.returncode

    # -- what must hold

    def check(self):
        """Compare the report with what Metrix accepted."""
        with self.project.notifier() as notifier:
            if self.name not in [each.campaign for each in notifier.campaigns.all()]:
                assert not self.metrix.taken["offer"]  # it died before the plan was complete
                return None
            status = notifier.campaigns.status(self.name).as_dict()
            rows = list(notifier.campaigns.rows(self.name))
        taken = self.metrix.taken["offer"]
        assert balance(status) == 0
        assert self.taken_when_cancelled in (None, taken)
        assert Counter(row.recipient for row in rows) == Counter(f"u{number}" for number in range(MANY))
        assert Counter(row.outcome for row in rows if row.outcome != "skipped") == Counter(
            {name: status[name] for name in ("accepted", "rejected", "unknown", "pending", "cancelled") if status[name]}
        )
        for row in rows:
            times = taken[row.recipient]
            assert times <= row.attempts, row
            if row.outcome == "accepted":
                assert times >= 1, row
            elif row.outcome in ("rejected", "cancelled", "skipped") or (row.outcome == "pending" and not row.reason):
                assert times == 0, row
            if times > 1:
                assert row.reason, row
                assert self.approved or self.mode != "hold", row
        assert sum(times > 1 for times in taken.values()) <= status["possible_duplicates"]
        return status, rows

    def end(self):
        """Let the run end, and send something to the same people that must spare whoever may have been reached."""
        self.metrix.is_erratic = False
        if self.check() is None:
            return
        self.spare("capped", limits={"per_recipient": "1/24h"})
        if self.chance.random() < 0.3:
            run_command("campaign", "cancel", self.name, "--json", cwd=self.project.folder)
        for _ in range(20):
            status, rows = self.check()
            if status["state"] in ("finished", "finished_with_errors", "cancelled"):
                break
            run_command("campaign", "resume", self.name, "--json", cwd=self.project.folder)
        assert status["pending"] == 0, status
        assert status["requests"] >= len([body for body in self.server.bodies if b"offer" in body])
        document = json.loads(run_command("ledger", "check", "--json", cwd=self.project.folder).out)
        assert document["ok"], document
        missed = {row.recipient for row in rows if row.outcome in ("rejected", "cancelled", "skipped")}
        self.spare("rest", audience={"file": "audience.csv", "except": [self.name]}, missed=missed)

    def spare(self, kind, *, missed=None, **keys):
        before = self.metrix.taken["news"].copy()
        self.project.campaign(f"{self.name}-{kind}", template="news", **keys)
        run_command("campaign", "run", f"{self.name}-{kind}.yaml", "--yes", "--json", cwd=self.project.folder)
        reached = {who for who, times in self.metrix.taken["news"].items() if times > before[who]}
        assert not reached & {who for who, times in self.metrix.taken["offer"].items() if times}
        assert missed is None or reached == missed
