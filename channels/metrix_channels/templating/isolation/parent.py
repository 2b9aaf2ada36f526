"""Renders templates in a child process, with time and memory limits that no template can exceed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Lock
from typing import Any, Final

from ...errors import ConfigError
from ...models import JsonValue
from ..program import BODY_LIMIT, Program
from .interpreter import interpreters
from .wire import line_of, pack, unpack_error

START_SECONDS: Final = 60.0
"""The time for the child to start and report that it is ready, even on a busy machine."""
SECONDS: Final = 30.0
"""The wall-clock time for one rendering. Normally the child's own limit of CPU time applies. This one is for systems
without that limit; it is generous, so that no template is refused because the machine is busy."""

_END_SECONDS: Final = 5.0
"""The time for a child to end after it has closed its output."""
_MAX_PROGRAMS: Final = 64
"""The maximum number of templates per child. Then a new child replaces it, because edited templates fill its memory."""
_MAX_ANSWER: Final = 16 * BODY_LIMIT
_PASSED_ON: Final = ("LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONTZPATH")


class _Costly(Exception):
    """The child process was stopped, or ended by itself."""


class Apart:
    """One child process, which is started when it is first needed and renders one template at a time.

    It is safe to use from several threads. After a fork, the new process starts its own child.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._child: _Child | None = None
        _all.add(self)

    def render(self, program: Program, values: Mapping[str, Any]) -> dict[str, JsonValue]:
        """Render as `program.render` does.

        Raises:
            TemplateError: those of `program.render`, and `template_too_costly` if it exceeded a limit.
            ConfigError: `renderer_unavailable`, if no child can be started, which is not the template's fault.
        """
        with self._lock:
            try:
                if self._child is None or not self._child.usable():
                    self.close()
                    self._child = _start_child(program)
                answer = self._child.ask(program, values)
            except _Costly as reason:
                self.close()
                raise program.too_costly(str(reason)) from None
            if "costly" in answer:
                self.close()  # its memory may be fragmented
                raise program.too_costly(answer["costly"])
        if "error" in answer:
            raise unpack_error(answer["error"])
        fields: dict[str, JsonValue] = answer["fields"]
        return fields

    def close(self) -> None:
        """Stop the child process, if there is one."""
        if self._child is not None:
            self._child.end()
            self._child = None

    def forget(self) -> None:
        """Leave the child to the parent process after a fork."""
        self._lock = Lock()
        if self._child is not None:
            self._child.forget()
            self._child = None


class _NotStarted(Exception):
    """The child process did not start; the message says why."""


def _start_child(program: Program) -> _Child:
    """Start a child with the first interpreter that works.

    Raises:
        ConfigError: renderer_unavailable.
    """
    reasons = []
    for interpreter in interpreters():
        try:
            child = _Child(interpreter)
        except (OSError, RuntimeError) as error:  # RuntimeError: Python is ending
            reasons.append(f"{interpreter!r} cannot be started ({error})")
            continue
        try:
            child.wait_until_ready()
        except _NotStarted as reason:
            child.end()
            reasons.append(f"{interpreter!r} {reason}")
        else:
            return child
    why = "; ".join(reasons) or f"this process has no Python interpreter: sys.executable is {sys.executable!r}"
    raise ConfigError(
        f"The template {program.main!r} renders in a child process, but none can be started: {why}.",
        code="renderer_unavailable",
    )


class _Child:
    """A child process, and the socket that is its input and output."""

    def __init__(self, interpreter: str) -> None:
        ours, theirs = socket.socketpair()
        with ExitStack() as unless_started, theirs:
            unless_started.enter_context(ours)
            self._process = subprocess.Popen(  # noqa: S603 - a Python of this installation
                # -P: import nothing from the current folder.
                [interpreter, "-P", "-s", "-m", "metrix_channels.templating.isolation.child"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=_environment(),
                start_new_session=True,  # Ctrl-C in the terminal does not interrupt a rendering
            )
            unless_started.pop_all()
        self._socket = ours
        self._known: set[int] = set()
        self._end = weakref.finalize(self, _end, self._process, ours, os.getpid())

    def usable(self) -> bool:
        """Tell whether it is running and can compile one more template."""
        return self._process.poll() is None and len(self._known) < _MAX_PROGRAMS

    def wait_until_ready(self) -> None:
        """Wait for its first line, so that its start does not count as a template's time."""
        try:
            is_ready = "ready" in self._read(time.monotonic() + START_SECONDS)
        except TimeoutError:
            raise _NotStarted(f"was not ready within {START_SECONDS:.0f} seconds") from None
        except _Costly:
            status = self._process.poll()
            why = "wrote something else" if status is None else f"ended with status {status}"
            raise _NotStarted(f"{why} before it was ready") from None
        except (OSError, ValueError) as error:
            raise _NotStarted(f"did not report that it is ready ({error})") from None
        if not is_ready:
            raise _NotStarted("did not report that it is ready")

    def ask(self, program: Program, values: Mapping[str, Any]) -> dict[str, Any]:
        """Send one request and return its answer."""
        deadline = time.monotonic() + SECONDS
        request: dict[str, Any] = {"key": program.key, "values": pack(values)}
        if program.key not in self._known:
            self._known.add(program.key)
            request |= {"main": program.main, "root": program.root, "email": program.email, "texts": program.texts}
        try:
            self._socket.settimeout(_left(deadline))
            self._socket.sendall(line_of(request))
            return self._read(deadline)
        except TimeoutError:
            raise _Costly(f"it takes longer than {SECONDS:.0f} seconds") from None
        except OSError:
            raise _Costly("its process ended") from None

    def _read(self, deadline: float) -> dict[str, Any]:
        received = bytearray()
        while not received.endswith(b"\n"):
            self._socket.settimeout(_left(deadline))
            piece = self._socket.recv(1 << 16)
            if not piece:
                raise _Costly(self._why_it_ended())
            received += piece
            if len(received) > _MAX_ANSWER:
                raise _Costly("its result is too large")
        answer: dict[str, Any] = json.loads(received)
        return answer

    def _why_it_ended(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        if self._process.returncode == -signal.SIGPROF:
            return "it takes longer than 2 seconds"
        return "its process reached its limits"

    def end(self) -> None:
        """Kill the process."""
        self._end()

    def forget(self) -> None:
        """Leave the process to its own parent."""
        self._end.detach()
        self._socket.close()
        self._process.returncode = 0  # only its parent can wait for it


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _end(process: subprocess.Popen[bytes], connection: socket.socket, owner: int) -> None:
    connection.close()
    if os.getpid() == owner:
        process.kill()
        process.wait()


def _environment() -> dict[str, str]:
    """Return the variables that Python needs to start, without the caller's secrets."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**kept, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if Path(entry).is_absolute())}


_all: weakref.WeakSet[Apart] = weakref.WeakSet()


def _forget_all() -> None:
    for apart in list(_all):
        apart.forget()


os.register_at_fork(after_in_child=_forget_all)
