"""The whole job side by side: the product, the scripts that people write, and the floor under all of them.

    python benchmarks/campaign.py [--rows 1000000] [--rounds 3] [--only NAME]… [--job JOB]… [--tls] [--verify]
                                  [--memory] [--check] [--json FILE] [--out FILE.md]

Each contender runs in a process of its own against one local server in another, in interleaved rounds; medians count,
and after each run the server's books must agree with the audience. Whoever sends one request a recipient is given
fewer rows, since only the rate matters. The product runs as a user runs it, compiled, start-up included; of the
scripts the start-up is left out. Figures change with the machine and with what else it does: compare those of one run.
So do the checks of `--check`: each is a ratio of two figures of the same run, or a number of bytes.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from data import JOBS, Expected, bytes_of_values, write_audience

HERE: Final = Path(__file__).parent
SCRIPTS: Final = ("naive", "aiohttp", "batching", "floor", "floor-httptools")
PRODUCT: Final = ("core", "fast")
SLOW: Final = {"naive": 5_000, "aiohttp": 5_000}
ROWS_OF_THE_MEMORY_CHECK: Final = 10_000_000
TARGETS: Final = {
    ("fast", "naive"): (450, 200, 9),
    ("fast", "floor"): (0.65, 0.65, 0.8),
    ("fast", "floor-httptools"): (0.65, 0.65, 0.8),
    ("core", "naive"): (200, 45, 5),
}
REACHED: Final = {
    ("fast", "naive"): (500, 200, 11),
    ("fast", "floor"): (0.7, 0.68, 0.74),
    ("fast", "floor-httptools"): (0.6, 0.57, 0.5),
    ("core", "naive"): (450, 190, 10),
}
"""What the product reached of that, on two machines; `--check` fails for less, beyond the noise."""
NOISE: Final = 1.3
"""Figures that differ by a smaller factor are alike."""
MOST_MEMORY: Final = 150
MOST_LEDGER: Final = 15
MOST_CPU_OVER_TLS: Final = 1.5
# A core installation, made of a full one: what is not there cannot be imported.
_CORE_ONLY: Final = "import sys; sys.modules['orjson'] = None; "
_RUN: Final = "from metrix_channels.cli import main; main()"

Figures = dict[str, float]
Medians = dict[str, dict[str, Figures]]


class Server(NamedTuple):
    """Where the contenders send.

    Attributes:
        url: its address.
        ca: the authority that signed its certificate; None without TLS.
    """

    url: str
    ca: Path | None

    def taken(self) -> dict[str, int]:
        """Return what it took since the last look."""
        context = ssl.create_default_context(cafile=self.ca) if self.ca else None
        with urllib.request.urlopen(f"{self.url}/count", context=context) as answer:
            found: dict[str, int] = json.load(answer)
        return found


@contextmanager
def served(folder: Path, *, tls: bool, verify: bool) -> Iterator[Server]:
    """Run the server in a process of its own."""
    command = [sys.executable, str(HERE / "server.py")]
    if verify:
        command.append("--verify")
    if tls:
        command += ["--certificate", str(_certificate(folder))]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
    try:
        port = int(process.stdout.readline() if process.stdout else "")
        yield Server(f"{'https' if tls else 'http'}://127.0.0.1:{port}", folder / "ca.crt" if tls else None)
    finally:
        process.kill()
        process.wait()


def script(name: str, audience: Path, job: str, server: Server) -> Figures:
    """Run one of the scripts; return what it cost."""
    trust = [] if server.ca is None else [str(server.ca)]
    command = [sys.executable, str(HERE / "contenders.py"), name, str(audience), job, f"{server.url}/push", *trust]
    stdout, cost = _costed(command, HERE)
    return cost | dict(json.loads(stdout))


def product(kind: str, folder: Path, audience: Path, job: str, server: Server) -> Figures:
    """Run `campaign run` as a user does, on a new ledger; return what it cost."""
    home = folder / kind
    shutil.rmtree(home, ignore_errors=True)
    (home / "templates" / "offer").mkdir(parents=True)
    (home / "templates" / "offer" / "sms.txt.j2").write_text(JOBS[job].template, encoding="utf-8")
    trust = f", ca_file: '{server.ca}'" if server.ca else ""
    (home / "channels.yaml").write_text(
        "version: 1\n"
        f"metrix: {{app_id: app, api_key: '${{KEY}}', base_url: '{server.url}', concurrency: 64{trust}}}\n"
        "channels: {sms: {type: sms, verified: true}}\n"
    )
    (home / "campaign.yaml").write_text(
        f"version: 1\nname: offer\nchannel: sms\ntemplate: offer\naudience: {{file: '{audience}'}}\n"
    )
    code = (_CORE_ONLY if kind == "core" else "") + _RUN
    command = [sys.executable, "-c", code, "campaign", "run", "campaign.yaml", "--yes", "--json"]
    stdout, cost = _costed(command, home)
    status = json.loads(stdout)
    if status.get("state") != "finished":
        raise SystemExit(f"The product did not finish: {stdout}")
    size = (home / "metrix-channels.db").stat().st_size
    return cost | {"accepted": float(status["accepted"]), "ledger": float(size)}


def one(name: str, folder: Path, expected: Expected, job: str, server: Server) -> Figures:
    """Run one contender on one job, and check the books."""
    audience = folder / f"{expected.rows}.csv"
    server.taken()
    found = product(name, folder, audience, job, server) if name in PRODUCT else script(name, audience, job, server)
    took = server.taken()
    once = name in PRODUCT or name.startswith("floor")
    recipients = expected.distinct if once else expected.rows
    checksum = expected.checksum_of_distinct if once else expected.checksum_of_rows
    if took["recipients"] != recipients or took["checksum"] not in (0, checksum):
        raise SystemExit(f"{name} was to send to {recipients} recipients: {took}")
    if found.pop("accepted", recipients) != recipients:
        raise SystemExit(f"{name} did not account for {recipients} recipients.")
    if "ledger" in found:
        needed = expected.bytes_of_ids + bytes_of_values(audience, JOBS[job].column)
        found["ledger"] = (found["ledger"] - needed) / recipients
    rate, each = expected.rows / found["seconds"], found["cpu"] / expected.rows * 1e6
    return found | {"rate": rate, "cpu_each": each, "requests": float(took["requests"])}


def measured(chosen: argparse.Namespace, folder: Path, server: Server) -> Medians:
    """Run the contenders on the jobs; return the medians."""
    results: dict[str, dict[str, list[Figures]]] = {job: {name: [] for name in chosen.only} for job in chosen.job}
    audiences: dict[int, Expected] = {}
    for _ in range(chosen.rounds):
        for job in chosen.job:
            for name in chosen.only:
                rows = min(SLOW.get(name, chosen.rows), chosen.rows // (10 if job == "all different" else 1))
                if rows not in audiences:
                    audiences[rows] = write_audience(folder / f"{rows}.csv", rows)
                found = one(name, folder, audiences[rows], job, server)
                results[job][name].append(found)
                print(f"{job:14} {name:9} {_shown(found)}", file=sys.stderr, flush=True)
    return {job: {name: _medians(runs) for name, runs in by_name.items()} for job, by_name in results.items()}


def table(medians: Medians, *, tls: bool) -> str:
    """Return the results as Markdown."""
    jobs = list(medians)
    names = list(next(iter(medians.values())))
    lines = [f"| recipients a second (CPU µs each, peak MB) | {' | '.join(jobs)} |", "| --- |" + " --- |" * len(jobs)]
    lines += [f"| {name} | {' | '.join(_cell(medians[job][name]) for job in jobs)} |" for name in names]
    for (name, base), targets in TARGETS.items():
        if name in names and base in names and not tls:
            least = dict(zip(JOBS, targets, strict=True))
            ratios = {job: medians[job][name]["rate"] / medians[job][base]["rate"] for job in jobs}
            cells = (_judged(ratios[job], f"≥ {least[job]}", met=ratios[job] >= least[job]) for job in jobs)
            lines.append(f"| {name}, times {base} | {' | '.join(cells)} |")
    if tls and {"fast", "batching"} <= set(names):
        lines.append(f"| fast, CPU times batching | {' | '.join(_over_tls(medians, jobs))} |")
    for name in [name for name in PRODUCT if name in names]:
        memory = {job: medians[job][name]["memory"] for job in jobs}
        ledger = {job: medians[job][name]["ledger"] for job in jobs}
        cells = (_judged(memory[job], f"≤ {MOST_MEMORY}", met=memory[job] <= MOST_MEMORY) for job in jobs)
        lines.append(f"| {name}, peak MB | {' | '.join(cells)} |")
        cells = (_judged(ledger[job], f"≤ {MOST_LEDGER}", met=ledger[job] <= MOST_LEDGER) for job in jobs)
        lines.append(f"| {name}, ledger bytes a recipient | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def failures(medians: Medians, *, tls: bool) -> list[str]:
    """Return what is worse than it was, a sentence each."""
    found = []
    for job, by_name in medians.items():
        for (name, base), reached in REACHED.items():
            if tls or not {name, base} <= by_name.keys():
                continue
            ratio, least = by_name[name]["rate"] / by_name[base]["rate"], dict(zip(JOBS, reached, strict=True))[job]
            if ratio * NOISE < least:
                found.append(f"{job}: {name} is {ratio:,.2f} times {base}; it was {least} times.")
        for name in [name for name in PRODUCT if name in by_name]:
            found += [
                f"{job}: {name} takes {by_name[name][what]:,.1f} {unit}; {most} are allowed."
                for what, unit, most in (("memory", "MB", MOST_MEMORY), ("ledger", "bytes a recipient", MOST_LEDGER))
                if by_name[name][what] > most
            ]
    return found


def _over_tls(medians: Medians, jobs: Iterable[str]) -> Iterator[str]:
    for job in jobs:
        ratio = medians[job]["fast"]["cpu_each"] / medians[job]["batching"]["cpu_each"]
        if job == "all different":
            yield _judged(ratio, f"≤ {MOST_CPU_OVER_TLS}", met=ratio <= MOST_CPU_OVER_TLS)
        else:
            yield f"{ratio:,.2f}"


def _judged(value: float, target: str, *, met: bool) -> str:
    return f"{value:,.2f} ({target}: {'met' if met else 'not met'})"


def _cell(found: Figures) -> str:
    return f"{found['rate']:,.0f} ({found['cpu_each']:.1f}, {found['memory']:.0f})"


def _shown(found: Figures) -> str:
    ledger = f", ledger {found['ledger']:.1f} bytes each" if "ledger" in found else ""
    return f"{found['rate']:,.0f}/s, {found['cpu_each']:.1f} µs, {found['memory']:.0f} MB{ledger}"


def _medians(runs: list[Figures]) -> Figures:
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def _costed(command: list[str], folder: Path) -> tuple[str, Figures]:
    environment = {**os.environ, "KEY": "key-of-the-benchmark"}
    done = subprocess.run(  # noqa: S603
        [sys.executable, str(HERE / "peak.py"), *command],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"A contender failed: {done.stdout}{done.stderr}")
    cost: Figures = json.loads(done.stderr.splitlines()[-1])
    return done.stdout, cost


def _certificate(folder: Path) -> Path:
    """Make an authority, `ca.crt`, and a certificate for 127.0.0.1; return the file of its key and itself."""
    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    name = ("-subj", "/CN=Authority of the benchmark", "-keyout", "ca.key", "-out", "ca.crt")
    leaf = ("-subj", "/CN=127.0.0.1", "-keyout", "leaf.key", "-out", "leaf.crt", "-CA", "ca.crt", "-CAkey", "ca.key")
    purpose = ("-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE")
    for arguments in ((*new, *name, "-addext", "keyUsage=critical,keyCertSign,cRLSign"), (*new, *leaf, *purpose)):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)  # noqa: S603, S607
    pem = folder / "leaf.pem"
    pem.write_text((folder / "leaf.key").read_text() + (folder / "leaf.crt").read_text())
    return pem


def check_memory(folder: Path, server: Server) -> str:
    """Run the product on ten million rows; return its peak memory as Markdown."""
    rows = ROWS_OF_THE_MEMORY_CHECK
    expected = write_audience(folder / f"{rows}.csv", rows)
    lines = [f"| {rows:,} rows: peak MB (at most {MOST_MEMORY}) | CPU µs each |", "| --- | --- |"]
    for job in ("shared", "name only"):
        found = one("fast", folder, expected, job, server)
        lines.append(f"| {job}: {found['memory']:.0f} | {found['cpu_each']:.2f} |")
    return "\n".join(lines) + "\n"


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="for the job that is all different: a tenth")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", choices=(*SCRIPTS, *PRODUCT), help="a contender")
    parser.add_argument("--job", action="append", choices=tuple(JOBS))
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--verify", action="store_true", help="the server reads each recipient: for the books alone")
    parser.add_argument("--memory", action="store_true", help="nothing but the product on ten million rows")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a ratio is worse than it was")
    parser.add_argument("--json", type=Path, help="where to write the medians")
    parser.add_argument("--out", type=Path, help="where to write the table")
    chosen = parser.parse_args()
    chosen.only = chosen.only or [*SCRIPTS, *PRODUCT]
    chosen.job = chosen.job or list(JOBS)
    return chosen


def main() -> None:
    """Measure, and print the table."""
    chosen, worse = arguments(), []
    compileall.compile_dir(HERE.parent / "channels", quiet=1)  # `pip install` does, but not for an editable install
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with served(folder, tls=chosen.tls, verify=chosen.verify) as server:
            if chosen.memory:
                written = check_memory(folder, server)
            else:
                medians = measured(chosen, folder, server)
                written = table(medians, tls=chosen.tls)
                worse = failures(medians, tls=chosen.tls) if chosen.check else []
                if chosen.json:
                    chosen.json.write_text(json.dumps(medians, indent=2), encoding="utf-8")
    if chosen.out:
        chosen.out.write_text(written, encoding="utf-8")
    print(written)
    if worse:
        raise SystemExit("\n".join(worse))


if __name__ == "__main__":
    main()
