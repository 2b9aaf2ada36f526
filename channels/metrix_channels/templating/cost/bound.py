"""Which templates may render in this process: those that provably cost little with values of a given size.

Every other one renders in a child process that can be ended: a running operation of this process cannot. The proof
is the model in `estimate`; what the model does not know has no bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jinja2 import nodes

from .estimate import Estimate, Risk
from .filter_cost import Unbounded


class Cost:
    """What is known of a template's costs before it runs.

    Args:
        files: by name, those that are referred to before those that refer to them; the template's own is the last.
        texts: of the front matter, which stands in the template's own file.
        html: whether values are escaped.

    Attributes:
        risk: what has no bound, however small the values are; None when the template has one.
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
        # In steps of an eighth: a million rows of different sizes take a few dozen estimates.
        step = 1 << max(size.bit_length() - 3, 8)
        upper = -(-size // step) * step
        if self.heaviest(upper) is None:
            self._fits = max(self._fits, upper)
            return True
        self._exceeds = min(self._exceeds, upper - step + 1)
        return False

    def heaviest(self, size: int) -> Risk | None:
        """Return what costs too much with values of this size; None when the template costs little."""
        estimate = Estimate(self._files, size, escaping=5 if self._html else 1)
        try:
            return estimate.run(self._texts)
        except Unbounded as found:
            return Risk(found.reason, estimate.file, found.line)
