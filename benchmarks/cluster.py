"""A campaign on a cluster: one process that plans, some that send, PostgreSQL between them; all on this machine.

    python benchmarks/cluster.py [--rows 1000000] [--workers 1 2 4] [--job JOB]… [--plan 10000000] [--out FILE.md]

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
from typing import Final

from campaign import Server, _costed, product, served
from data import JOBS, Expected, write_audience

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.postgres import Postgres, execute

_RUN: Final = "from metrix_channels.cli import main; main()"
_BASE: Final = [sys.executable, "-c", _RUN]


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


def sent(home: Path, url: str, count: int) -> float:
    """Let workers send; return the seconds from their first request to the last outcome."""
    command, environment = [*_BASE, "worker", "--concurrency", "16"], {**os.environ, "KEY": "key-of-the-benchmark"}
    workers = [
        subprocess.Popen(command, cwd=home, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603
        for _ in range(count)
    ]
    try:
        while not execute(url, "SELECT 1 FROM marks WHERE epoch > 0 LIMIT 1"):
            time.sleep(0.01)
        began = time.monotonic()
        while execute(url, "SELECT state FROM runs") == [("running",)]:
            time.sleep(0.05)
        return time.monotonic() - began
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
        seconds = sent(home, url, count)
        took = server.taken()
        if took["recipients"] != expected.distinct:
            raise SystemExit(f"{count} workers were to send to {expected.distinct} recipients: {took}")
    return expected.rows / seconds, plan["seconds"]


def compared(chosen: argparse.Namespace, postgres: Postgres, folder: Path, server: Server) -> str:
    """Measure, and return the table."""
    names = [
        "embedded, plan and all",
        *(f"{count} workers, the sending" for count in chosen.workers),
        "the plan, seconds",
    ]
    rows: dict[str, list[str]] = {name: [] for name in names}
    for job in chosen.job:
        expected = write_audience(folder / "a.csv", chosen.rows // (10 if job == "all different" else 1))
        audience = (folder / "a.csv").rename(folder / f"{expected.rows}.csv")
        server.taken()
        alone = product("fast", folder, audience, job, server)
        rows[names[0]].append(f"{expected.rows / alone['seconds']:,.0f}")
        plans = []
        for count in chosen.workers:
            rate, plan = cluster(postgres, folder, expected, job, server, count)
            plans.append(plan)
            rows[f"{count} workers, the sending"].append(f"{rate:,.0f}")
            print(f"{job}, {count} workers: {rate:,.0f}/s, plan {plan:.1f} s", file=sys.stderr, flush=True)
        rows[names[-1]].append(f"{min(plans):.1f} ({expected.rows:,} rows)")
    lines = [f"| recipients a second | {' | '.join(chosen.job)} |", "| --- |" + " --- |" * len(chosen.job)]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items())]) + "\n"


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
    parser.add_argument("--out", type=Path, help="where to write the table")
    chosen = parser.parse_args()
    chosen.job = chosen.job or list(JOBS)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with Postgres(folder) as postgres, served(folder, tls=False, verify=False) as server:
            if chosen.plan:
                written = large_plans(chosen.plan, chosen, postgres, folder, server)
            else:
                written = compared(chosen, postgres, folder, server)
    if chosen.out:
        chosen.out.write_text(written, encoding="utf-8")
    print(written)


if __name__ == "__main__":
    main()
