"""The whole job side by side: the product, the scripts that people write, and the floor under all of them.

    python benchmarks/campaign.py [--rows 1000000] [--rounds 3] [--json FILE] [--table FILE]

Each contender runs in a process of its own against one local server in another, in interleaved rounds; medians count.
The scripts that send one request a recipient are given fewer rows, since only their rate matters. Ratios are taken
within one run: the figures themselves change with the machine and with what else it does.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
JOBS = {
    "shared": ("سلام، تخفیف نوروزی ۳۰ درصد آغاز شد", "-"),
    "name only": ("سلام {{ first_name }}، تخفیف نوروزی ۳۰ درصد آغاز شد", "first_name"),
    "all different": ("سلام، کد تخفیف شما {{ code }} است", "code"),
}
SLOW = {"naive": 2_000, "aiohttp": 10_000}
TARGETS = {
    ("fast", "naive"): (300, 150, 11),
    ("fast", "floor"): (0.4, 0.4, 0.6),
    ("core", "naive"): (200, 20, 1.2),
}
# A core installation, made of a full one: what is not there cannot be imported.
CORE_ONLY = "import sys; sys.modules.update(dict.fromkeys(('pyreqwest', 'uvloop', 'orjson'))); "
RUN = "from metrix_channels.cli import main; main()"


def write_audience(path: Path, count: int) -> None:
    """Write recipients with first names (20,000 of them, some common, most rare) and a code of their own each."""
    chance = random.Random(7)
    weights = [1 / (rank + 3) ** 0.7 for rank in range(20_000)]
    names = chance.choices([f"نام{rank}" for rank in range(20_000)], weights, k=count)
    with path.open("w", encoding="utf-8") as file:
        file.write("customUserId,first_name,code\n")
        file.writelines(f"user-{row * 7919 % 10**9},{name},{row + 10**6}\n" for row, name in enumerate(names))


@contextmanager
def served() -> Iterator[int]:
    """Run the server in a process of its own; gives its port."""
    process = subprocess.Popen([sys.executable, str(HERE / "server.py")], stdout=subprocess.PIPE, text=True)  # noqa: S603
    try:
        yield int(process.stdout.readline() if process.stdout else "")
    finally:
        process.kill()


def taken(port: int) -> dict[str, int]:
    """Return what the server took since the last look."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/count") as answer:
        found: dict[str, int] = json.load(answer)
    return found


def product(kind: str, folder: Path, audience: Path, text: str, port: int) -> dict[str, Any]:
    """Run `campaign run` as a user does, on a new ledger."""
    home = folder / kind
    shutil.rmtree(home, ignore_errors=True)
    (home / "templates" / "offer").mkdir(parents=True)
    (home / "templates" / "offer" / "sms.txt.j2").write_text(text, encoding="utf-8")
    (home / "channels.yaml").write_text(
        "version: 1\n"
        f"metrix: {{app_id: app, api_key: '${{KEY}}', base_url: 'http://127.0.0.1:{port}', concurrency: 64}}\n"
        "channels: {sms: {type: sms, verified: true}}\n"
    )
    (home / "campaign.yaml").write_text(
        f"version: 1\nname: offer\nchannel: sms\ntemplate: offer\naudience: {{file: '{audience}'}}\n"
    )
    code = (CORE_ONLY if kind == "core" else "") + RUN
    command = [sys.executable, "-c", code, "campaign", "run", "campaign.yaml", "--yes", "--json"]
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = subprocess.run(  # noqa: S603
        [sys.executable, str(HERE / "peak.py"), *command],
        cwd=home, env={**os.environ, "KEY": "key-of-the-benchmark"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    status = json.loads(peak.stdout)
    if status.get("state") != "finished":
        raise SystemExit(f"the product ended so: {peak.stdout} {peak.stderr}")
    return {
        "seconds": time.perf_counter() - began,
        "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "memory": float(peak.stderr.strip().splitlines()[-1]),
        "ledger": (home / "metrix-channels.db").stat().st_size,
        "accepted": status["accepted"],
    }


def contender(name: str, audience: Path, text: str, column: str, port: int, count: int) -> dict[str, Any]:
    """Run one of the scripts."""
    command = [sys.executable, str(HERE / "contenders.py"), name, str(audience), text, column, str(port), str(count)]
    found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)  # noqa: S603
    return found


def measured(rows: int, rounds: int) -> dict[str, dict[str, dict[str, float]]]:
    """Run all contenders on all jobs; return the medians."""
    results: dict[str, dict[str, list[dict[str, float]]]] = {job: {} for job in JOBS}
    with tempfile.TemporaryDirectory() as temporary, served() as port:
        folder = Path(temporary)
        audience = folder / "audience.csv"
        write_audience(audience, rows)
        for _ in range(rounds):
            for job, (text, column) in JOBS.items():
                for name in ("naive", "aiohttp", "batching", "floor", "core", "fast"):
                    count = min(rows, SLOW.get(name, rows), rows // 10 if job == "all different" else rows)
                    some = audience if count == rows else _head(audience, count)
                    taken(port)
                    if name in ("core", "fast"):
                        found = product(name, folder, some, text, port)
                    else:
                        found = contender(name, some, text, column, port, count)
                    took = taken(port)
                    if took["recipients"] != count:
                        raise SystemExit(f"{name} sent to {took['recipients']} of {count}")
                    found |= {"rate": count / found["seconds"], "cpu_each": found["cpu"] / count * 1e6}
                    results[job].setdefault(name, []).append(found)
                    shown = f"{found['rate']:,.0f}/s, {found['cpu_each']:.1f} µs, {found['memory']:.0f} MB"
                    print(f"{job:14} {name:9} {shown}", file=sys.stderr)
    return {
        job: {
            name: {key: statistics.median(each[key] for each in found) for key in found[0]}
            for name, found in contenders.items()
        }
        for job, contenders in results.items()
    }


def _head(audience: Path, count: int) -> Path:
    path = audience.with_name(f"audience-{count}.csv")
    if not path.exists():
        with audience.open(encoding="utf-8") as source, path.open("w", encoding="utf-8") as target:
            target.writelines(line for _, line in zip(range(count + 1), source, strict=False))
    return path


def table(medians: dict[str, dict[str, dict[str, float]]]) -> str:
    """Return the results as Markdown."""
    lines = [
        "| recipients a second (CPU µs each, peak MB) | shared text | name only | all different |",
        "| --- | --- | --- | --- |",
    ]
    for name in ("naive", "aiohttp", "batching", "floor", "core", "fast"):
        cells = [
            f"{found['rate']:,.0f} ({found['cpu_each']:.1f}, {found['memory']:.0f})"
            for found in (medians[job][name] for job in JOBS)
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    for (name, base), targets in TARGETS.items():
        cells = []
        for job, target in zip(JOBS, targets, strict=True):
            ratio = medians[job][name]["rate"] / medians[job][base]["rate"]
            cells.append(f"{ratio:,.2f} (at least {target}: {'met' if ratio >= target else 'not met'})")
        lines.append(f"| {name}, times {base} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--table", type=Path)
    chosen = parser.parse_args()
    medians = measured(chosen.rows, chosen.rounds)
    if chosen.json:
        chosen.json.write_text(json.dumps(medians, indent=2))
    if chosen.table:
        chosen.table.write_text(table(medians), encoding="utf-8")
    print(table(medians))


if __name__ == "__main__":
    main()
