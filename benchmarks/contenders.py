"""What the product is measured against: the scripts that people write, and the floor under all of them.

    python benchmarks/contenders.py NAME AUDIENCE.csv JOB URL [CA.pem]

does the whole job and prints one line of JSON: seconds and CPU seconds, its own start-up and imports left out.
"""

from __future__ import annotations

import asyncio
import csv
import json
import sqlite3
import ssl
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
import uvloop
from data import JOBS
from jinja2 import Environment, StrictUndefined, Template
from pyreqwest.client import ClientBuilder

from metrix_channels.api.exchange import Reply
from metrix_channels.api.transports.base import Endpoint
from metrix_channels.api.transports.httptools_transport import HttptoolsTransport
from metrix_channels.ledger.sqlite.write_ahead import durable_settings
from metrix_channels.redact import Redactor

BATCH: Final = 500
IN_FLIGHT: Final = 64
_TIMEOUT: Final = 10
_HEADERS: Final = {"Content-Type": "application/json", "X-Application-Id": "app", "X-API-Key": "key-of-the-benchmark"}
_PLACES: Final = 1 << 26
"""Where recipients leave a mark, by their hash: it takes the same memory for any audience."""
_COMMIT: Final = 32
"""Answers that are waited for before the next commit."""


class Task(NamedTuple):
    """What a contender is to do.

    Attributes:
        audience: the CSV file.
        template: compiled.
        column: that the template uses; None: it uses none.
        url: where to send.
        ca: whom to trust over TLS.
    """

    audience: Path
    template: Template
    column: str | None
    url: str
    ca: Path | None


Post = Callable[[bytes], Awaitable[None]]


def naive(task: Task) -> None:
    """What most people write: a loop, a new connection each, no books."""
    import requests

    for row in _rows(task.audience):
        message = {"body": task.template.render(row)}
        body: dict[str, Any] = {"recipients": [row["customUserId"]], "channel": "SMS", "message": message}
        trust = str(task.ca) if task.ca else True
        requests.post(task.url, json=body, headers=_HEADERS, timeout=_TIMEOUT, verify=trust).raise_for_status()


def fifty_at_a_time(task: Task) -> None:
    """What the careful write: fifty at a time with aiohttp, no books."""
    import aiohttp

    waiting = _rows(task.audience)
    trust = ssl.create_default_context(cafile=task.ca) if task.ca else True

    async def lane(session: aiohttp.ClientSession) -> None:
        for row in waiting:
            message = {"body": task.template.render(row)}
            content = {"recipients": [row["customUserId"]], "channel": "SMS", "message": message}
            async with session.post(task.url, data=json.dumps(content), ssl=trust) as answer:
                await answer.read()
                answer.raise_for_status()

    async def main() -> None:
        timeout = aiohttp.ClientTimeout(_TIMEOUT)
        async with aiohttp.ClientSession(headers=_HEADERS, timeout=timeout) as session:
            await asyncio.gather(*(lane(session) for _ in range(50)))

    asyncio.run(main())


def batching(task: Task) -> None:
    """What the clever write: equal messages together, all in memory, the best client, no books."""
    groups: dict[str, list[str]] = defaultdict(list)
    with task.audience.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        who, what = _places(next(reader), task.column)
        for row in reader:
            groups[row[what] if task.column else ""].append(row[who])

    def bodies() -> Iterator[bytes]:
        for value, recipients in groups.items():
            message = {"body": task.template.render({task.column: value} if task.column else {})}
            for at in range(0, len(recipients), BATCH):
                body = {"recipients": recipients[at : at + BATCH], "channel": "SMS", "message": message}
                yield json.dumps(body).encode()

    async def main() -> None:
        waiting = bodies()

        async def lane(post: Post) -> None:
            for body in waiting:
                await post(body)

        async with _client(task) as post:
            await asyncio.gather(*(lane(post) for _ in range(IN_FLIGHT)))

    uvloop.run(main())


def floor(task: Task) -> None:
    """The product's rules, and nothing else, in straight-line code, with a client written in Rust.

    The plan is whole and on disk before the first request, a recipient gets one message however often the audience
    names it, and every request's intent is on disk before its first byte leaves.
    """
    _keep_rules(task, _client(task), uvloop.run)


def floor_httptools(task: Task) -> None:
    """The floor with the product's client and event loop: what is left is what the product adds to them."""
    _keep_rules(task, _own_client(task), asyncio.run)


def _keep_rules(
    task: Task, client: AbstractAsyncContextManager[Post], run: Callable[[Coroutine[Any, Any, None]], None]
) -> None:
    with tempfile.TemporaryDirectory(dir=task.audience.parent) as folder:
        database = sqlite3.connect(Path(folder) / "floor.db", isolation_level=None)
        journal, synchronous = durable_settings((Path(folder) / "floor.db").resolve())
        database.execute(f"PRAGMA journal_mode = {journal}")
        database.execute(f"PRAGMA synchronous = {synchronous}")
        database.execute("CREATE TABLE plan (id INTEGER PRIMARY KEY, value TEXT, recipients BLOB)")
        database.execute("CREATE TABLE states (id INTEGER PRIMARY KEY, state INTEGER)")
        _plan(task, database)
        run(_dispatch(task, database, client))
        database.close()


def _plan(task: Task, database: sqlite3.Connection) -> None:
    groups: dict[str, list[str]] = defaultdict(list)
    doubtful: list[tuple[str, str]] = []
    seen, mask = bytearray(_PLACES), _PLACES - 1
    with task.audience.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        who, what = _places(next(reader), task.column)
        for row in reader:
            recipient = row[who]
            value = row[what] if task.column else ""
            place = hash(recipient) & mask
            if seen[place]:
                doubtful.append((recipient, value))
            else:
                seen[place] = 1
                groups[value].append(recipient)
    wanted = {recipient for recipient, _ in doubtful}
    repeated: set[str] = set()
    for recipients in groups.values():
        repeated |= wanted.intersection(recipients)
    for recipient, value in doubtful:  # the place of some was taken by somebody else
        if recipient not in repeated:
            repeated.add(recipient)
            groups[value].append(recipient)
    batches = (
        (value, orjson.dumps(recipients[at : at + BATCH]))
        for value, recipients in groups.items()
        for at in range(0, len(recipients), BATCH)
    )
    database.execute("BEGIN IMMEDIATE")
    database.executemany("INSERT INTO plan (value, recipients) VALUES (?, ?)", batches)
    database.execute("INSERT INTO states SELECT id, 0 FROM plan")
    database.execute("COMMIT")


async def _dispatch(task: Task, database: sqlite3.Connection, client: AbstractAsyncContextManager[Post]) -> None:
    done: list[int] = []
    news = asyncio.Event()
    flying: dict[int, asyncio.Task[None]] = {}
    rendered: dict[str, bytes] = {}
    last = 0

    async def send(batch: int, body: bytes) -> None:
        await post(body)
        done.append(batch)
        if len(done) >= _COMMIT or len(done) == len(flying):
            news.set()

    async with client as post:
        while True:
            settled = done[:]
            done.clear()
            for batch in settled:
                await flying.pop(batch)
            some = database.execute(
                "SELECT id, value, recipients FROM plan WHERE id > ? ORDER BY id LIMIT ?",
                (last, IN_FLIGHT - len(flying)),
            ).fetchall()
            database.execute("BEGIN IMMEDIATE")
            changed = [(2, batch) for batch in settled] + [(1, batch) for batch, _, _ in some]
            database.executemany("UPDATE states SET state = ? WHERE id = ?", changed)
            database.execute("COMMIT")
            for last, value, recipients in some:
                rest = rendered.get(value) or _rest(task, value)
                if task.column != "code":
                    rendered[value] = rest
                flying[last] = asyncio.create_task(send(last, b'{"recipients":' + recipients + rest))
            if not flying:
                break
            await news.wait()
            news.clear()


def _rest(task: Task, value: str) -> bytes:
    message = {"body": task.template.render({task.column: value} if task.column else {})}
    return b"," + orjson.dumps({"channel": "SMS", "message": message})[1:]


@asynccontextmanager
async def _client(task: Task) -> AsyncIterator[Post]:
    builder = ClientBuilder().no_proxy().http1_only().timeout(timedelta(seconds=_TIMEOUT)).error_for_status(True)
    if task.ca is not None:
        builder = builder.add_root_certificate_pem(task.ca.read_bytes())
    async with builder.build() as client:

        async def post(body: bytes) -> None:
            answer = await client.post(task.url).headers(_HEADERS).body_bytes(body).build().send()
            await answer.bytes()

        yield post


@asynccontextmanager
async def _own_client(task: Task) -> AsyncIterator[Post]:
    origin = "/".join(task.url.split("/", 3)[:3])
    transport = HttptoolsTransport(Endpoint(origin, ca_file=task.ca), Redactor())

    async def post(body: bytes) -> None:
        reply = await transport.post("/push", _HEADERS, body, _TIMEOUT)
        if not isinstance(reply, Reply) or reply.status != HTTPStatus.OK:
            raise RuntimeError(str(reply))

    yield post
    await transport.close()


def _rows(audience: Path) -> Iterator[dict[str, str]]:
    with audience.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _places(header: list[str], column: str | None) -> tuple[int, int]:
    return header.index("customUserId"), header.index(column) if column else 0


CONTENDERS: Final = {
    "naive": naive,
    "aiohttp": fifty_at_a_time,
    "batching": batching,
    "floor": floor,
    "floor-httptools": floor_httptools,
}


def main() -> None:
    """Run one contender and say what it cost."""
    name, audience, job, url, *ca = sys.argv[1:]
    template = Environment(undefined=StrictUndefined).from_string(JOBS[job].template)  # noqa: S701 - an SMS is no HTML
    task = Task(Path(audience), template, JOBS[job].column, url, Path(ca[0]) if ca else None)
    began, cpu = time.perf_counter(), time.process_time()
    CONTENDERS[name](task)
    print(json.dumps({"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}))


if __name__ == "__main__":
    main()
