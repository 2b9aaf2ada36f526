"""A campaign on a cluster: one process that plans, some that send, PostgreSQL between them; all on this machine.

    python benchmarks/cluster.py [--rows 1000000] [--workers 1 2 4] [--job JOB]… [--plan 10000000] [--check]
                                 [--out FILE.md]

The embedded ledger runs first, for comparison. Planning and sending are told apart: the plan is launched while no
worker runs, then the workers start, and their time counts from the first request to the last outcome. With `--plan`
nothing is sent: it measures the plan of a large audience alone.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

from campaign import NOISE, Server, _costed, product, served
from data import JOBS, Expected, write_audience

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from helpers.postgres import Postgres, execute
from metrix_channels import Notifier

_RUN: Final = "from metrix_channels.cli import main; main()"
_BASE: Final = [sys.executable, "-c", _RUN]
REACHED: Final = {"shared": 0.53, "name only": 0.93, "all different": 0.79}
"""What the fastest number of workers sends, times what one machine alone does; `--check` fails for much less."""


class Measured(NamedTuple):
    """What one job took.

    Attributes:
        rows: of its audience.
        alone: recipients a second on one machine with a ledger in a file, plan and all.
        plan: seconds that the plan took in PostgreSQL.
        sending: number of workers to recipients a second, the plan left out.
    """

    rows: int
    alone: float
    plan: float
    sending: dict[int, float]


def home_on(folder: Path, url: str, audience: Path, job: str, server: Server) -> Path:
    """Write a project whose ledger is in PostgreSQL."""
    home = folder / "cluster"
    shutil.rmtree(home, ignore_errors=True)
    (home / "templates" / "offer").mkdir(parents=True)
    (home / "templates" / "offer" / "sms.txt.j2").write_text(JOBS[job].template, encoding="utf-8")
    (home / "channels.yaml").write_text(
        f"version: 1\nledger: '{url}'\n"
        f"metrix: {{app_id: app, api_key: '${{KEY}}', base_url: '{server.url}', concurrency: 64}}\n"
        "channels: {sms: {type: sms, verified: true}}\n"
    )
    (home / "campaign.yaml").write_text(
        f"version: 1\nname: offer\nchannel: sms\ntemplate: offer\naudience: {{file: '{audience}'}}\n"
    )
    return home


def planned(home: Path) -> dict[str, float]:
    """Plan and launch, with nobody to send; return what it cost."""
    began = time.monotonic()
    stdout, cost = _costed([*_BASE, "campaign", "run", "campaign.yaml", "--yes", "--detach", "--json"], home)
    if json.loads(stdout).get("state") != "running":
        raise SystemExit(f"It was not launched: {stdout}")
    return {"seconds": time.monotonic() - began, "cpu": cost["cpu"], "memory": cost["memory"]}


def sent(home: Path, server: Server, count: int) -> tuple[float, int]:
    """Let workers send; return the seconds from their first request to the last outcome, and the recipients."""
    command, environment = [*_BASE, "worker", "--concurrency", "16"], {**os.environ, "KEY": "key-of-the-benchmark"}
    workers = [
        subprocess.Popen(command, cwd=home, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603
        for _ in range(count)
    ]
    recipients = 0
    try:
        with Notifier.from_config(home / "channels.yaml") as notifier:
            while not (recipients := server.taken()["recipients"]):
                time.sleep(0.01)
            began = time.monotonic()
            while notifier.campaigns.status("offer").state == "running":
                time.sleep(0.05)
            return time.monotonic() - began, recipients + server.taken()["recipients"]
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait()


def cluster(
    postgres: Postgres, folder: Path, expected: Expected, job: str, server: Server, count: int
) -> tuple[float, float]:
    """Run a campaign on so many workers; return recipients a second of the sending, and seconds of the plan."""
    with postgres.database() as url:
        home = home_on(folder, url, folder / f"{expected.rows}.csv", job, server)
        server.taken()
        plan = planned(home)
        seconds, recipients = sent(home, server, count)
        if recipients != expected.distinct:
            raise SystemExit(f"{count} workers were to send to {expected.distinct} recipients, not to {recipients}.")
    return expected.rows / seconds, plan["seconds"]


def measured(chosen: argparse.Namespace, postgres: Postgres, folder: Path, server: Server) -> dict[str, Measured]:
    """Run each job on one machine alone, and then on each number of workers."""
    found = {}
    for job in chosen.job:
        expected = write_audience(folder / "a.csv", chosen.rows // (10 if job == "all different" else 1))
        audience = (folder / "a.csv").rename(folder / f"{expected.rows}.csv")
        server.taken()
        alone = product("fast", folder, audience, job, server)
        sending, plans = {}, []
        for count in chosen.workers:
            sending[count], plan = cluster(postgres, folder, expected, job, server, count)
            plans.append(plan)
            print(f"{job}, {count} workers: {sending[count]:,.0f}/s, plan {plan:.1f} s", file=sys.stderr, flush=True)
        found[job] = Measured(expected.rows, expected.rows / alone["seconds"], min(plans), sending)
    return found


def table(found: dict[str, Measured]) -> str:
    """Return the results as Markdown."""
    jobs = list(found.values())
    rows = {"embedded, plan and all": [f"{job.alone:,.0f}" for job in jobs]}
    for count in jobs[0].sending:
        rows[f"{count} workers, the sending"] = [f"{job.sending[count]:,.0f}" for job in jobs]
    rows["the plan, seconds"] = [f"{job.plan:.1f} ({job.rows:,} rows)" for job in jobs]
    lines = [f"| recipients a second | {' | '.join(found)} |", "| --- |" + " --- |" * len(found)]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items())]) + "\n"


def failures(found: dict[str, Measured]) -> list[str]:
    """Return what is worse than it was, a sentence each."""
    ratios = {job: max(result.sending.values()) / result.alone for job, result in found.items()}
    return [
        f"{job}: workers send {ratio:.2f} times what one machine does alone; it was {REACHED[job]} times."
        for job, ratio in ratios.items()
        if ratio * NOISE < REACHED[job]
    ]


def large_plans(rows: int, chosen: argparse.Namespace, postgres: Postgres, folder: Path, server: Server) -> str:
    """Plan a large audience in each way; return the table."""
    write_audience(folder / "large.csv", rows)
    lines = [
        f"| the plan of {rows:,} rows | seconds | µs a row | peak MB | ledger bytes a row |",
        "| --- | --- | --- | --- | --- |",
    ]
    for job in chosen.job:
        with postgres.database() as url:
            cost = planned(home_on(folder, url, folder / "large.csv", job, server))
            [(size,)] = execute(url, "SELECT pg_database_size(current_database())")
            cells = (f"{cost['seconds']:.0f}", f"{cost['seconds'] / rows * 1e6:.1f}", f"{cost['memory']:.0f}")
            lines.append(f"| {job} | {' | '.join(cells)} | {size / rows:.1f} |")
            print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="for the job that is all different: a tenth")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--job", action="append", choices=tuple(JOBS))
    parser.add_argument("--plan", type=int, metavar="ROWS", help="plan so many rows and send nothing")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a ratio is worse than it was")
    parser.add_argument("--out", type=Path, help="where to write the table")
    chosen = parser.parse_args()
    chosen.job = chosen.job or list(JOBS)
    worse: list[str] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with Postgres() as postgres, served(folder, tls=False, verify=False) as server:
            if chosen.plan:
                written = large_plans(chosen.plan, chosen, postgres, folder, server)
            else:
                found = measured(chosen, postgres, folder, server)
                written, worse = table(found), failures(found) if chosen.check else []
    if chosen.out:
        chosen.out.write_text(written, encoding="utf-8")
    print(written)
    if worse:
        raise SystemExit("\n".join(worse))


if __name__ == "__main__":
    main()
