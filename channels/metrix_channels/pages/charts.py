"""Charts as inline SVG, with labels for screen readers and colours from the stylesheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import frozen
from markupsafe import Markup

_WIDTH: Final = 1000.0
_HEIGHT: Final = 220.0


@frozen
class Bar:
    """A part of a whole.

    Attributes:
        kind: names the colour, such as `accepted`.
        label: the name of the part, in the reader's language.
        count: the size of the part.
        shown: the count, formatted in the reader's language.
    """

    kind: str
    label: str
    count: int
    shown: str


@frozen
class Series:
    """Counts over time.

    Attributes:
        kind: names the colour.
        label: the name of the series, in the reader's language.
        counts: one for each span of time; all series of a chart have the same number.
    """

    kind: str
    label: str
    counts: Sequence[float]


def outcome_bar(bars: Sequence[Bar], title: str) -> Markup:
    """Draw parts of a whole side by side; a part with a small count stays visible."""
    there = [bar for bar in bars if bar.count]
    whole = sum(bar.count for bar in there) or 1
    widths = [max(bar.count / whole * _WIDTH, 6.0) for bar in there]
    scale = _WIDTH / sum(widths) if widths else 1.0
    drawn, left = Markup(), 0.0
    for bar, width in zip(there, widths, strict=True):
        drawn += Markup(
            '<rect class="fill-{}" x="{:.1f}" y="0" width="{:.1f}" height="14"><title>{}: {}</title></rect>'
        ).format(bar.kind, left, width * scale, bar.label, bar.shown)
        left += width * scale
    return Markup(
        '<svg class="bar" viewBox="0 0 1000 14" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<rect class="fill-rest" x="0" y="0" width="1000" height="14"/>{}</svg>'
    ).format(title, drawn)


def over_time(series: Sequence[Series], title: str, *, first: str, last: str, most: str) -> Markup:
    """Draw counts over time, stacked.

    Args:
        series: from bottom to top.
        title: for screen readers.
        first: the time at the start, formatted.
        last: the time at the end, formatted.
        most: the largest sum, formatted.
    """
    columns = len(series[0].counts) if series else 0
    if not columns:
        return Markup()
    peak = max(sum(each.counts[at] for each in series) for at in range(columns)) or 1.0
    step = _WIDTH / columns
    drawn = Markup()
    base = [0.0] * columns
    for each in series:
        path = []
        for at, count in enumerate(each.counts):
            if count:
                low, high = _height(base[at], peak), _height(base[at] + count, peak)
                path.append(
                    f"M{at * step:.1f} {low:.1f}V{high:.1f}H{(at + 1) * step - min(step * 0.2, 2):.1f}V{low:.1f}Z"
                )
            base[at] += count
        drawn += Markup('<path class="fill-{}" d="{}"><title>{}</title></path>').format(
            each.kind, "".join(path), each.label
        )
    return Markup(
        '<figure class="chart"><svg viewBox="0 0 1000 220" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<line class="rule" x1="0" x2="1000" y1="219.5" y2="219.5"/>{}</svg>'
        "<figcaption><span>{}</span><span>{}</span><span>{}</span></figcaption></figure>"
    ).format(title, drawn, first, most, last)


def _height(count: float, peak: float) -> float:
    return _HEIGHT - 1 - count / peak * (_HEIGHT - 12)
