"""The process that renders templates of unknown cost: `python -m metrix_channels.templating.isolation.child`.

It reads requests from standard input and answers on standard output, one line of JSON each; the first line reports that
it is ready. It sets its own limits: memory before it reads anything, CPU time for each rendering. It has no secrets,
reads no template files, and ends with its input.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from contextlib import suppress
from typing import Any, Final

from ...errors import MetrixChannelsError
from ..program import Program
from .wire import line_of, pack_error, unpack

MEMORY: Final = 256 * 1024 * 1024
"""The limit of address space, in bytes."""
SECONDS: Final = 1.5
"""The CPU time for one rendering; the rest of two seconds is for everything around it."""

_OUT_OF_MEMORY: Final = {"costly": "it needs more than 256 MiB of memory"}


def main() -> None:
    """Report that it is ready, then answer requests until the input ends."""
    _limit(resource.RLIMIT_AS, MEMORY)
    _limit(resource.RLIMIT_CORE, 0)
    # The system ends the process when the timer expires, so that no operation in Python can delay it.
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGPROF])
    _write(line_of({"ready": True}))
    programs: dict[int, Program] = {}
    for line in sys.stdin.buffer:
        try:
            answer = line_of(_answer(json.loads(line), programs))
        except MemoryError:
            answer = line_of(_OUT_OF_MEMORY)
        _write(answer)


def _write(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


def _answer(request: dict[str, Any], programs: dict[int, Program]) -> dict[str, Any]:
    try:
        program = programs.get(request["key"])
        if program is None:
            program = programs[request["key"]] = _compile(request)
        values = unpack(request["values"])
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        return {"fields": program.render(values)}
    except MetrixChannelsError as error:
        return {"error": pack_error(error)}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _compile(request: dict[str, Any]) -> Program:
    texts = request["texts"]

    def read(name: str) -> str:
        text = texts[name]
        if text is None:
            raise FileNotFoundError(name)
        return str(text)

    return Program(request["main"], read, request["root"], email=request["email"])


def _limit(what: int, soft: int) -> None:
    # Some systems have a limit but refuse to set it; there, only the parent's timeout applies.
    with suppress(ValueError, OSError):
        resource.setrlimit(what, (soft, resource.getrlimit(what)[1]))


if __name__ == "__main__":
    main()
