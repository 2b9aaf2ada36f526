"""Single messages side by side: `Notifier.send` in the ways it is used, beside a bare HTTP client.

    python benchmarks/sends.py [--sends 1000] [--rounds 3] [--postgres] [--check] [--out FILE.md]

Each program of `senders.py` runs in a process of its own against one local server in another, in interleaved rounds;
medians count. Figures change with the machine and with what else it does: the ratios of one run are compared.
`--check` fails when one is worse than it was. `--postgres` measures the same with a ledger in PostgreSQL.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from campaign import NOISE, served
from senders import PROCESSES, SENDERS, TASKS, THREADS, project

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from helpers.postgres import Postgres

HERE: Final = Path(__file__).parent
TOGETHER: Final = "processes"
"""`send` in several processes on one ledger."""

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
    """

    name: str
    of: Callable[[Medians], float]
    target: float
    reached: float
    more: bool = False

    @property
    def limit(self) -> str:
        """The target in words."""
        return f"{'≥' if self.more else '≤'} {self.target:g}"

    def meets(self, value: float) -> bool:
        """Whether a value reaches the target."""
        return value >= self.target if self.more else value <= self.target

    def is_worse(self, value: float) -> bool:
        """Whether a value is worse than what was reached, beyond the noise."""
        return value * NOISE < self.reached if self.more else value > self.reached * NOISE


RATIOS: Final = (
    Ratio("send, CPU ÷ httpx.Client.post", lambda found: found["send"]["cpu"] / found["httpx"]["cpu"], 2, 4.0),
    Ratio("send, wall ÷ httpx.Client.post", lambda found: found["send"]["wall"] / found["httpx"]["wall"], 3, 5.0),
    Ratio(
        f"{TASKS} tasks, sends a second ÷ one after the other",
        lambda found: found["tasks"]["rate"] / found["send"]["rate"], 6, 3.2, more=True,
    ),
    Ratio(
        f"{TASKS} tasks, CPU ÷ httpx.AsyncClient, a client a task",
        lambda found: found["tasks"]["cpu"] / found["httpx-tasks"]["cpu"], 1.5, 1.2,
    ),
    Ratio(
        f"{THREADS} threads, sends a second ÷ one thread",
        lambda found: found["threads"]["rate"] / found["send"]["rate"], 5, 2.2, more=True,
    ),
    Ratio(
        f"{PROCESSES} processes on one ledger, sends a second ÷ one process",
        lambda found: found[TOGETHER]["rate"] / found["send"]["rate"], 1, 0.9, more=True,
    ),
)  # fmt: skip


@contextmanager
def ledger(*, postgres: bool) -> Iterator[Callable[[], list[str]]]:
    """Yield what returns the arguments of a new ledger: the URL of an empty database, or nothing for a file."""
    if not postgres:
        yield list
        return
    with Postgres() as server, ExitStack() as databases:
        yield lambda: [databases.enter_context(server.database())]


def started(name: str, sends: int, home: Path, arguments: list[str]) -> subprocess.Popen[str]:
    """Start a program of `senders.py`."""
    command = [sys.executable, str(HERE / "senders.py"), name, str(sends), *arguments]
    return subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, text=True)  # noqa: S603


def one(name: str, sends: int, home: Path, arguments: list[str]) -> Figures:
    """Run a program, or several of them together; return milliseconds each and sends a second."""
    home.mkdir()
    project(*arguments, home=home)
    several = name == TOGETHER
    programs = [
        started("send" if several else name, sends, home, arguments) for _ in range(PROCESSES if several else 1)
    ]
    told = [program.communicate()[0] for program in programs]
    if any(program.returncode for program in programs):
        raise SystemExit(f"{name} failed.")
    costs = [json.loads(text) for text in told]
    seconds, count = max(cost["seconds"] for cost in costs), sum(cost["sends"] for cost in costs)
    cpu = sum(cost["cpu"] for cost in costs)
    return {
        "rate": count / seconds,
        "wall": seconds / count * 1e3,
        "cpu": cpu / count * 1e3,
        "memory": max(cost["memory"] for cost in costs),
    }


def measured(chosen: argparse.Namespace, folder: Path) -> Medians:
    """Run the programs in turn; return the medians."""
    names = [*SENDERS, TOGETHER]
    runs: dict[str, list[Figures]] = {name: [] for name in names}
    with ledger(postgres=chosen.postgres) as new_ledger, served(folder, tls=False, verify=False) as server:
        for number in range(chosen.rounds):
            for name in names:
                found = one(name, chosen.sends, folder / f"{name}-{number}", [server.url, *new_ledger()])
                runs[name].append(found)
                print(f"{name:12} {_shown(found)}", file=sys.stderr, flush=True)
    return {name: {key: statistics.median(run[key] for run in of) for key in of[0]} for name, of in runs.items()}


def table(medians: Medians) -> str:
    """Return the results as Markdown."""
    lines = ["| | sends a second | CPU ms each | wall ms each | peak MB |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| {name} | {found['rate']:,.0f} | {found['cpu']:.2f} | {found['wall']:.2f} | {found['memory']:.0f} |"
        for name, found in medians.items()
    ]
    lines += ["", "| ratio | measured | target |", "| --- | --- | --- |"]
    for ratio in RATIOS:
        value = ratio.of(medians)
        lines.append(f"| {ratio.name} | {value:.2f} | {ratio.limit}: {'met' if ratio.meets(value) else 'not met'} |")
    return "\n".join(lines) + "\n"


def _shown(found: Figures) -> str:
    return f"{found['rate']:,.0f}/s, CPU {found['cpu']:.2f} ms, wall {found['wall']:.2f} ms, {found['memory']:.0f} MB"


def main() -> None:
    """Read the command line, measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sends", type=int, default=1_000, help="of each program")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--postgres", action="store_true", help="with a ledger in PostgreSQL")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a ratio is worse than it was")
    parser.add_argument("--out", type=Path, help="where to write the tables")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        medians = measured(chosen, Path(temporary))
    written = table(medians)
    if chosen.out:
        chosen.out.write_text(written, encoding="utf-8")
    print(written)
    worse = [ratio.name for ratio in RATIOS if ratio.is_worse(ratio.of(medians))]
    if chosen.check and worse:
        raise SystemExit("Worse than it was: " + "; ".join(worse) + ".")


if __name__ == "__main__":
    main()
