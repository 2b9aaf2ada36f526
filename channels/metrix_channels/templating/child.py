"""The process that renders what could run away: `python -m metrix_channels.templating.child`.

It reads requests from standard input and answers on standard output, a line of JSON each. It lives under limits of
memory and processor time that it sets itself before it reads anything; whoever started it keeps the time and ends
it. It knows no secret, touches no file of templates, and ends with its input.
"""

from __future__ import annotations

import json
import math
import resource
import sys
import time
from contextlib import suppress
from typing import Any, Final

from ..errors import MetrixChannelsError
from .program import Program
from .wire import line_of, pack_error, unpack

MEMORY: Final = 256 * 1024 * 1024
"""Bytes of address space."""
PROCESSOR: Final = 2
"""Seconds a rendering, should the starter die and nobody end this process."""

_OUT_OF_MEMORY: Final = {"costly": "it needs more than 256 MiB of memory"}


def main() -> None:
    """Answer requests until the input ends."""
    _limit(resource.RLIMIT_AS, MEMORY)
    _limit(resource.RLIMIT_CORE, 0)
    programs: dict[int, Program] = {}
    for line in sys.stdin.buffer:
        _limit(resource.RLIMIT_CPU, math.ceil(time.process_time()) + PROCESSOR)
        try:
            answer = line_of(_answer(json.loads(line), programs))
        except MemoryError:
            answer = line_of(_OUT_OF_MEMORY)
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()


def _answer(request: dict[str, Any], programs: dict[int, Program]) -> dict[str, Any]:
    try:
        program = programs.get(request["key"])
        if program is None:
            program = programs[request["key"]] = _compile(request)
        return {"fields": program.render(unpack(request["values"]))}
    except MetrixChannelsError as error:
        return {"error": pack_error(error)}


def _compile(request: dict[str, Any]) -> Program:
    texts = request["texts"]

    def read(name: str) -> str:
        text = texts[name]
        if text is None:
            raise FileNotFoundError(name)
        return str(text)

    return Program(request["main"], read, request["root"], email=request["email"])


def _limit(what: int, soft: int) -> None:
    # Some systems know a limit and refuse to set it; the starter's clock holds there too.
    with suppress(ValueError, OSError):
        resource.setrlimit(what, (soft, resource.getrlimit(what)[1]))


if __name__ == "__main__":
    main()
