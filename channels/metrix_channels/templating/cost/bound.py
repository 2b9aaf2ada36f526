"""Decides which templates may render in this process: those that provably cost little for values of a given size.

All others render in a child process, which can be killed; a running operation in this process cannot be stopped. The
proof is the model in `estimate`. What the model does not know is unbounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jinja2 import nodes

from .estimate import Estimate, Risk
from .filter_cost import Unbounded


class Cost:
    """An upper bound of a template's cost, known before it runs.

    Args:
        files: the trees by name; a file comes before those that refer to it, and the template's own file is the last.
        texts: the trees of the front matter, which is in the template's own file.
        html: whether values are escaped.

    Attributes:
        risk: the part whose cost is unbounded even for small values; None if the whole template has a bound.
    """

    def __init__(self, files: Mapping[str, nodes.Template], texts: Sequence[nodes.Template], *, html: bool) -> None:
        self._files, self._texts, self._html = files, texts, html
        self._fits, self._exceeds = 0, float("inf")
        self.risk: Risk | None = self.heaviest(1)

    def allows(self, size: int) -> bool:
        """Tell whether the template may render in this process with values of this size."""
        if size <= self._fits:
            return True
        if size >= self._exceeds or self.risk is not None:
            return False
        # Sizes are rounded up by at most an eighth, so that a million different rows need a few dozen estimates.
        step = 1 << max(size.bit_length() - 3, 8)
        upper = -(-size // step) * step
        if self.heaviest(upper) is None:
            self._fits = max(self._fits, upper)
            return True
        self._exceeds = min(self._exceeds, upper - step + 1)
        return False

    def heaviest(self, size: int) -> Risk | None:
        """Return the part that costs too much for values of this size; None if the template costs little."""
        estimate = Estimate(self._files, size, escaping=5 if self._html else 1)
        try:
            return estimate.run(self._texts)
        except Unbounded as found:
            return Risk(found.reason, estimate.file, found.line)
