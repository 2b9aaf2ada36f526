"""What the product is measured against: the scripts that people write, and the floor under all of them.

    python benchmarks/contenders.py NAME AUDIENCE.csv TEMPLATE COLUMN PORT ROWS

COLUMN is the one that the template uses, or `-`. It
prints one line of JSON: seconds, CPU seconds, peak memory in MB.
"""

from __future__ import annotations

import asyncio
import csv
import json
import resource
import sqlite3
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import jinja2

BATCH, IN_FLIGHT = 500, 64
HEADERS = {"Content-Type": "application/json", "X-Application-Id": "app", "X-API-Key": "key-of-the-benchmark"}


def rows(audience: Path, count: int) -> Iterator[dict[str, str]]:
    """Read the audience."""
    with audience.open(encoding="utf-8", newline="") as file:
        yield from islice(csv.DictReader(file), count)


def naive(audience: Path, template: jinja2.Template, column: str | None, url: str, count: int) -> None:
    """What most people write: a loop, a new connection each, no books."""
    import requests

    for row in rows(audience, count):
        body = {"recipients": [row["customUserId"]], "channel": "SMS", "message": {"body": template.render(row)}}
        requests.post(url, json=body, headers=HEADERS, timeout=10).raise_for_status()


def aiohttp_loop(audience: Path, template: jinja2.Template, column: str | None, url: str, count: int) -> None:
    """What the careful write: fifty at a time, no books."""
    import aiohttp

    async def main() -> None:
        waiting = rows(audience, count)
        async with aiohttp.ClientSession(headers=HEADERS) as session:

            async def lane() -> None:
                for row in waiting:
                    message = {"body": template.render(row)}
                    body = {"recipients": [row["customUserId"]], "channel": "SMS", "message": message}
                    async with session.post(url, json=body) as answer:
                        await answer.read()

            await asyncio.gather(*(lane() for _ in range(50)))

    asyncio.run(main())


def batching(audience: Path, template: jinja2.Template, column: str | None, url: str, count: int) -> None:
    """What the clever write: equal texts together, all in memory, a good client, no books."""
    groups: dict[str, list[str]] = defaultdict(list)
    for row in rows(audience, count):
        groups[template.render(row)].append(row["customUserId"])
    bodies = (
        json.dumps({"recipients": some[at : at + BATCH], "channel": "SMS", "message": {"body": text}}).encode()
        for text, some in groups.items()
        for at in range(0, len(some), BATCH)
    )

    async def send(post: Callable[[bytes], object]) -> None:
        async def lane() -> None:
            for body in bodies:
                await post(body)  # type: ignore[misc]

        await asyncio.gather(*(lane() for _ in range(IN_FLIGHT)))

    _with_pyreqwest(url, send)


def floor(audience: Path, template: jinja2.Template, column: str | None, url: str, count: int) -> None:
    """The product's rules in straight-line code: plan first, repetitions out, intents on disk before requests."""
    import orjson

    from metrix_channels.ledger.database import durable_settings

    database = sqlite3.connect(tempfile.mktemp(suffix=".db", dir=audience.parent), isolation_level=None)  # noqa: S306
    journal, synchronous = durable_settings(sqlite3.sqlite_version_info)
    database.execute(f"PRAGMA journal_mode = {journal}")
    database.execute(f"PRAGMA synchronous = {synchronous}")
    database.execute("CREATE TABLE batches (id INTEGER PRIMARY KEY, state INTEGER, body BLOB)")
    _plan(audience, template, count, column, database, orjson.dumps)

    async def send(post: Callable[[bytes], object]) -> None:
        waiting = iter(database.execute("SELECT id, body FROM batches ORDER BY id").fetchall())
        done: list[int] = []
        while some := list(islice(waiting, IN_FLIGHT)):
            database.execute("BEGIN IMMEDIATE")
            database.executemany("UPDATE batches SET state = 2 WHERE id = ?", ((each,) for each in done))
            database.executemany("UPDATE batches SET state = 1 WHERE id = ?", ((each,) for each, _ in some))
            database.execute("COMMIT")
            await asyncio.gather(*(post(body) for _, body in some))  # type: ignore[call-overload]
            done = [each for each, _ in some]
        database.execute("BEGIN IMMEDIATE")
        database.executemany("UPDATE batches SET state = 2 WHERE id = ?", ((each,) for each in done))
        database.execute("COMMIT")

    _with_pyreqwest(url, send)


def _plan(
    audience: Path,
    template: jinja2.Template,
    count: int,
    column: str | None,
    database: sqlite3.Connection,
    dumps: Callable[[object], bytes],
) -> None:
    bits, mask = bytearray(1 << 25), (1 << 28) - 1
    doubtful: list[tuple[str, str]] = []
    groups: dict[str, list[str]] = defaultdict(list)
    with audience.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        header = next(reader)
        who, what = header.index("customUserId"), header.index(column) if column else 0
        for row in islice(reader, count):
            place = hash(row[who]) & mask
            if bits[place >> 3] & 1 << (place & 7):
                doubtful.append((row[who], row[what]))
                continue
            bits[place >> 3] |= 1 << (place & 7)
            groups[row[what] if column else ""].append(row[who])
    wanted = {each for each, _ in doubtful}
    seen = {each for some in groups.values() for each in some if each in wanted}
    for recipient, value in doubtful:
        if recipient not in seen:
            seen.add(recipient)
            groups[value if column else ""].append(recipient)
    database.execute("BEGIN IMMEDIATE")
    for value, some in groups.items():
        message = {"body": template.render({column: value} if column else {})}
        for at in range(0, len(some), BATCH):
            body = dumps({"recipients": some[at : at + BATCH], "channel": "SMS", "message": message})
            database.execute("INSERT INTO batches (state, body) VALUES (0, ?)", (body,))
    database.execute("COMMIT")


def _with_pyreqwest(url: str, send: Callable[[Callable[[bytes], object]], object]) -> None:
    import uvloop
    from pyreqwest.client import ClientBuilder

    async def main() -> None:
        client = ClientBuilder().no_proxy().http1_only().build()

        async def post(body: bytes) -> None:
            answer = await client.post(url).headers(HEADERS).body_bytes(body).build().send()
            await answer.bytes()

        await send(post)  # type: ignore[misc]
        await client.close()

    uvloop.run(main())


CONTENDERS = {"naive": naive, "aiohttp": aiohttp_loop, "batching": batching, "floor": floor}


def main() -> None:
    """Run one contender and say what it cost."""
    name, audience, text, column, port, count = sys.argv[1:]
    template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(text)  # noqa: S701 - an SMS is no HTML
    began, cpu = time.perf_counter(), time.process_time()
    used = None if column == "-" else column
    CONTENDERS[name](Path(audience), template, used, f"http://127.0.0.1:{port}/push", int(count))
    spent = {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(spent))


if __name__ == "__main__":
    main()
