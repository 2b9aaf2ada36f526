"""Renders a template to find out which empty values leave a gap in its text."""

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
    """A second compiled form of a template, which records which values it prints.

    Args:
        program: the template that renders the messages.
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
        """The names of values that may leave a gap if they, or the values in them, are empty."""
        return self._gaps.names

    def gaps_in(self, values: Mapping[str, Any], *, rendered: bool) -> tuple[str, ...]:
        """Return the values that are empty and leave a gap, such as `first_name` or `items.title`.

        Args:
            values: the values for the template.
            rendered: render the template to find the gaps; otherwise return every empty value that may leave a gap.
        """
        if not (rendered and self._gaps.of(values, None)):
            return self._gaps.of(values, None)
        with self._lock:
            self._passed.clear()
            with suppress(TemplateError):  # rendering the message reports the error; the marks until then count
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
