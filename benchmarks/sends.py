"""Single messages side by side: `Notifier.send` in the ways it is used, beside a bare HTTP client.

    python benchmarks/sends.py [--sends 1000] [--rounds 3] [--tls] [--postgres] [--memory] [--check] [--out FILE.md]

Each program of `senders.py` runs in a process of its own against one local server in another, in interleaved rounds;
medians count. Figures change with the machine and with what else it does: the ratios of one run are compared.
`--check` fails when one is worse than it was. `--tls` measures the same over TLS, `--postgres` with a ledger in
PostgreSQL; both only show their ratios. `--memory` sends 100,000 messages and compares the peak memory after all of
them with that after the first tenth.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from campaign import NOISE, Server, served
from senders import PROCESSES, SENDERS, TASKS, TEXT, THREADS

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from helpers.postgres import Postgres

HERE: Final = Path(__file__).parent
TOGETHER: Final = "processes"
"""`send` in several processes on one ledger."""
SENDS: Final = 1_000
SENDS_OF_THE_MEMORY_CHECK: Final = 100_000

Figures = dict[str, float]
Medians = dict[str, Figures]


class Ratio(NamedTuple):
    """Two figures of one run beside each other.

    Attributes:
        name: what is compared.
        of: the figure of the medians.
        target: to reach.
        reached: what was reached; `--check` fails for worse, beyond the noise.
        more: more is better.
        noise: values that differ by a smaller factor are alike.
    """

    name: str
    of: Callable[[Medians], float]
    target: float
    reached: float
    more: bool = False
    noise: float = NOISE

    @property
    def limit(self) -> str:
        """The target in words."""
        return f"{'≥' if self.more else '≤'} {self.target:g}"

    def meets(self, value: float) -> bool:
        """Whether a value reaches the target."""
        return value >= self.target if self.more else value <= self.target

    def is_worse(self, value: float) -> bool:
        """Whether a value is worse than what was reached, beyond the noise."""
        return value * self.noise < self.reached if self.more else value > self.reached * self.noise


RATIOS: Final = (
    Ratio("send, CPU ÷ httpx.Client.post", lambda found: found["send"]["cpu"] / found["httpx"]["cpu"], 2, 2.9),
    Ratio("send, wall ÷ httpx.Client.post", lambda found: found["send"]["wall"] / found["httpx"]["wall"], 3, 3.7),
    Ratio(
        f"{TASKS} tasks, sends a second ÷ one after the other",
        lambda found: found["tasks"]["rate"] / found["send"]["rate"], 6, 4.8, more=True,
    ),
    Ratio(
        f"{TASKS} tasks, CPU ÷ httpx.AsyncClient, a client a task",
        lambda found: found["tasks"]["cpu"] / found["httpx-tasks"]["cpu"], 1.5, 0.5,
    ),
    Ratio(
        f"{THREADS} threads, sends a second ÷ one thread",
        lambda found: found["threads"]["rate"] / found["send"]["rate"], 5, 3.2, more=True,
    ),
    Ratio(
        f"{PROCESSES} processes on one ledger, sends a second ÷ one process",
        lambda found: found[TOGETHER]["rate"] / found["send"]["rate"], 1, 0.9, more=True,
    ),
)  # fmt: skip
MEMORY: Final = Ratio(
    "peak memory after all sends ÷ after the first tenth",
    lambda found: found["tasks"]["memory"] / found["tasks"]["memory_of_tenth"], 1.05, 1.05, noise=1,
)  # fmt: skip


@contextmanager
def ledger(*, postgres: bool) -> Iterator[Callable[[], str]]:
    """Yield what returns the configuration of a new ledger: in an empty database, or the default, a file."""
    if not postgres:
        yield str
        return
    with Postgres() as server, ExitStack() as databases:
        yield lambda: f"ledger: '{databases.enter_context(server.database())}'\n"


def write_project(home: Path, server: Server, ledger: str) -> None:
    """Write a project into a new folder."""
    (home / "templates" / "otp").mkdir(parents=True)
    (home / "templates" / "otp" / "sms.txt.j2").write_text(TEXT, encoding="utf-8")
    os.utime(home / "templates" / "otp", (0, 0))  # a folder that has just changed is listed for each message
    trust = f", ca_file: '{server.ca}'" if server.ca else ""
    metrix = f"{{app_id: app, api_key: '${{KEY}}', base_url: '{server.url}', concurrency: 64{trust}}}"
    (home / "channels.yaml").write_text(
        f"version: 1\nmetrix: {metrix}\n{ledger}channels: {{sms: {{type: sms, verified: true}}}}\n"
    )


def started(name: str, sends: int, home: Path, server: Server) -> subprocess.Popen[str]:
    """Start a program of `senders.py`."""
    trust = [str(server.ca)] if server.ca else []
    command = [sys.executable, str(HERE / "senders.py"), name, str(sends), server.url, *trust]
    environment = {**os.environ, "KEY": "key-of-the-benchmark"}
    return subprocess.Popen(command, cwd=home, env=environment, stdout=subprocess.PIPE, text=True)  # noqa: S603


def one(name: str, sends: int, home: Path, server: Server) -> Figures:
    """Run a program, or several of them together; return milliseconds each, sends a second and megabytes."""
    several = name == TOGETHER
    programs = [started("send" if several else name, sends, home, server) for _ in range(PROCESSES if several else 1)]
    told = [program.communicate()[0] for program in programs]
    if any(program.returncode for program in programs):
        raise SystemExit(f"{name} failed.")
    costs = [json.loads(text) for text in told]
    seconds, count = max(cost["seconds"] for cost in costs), sum(cost["sends"] for cost in costs)
    cpu = sum(cost["cpu"] for cost in costs)
    of_tenth, memory = (max(cost["memory"][at] for cost in costs) for at in (0, 1))
    return {
        "rate": count / seconds,
        "wall": seconds / count * 1e3,
        "cpu": cpu / count * 1e3,
        "memory_of_tenth": of_tenth,
        "memory": memory,
    }


def measured(names: Sequence[str], chosen: argparse.Namespace, folder: Path) -> Medians:
    """Run the programs in turn; return the medians."""
    runs: dict[str, list[Figures]] = {name: [] for name in names}
    with ledger(postgres=chosen.postgres) as new_ledger, served(folder, tls=chosen.tls, verify=False) as server:
        for number in range(chosen.rounds):
            for name in names:
                home = folder / f"{name}-{number}"
                write_project(home, server, new_ledger())
                found = one(name, chosen.sends, home, server)
                runs[name].append(found)
                print(f"{name:12} {_shown(found)}", file=sys.stderr, flush=True)
    return {name: {key: statistics.median(run[key] for run in of) for key in of[0]} for name, of in runs.items()}


def table(medians: Medians, ratios: Iterable[Ratio]) -> str:
    """Return the results as Markdown."""
    lines = [
        "| | sends a second | CPU ms each | wall ms each | peak MB after a tenth | peak MB |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {name} | {found['rate']:,.0f} | {found['cpu']:.2f} | {found['wall']:.2f} | {found['memory_of_tenth']:.1f} "
        f"| {found['memory']:.1f} |"
        for name, found in medians.items()
    ]
    lines += ["", "| ratio | measured | target |", "| --- | --- | --- |"]
    for ratio in ratios:
        value = ratio.of(medians)
        lines.append(f"| {ratio.name} | {value:.2f} | {ratio.limit}: {'met' if ratio.meets(value) else 'not met'} |")
    return "\n".join(lines) + "\n"


def _shown(found: Figures) -> str:
    return f"{found['rate']:,.0f}/s, CPU {found['cpu']:.2f} ms, wall {found['wall']:.2f} ms, {found['memory']:.0f} MB"


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sends", type=int, help=f"of each program; {SENDS:,} or, for --memory, 100,000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--postgres", action="store_true", help="with a ledger in PostgreSQL")
    parser.add_argument("--memory", action="store_true", help="nothing but the memory of one program, in one round")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a ratio is worse than it was")
    parser.add_argument("--out", type=Path, help="where to write the tables")
    chosen = parser.parse_args()
    chosen.sends = chosen.sends or (SENDS_OF_THE_MEMORY_CHECK if chosen.memory else SENDS)
    chosen.rounds = 1 if chosen.memory else chosen.rounds
    if chosen.check and (chosen.tls or chosen.postgres):
        parser.error("--check compares with what was reached without --tls and --postgres.")
    return chosen


def main() -> None:
    """Measure, and print the tables."""
    chosen = arguments()
    names, ratios = (["tasks"], (MEMORY,)) if chosen.memory else ([*SENDERS, TOGETHER], RATIOS)
    with tempfile.TemporaryDirectory() as temporary:
        medians = measured(names, chosen, Path(temporary))
    written = table(medians, ratios)
    if chosen.out:
        chosen.out.write_text(written, encoding="utf-8")
    print(written)
    worse = [ratio.name for ratio in ratios if ratio.is_worse(ratio.of(medians))]
    if chosen.check and worse:
        raise SystemExit("Worse than it was: " + "; ".join(worse) + ".")


if __name__ == "__main__":
    main()
