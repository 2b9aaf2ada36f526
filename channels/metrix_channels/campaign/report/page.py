"""The report of a campaign as one HTML file to share."""

from __future__ import annotations

from ...pages import Bar, Renderer, Series, Words, outcome_bar, over_time
from ...process import wall_clock
from .overview import Overview
from .status import CampaignStatus
from .timeline import Timeline


def report_page(found: Overview, words: Words) -> str:
    """Return the whole page; it contains no script."""
    return Renderer("metrix_channels.campaign").file(
        "report.html.j2", words, made_at=wall_clock.now(), **facts_of(found, words)
    )


def facts_of(found: Overview, words: Words) -> dict[str, object]:
    """Return the data for the parts of a campaign's page; the dashboard uses them too."""
    bars = bars_of(found.status, words)
    return {
        "found": found,
        "status": found.status,
        "bars": bars,
        "bar": outcome_bar(bars, words("Outcomes")),
        "chart": _chart(found.timeline, words),
        "rate": found.timeline.most if found.timeline else 0.0,
    }


def bars_of(status: CampaignStatus, words: Words) -> list[Bar]:
    """Return the outcomes of a run; they add up to the audience."""
    counts = {
        "accepted": (words("accepted"), status.accepted),
        "rejected": (words("rejected"), status.rejected),
        "unknown": (words("unknown"), status.unknown),
        "pending": (words("pending"), status.pending),
        "cancelled": (words("cancelled"), status.cancelled),
        "skipped": (words("skipped"), sum(status.skipped.values())),
    }
    return [Bar(kind, label, count, words.number(count)) for kind, (label, count) in counts.items()]


def _chart(found: Timeline | None, words: Words) -> str:
    if found is None:
        return ""
    series = [
        Series("accepted", words("accepted"), found.accepted),
        Series("rejected", words("rejected"), found.rejected),
        Series("unknown", words("unknown"), found.unknown),
    ]
    return over_time(
        series,
        words("Batches over time"),
        first=words.moment(found.first),
        last=words.moment(found.last),
        most=words("maximum: {rate} batches a second", rate=float(found.most)),
    )
