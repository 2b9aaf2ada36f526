"""A template whose rendering tells which values leave a gap in its text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import Lock
from typing import Any

from jinja2 import nodes

from ..errors import TemplateError
from .environment import Sandbox
from .gaps import Gaps, mark_places
from .printed_values import MARK
from .program import Program


class WatchedProgram(Program):
    """A second form of a compiled template, made of the same texts.

    Args:
        program: the template as it is sent.
    """

    def __init__(self, program: Program) -> None:
        self._passed: set[int] = set()
        self._lock = Lock()

        def read(name: str) -> str:
            if (text := program.texts.get(name)) is None:
                raise FileNotFoundError(name)
            return text

        super().__init__(program.main, read, program.root, email=program.email)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of values that may leave a gap when they, or what is in them, is empty."""
        return self._gaps.names

    def gaps_in(self, values: Mapping[str, Any], *, rendered: bool) -> tuple[str, ...]:
        """Return the values that are empty and leave a gap, such as `first_name` or `items.title`.

        Args:
            values: what the template is rendered with.
            rendered: look at a rendering; else every value that may leave a gap counts.
        """
        if not (rendered and self._gaps.of(values, None)):
            return self._gaps.of(values, None)
        with self._lock:
            self._passed.clear()
            with suppress(TemplateError):  # whoever renders it for a message is told; what it passed until then counts
                self.render(values)
            return self._gaps.of(values, frozenset(self._passed))

    def _new_sandbox(self, *, html: bool) -> Sandbox:
        sandbox = super()._new_sandbox(html=html)
        sandbox.filters[MARK] = self._pass
        return sandbox

    def _look_at(self, files: Mapping[str, nodes.Template], texts: Sequence[nodes.Template]) -> None:
        mark_places([*files.values(), *texts])
        self._gaps = Gaps(files, self.main, texts)

    def _pass(self, value: Any, mark: int) -> Any:
        self._passed.add(mark)
        return value
