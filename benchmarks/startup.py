"""The first second: the CPU of a command's start, and of making a notifier, beside that of `import httpx`.

    python benchmarks/startup.py [--rounds 15] [--check] [--out FILE.md]

Each round starts every program once, so that what else the machine does weighs on all of them alike; the figures are
medians of CPU time (user and system) of whole processes. The package is compiled, as `pip install` does it.
`--check` fails when a target is missed.
"""

from __future__ import annotations

import argparse
import compileall
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
COMMAND: Final = str(Path(sys.executable).with_name("metrix-channels"))
YARDSTICK: Final = "import httpx"
SEND: Final = ("send", "sms", "--to", "user-1", "--template", "otp", "--set", "code=1", "--dry-run")
PROGRAMS: Final = {
    YARDSTICK: (sys.executable, "-c", "import httpx"),
    "import metrix_channels": (sys.executable, "-c", "import metrix_channels"),
    "Notifier.from_config": (sys.executable, "-c", "from metrix_channels import Notifier; Notifier.from_config()"),
    "--version": (COMMAND, "--version"),
    "--help": (COMMAND, "--help"),
    "explain 403": (COMMAND, "explain", "403"),
    "channels list": (COMMAND, "channels", "list"),
    "send --help": (COMMAND, "send", "--help"),
    "send --dry-run": (COMMAND, *SEND),
}
TARGETS: Final = {"Notifier.from_config": 1.2, "--version": 0.6, "send --dry-run": 1.8}
"""CPU, times that of the yardstick."""
CONFIG: Final = """\
version: 1
metrix: {app_id: app, api_key: "${KEY}"}
channels:
  sms: {type: sms, verified: true}
  push: {type: app_push, verified: false}
"""

Figures = dict[str, float]


def cpu_ms(program: tuple[str, ...]) -> float:
    """Return the milliseconds of CPU of a program, from its start to its end."""
    nowhere = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    process = os.posix_spawn(program[0], program, os.environ | {"KEY": "key-of-the-benchmark"}, file_actions=nowhere)
    _, status, usage = os.wait4(process, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{' '.join(program)} failed.")
    return (usage.ru_utime + usage.ru_stime) * 1_000


def measured(rounds: int) -> Figures:
    """Return the CPU milliseconds of each program, the median of some rounds after one that nobody counts."""
    found: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "channels.yaml").write_text(CONFIG, encoding="utf-8")
        Path(folder, "templates").symlink_to(ROOT / "templates")
        os.chdir(folder)
        for _ in range(rounds + 1):
            for name, program in PROGRAMS.items():
                found[name].append(cpu_ms(program))
        os.chdir(ROOT)
    return {name: statistics.median(taken[1:]) for name, taken in found.items()}


def table(found: Figures) -> str:
    """Return the figures as Markdown."""
    lines = [f"| CPU of a start | ms | times `{YARDSTICK}` | target |", "| --- | --- | --- | --- |"]
    for name, milliseconds in found.items():
        ratio = milliseconds / found[YARDSTICK]
        target = TARGETS.get(name)
        told = "" if target is None else f"≤ {target}: {'met' if ratio <= target else 'not met'}"
        lines.append(f"| {name} | {milliseconds:.0f} | {ratio:.2f} | {told} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    parser.add_argument("--out", type=Path, help="where to write the table")
    chosen = parser.parse_args()
    compileall.compile_dir(ROOT / "channels", quiet=1)
    found = measured(chosen.rounds)
    written = table(found)
    if chosen.out:
        chosen.out.write_text(written, encoding="utf-8")
    print(written)
    if chosen.check and "not met" in written:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
