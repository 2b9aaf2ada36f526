"""What a person waits for: the pages of the inbox and the dashboard when there is much to show.

    python benchmarks/responses.py [--rows 100000] [--times 5] [--check] [--out FILE.md]

Each figure is a ratio of two that were measured in the same run: a page over many rows to the same page over a
hundredth of them. `--check` fails when one is worse than it was.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import httpx
from campaign import NOISE, Server, product, served
from data import write_audience

from metrix_channels.sandbox import Sandbox

PAGES: Final = {
    "the inbox": ("/", "/?q=nothing+like+it", "/?show=2&before=3", "/?view=requests&q=none"),
    "the dashboard": ("/", "/campaigns/offer", "/channels", "/templates"),
}
REACHED_BY_PAGES: Final = 3.0
"""Seconds of a page over many rows, times those of the same page over a hundredth of them."""
REACHED_BY_SEARCHES: Final = 15.0
"""The same for a search that finds nothing, which looks at everything."""
SHARE: Final = 100
RECIPIENTS: Final = 500
"""Of a request to the sandbox."""
_MAIN: Final = "import sys; from metrix_channels.cli import main; sys.argv[1:] = {}; main()"

Ratios = dict[str, float]


def ratios(name: str, little: httpx.Client, much: httpx.Client, times: int) -> Ratios:
    """Return the seconds of each page over many rows, times those over few."""
    return {
        f"{name}: {address}": response(much, address, times) / response(little, address, times)
        for address in PAGES[name]
    }


def response(client: httpx.Client, address: str, times: int) -> float:
    """Return the seconds that a page takes, the first look at it left out."""
    taken = []
    for _ in range(times + 1):
        began = time.perf_counter()
        client.get(address).raise_for_status()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])


@contextmanager
def inbox(rows: int) -> Iterator[httpx.Client]:
    """Give a client of an inbox with so many messages."""
    with Sandbox() as sandbox, httpx.Client(base_url=sandbox.url, trust_env=False, timeout=60) as client:
        headers = {"X-Application-Id": sandbox.app_id, "X-API-Key": sandbox.api_key}
        for start in range(0, rows, RECIPIENTS):
            people = [f"user-{at}" for at in range(start, min(start + RECIPIENTS, rows))]
            body = {"recipients": people, "channel": "SMS", "message": {"body": "سلام سارا، سفارش شما تحویل شد. " * 3}}
            client.post("/push", json=body, headers=headers).raise_for_status()
        yield client


@contextmanager
def dashboard(home: Path) -> Iterator[httpx.Client]:
    """Give a client of a project's dashboard, past its door."""
    command = [sys.executable, "-c", _MAIN.format(["dashboard", "--port", "0"])]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with (
        subprocess.Popen(command, cwd=home, env=_environment(), text=True, **pipes) as process,  # type: ignore[call-overload]  # noqa: S603
        httpx.Client(trust_env=False, timeout=60, follow_redirects=True) as client,
    ):
        try:
            link = process.stdout.readline().strip() if process.stdout else ""
            client.get(link).raise_for_status()
            client.base_url = httpx.URL(link).copy_with(query=None)
            yield client
        finally:
            process.terminate()


def sent(folder: Path, rows: int, server: Server) -> Path:
    """Send a campaign, a text of its own to each recipient; return the project's folder."""
    folder.mkdir()
    write_audience(folder / "audience.csv", rows)
    product("fast", folder, folder / "audience.csv", "all different", server)
    return folder / "fast"


def measured(rows: int, times: int) -> Ratios:
    """Measure everything."""
    few = max(rows // SHARE, 1)
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        server = stack.enter_context(served(folder, tls=False, verify=False))
        little, much = sent(folder / "little", few, server), sent(folder / "much", rows, server)
        with inbox(few) as one, inbox(rows) as other:
            found = ratios("the inbox", one, other, times)
        with dashboard(little) as one, dashboard(much) as other:
            found |= ratios("the dashboard", one, other, times)
    return found


def failures(found: Ratios) -> list[str]:
    """Return what is worse than it was, a sentence each."""
    most = {name: REACHED_BY_SEARCHES if "q=" in name else REACHED_BY_PAGES for name in found}
    return [
        f"{name}: {ratio:.2f} times; it was {most[name]} times."
        for name, ratio in found.items()
        if ratio > most[name] * NOISE
    ]


def table(found: Ratios, rows: int) -> str:
    """Return the results as Markdown."""
    lines = [f"| seconds with {rows:,} rows, times those with {max(rows // SHARE, 1):,} | |", "| --- | --- |"]
    lines += [f"| {name} | {ratio:.2f} |" for name, ratio in found.items()]
    return "\n".join(lines) + "\n"


def _environment() -> dict[str, str]:
    return {**os.environ, "KEY": "key-of-the-benchmark"}


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=5, help="how often each is measured")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a ratio is worse than it was")
    parser.add_argument("--out", type=Path, help="where to write the table")
    chosen = parser.parse_args()
    found = measured(chosen.rows, chosen.times)
    written = table(found, chosen.rows)
    if chosen.out:
        chosen.out.write_text(written, encoding="utf-8")
    print(written)
    if chosen.check and (worse := failures(found)):
        raise SystemExit("\n".join(worse))


if __name__ == "__main__":
    main()
