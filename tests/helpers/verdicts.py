"""What attempts mean, for tests that do not care when they ended."""

from datetime import UTC, datetime

from metrix_channels.delivery import judge

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


def judged(exchange):
    """Return the verdict on an exchange that ended at NOW."""
    return judge(exchange, NOW.timestamp())
