"""How long to wait before the next attempt."""

import random
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.verdicts import judged
from metrix_channels.api import Failure, Reply, Stage
from metrix_channels.delivery.backoff import (
    LONGEST_RETRY_AFTER_SECONDS,
    LONGEST_WAIT_SECONDS,
    asked_to_wait,
    backoff_seconds,
    retry_after,
)

NOW = datetime(2026, 3, 20, 10, 0, 0, tzinfo=UTC)


@given(failures=st.integers(1, 10_000), seed=st.integers())
def test_backoff_stays_within_its_bounds(failures, seed):
    """For any number of failures, an absurd one too."""
    assert (
        0 <= backoff_seconds(failures, random.Random(seed)) <= min(LONGEST_WAIT_SECONDS, 0.5 * 2 ** min(failures, 30))
    )


def test_backoff_grows_and_is_spread_out():
    """Full jitter: the whole interval is used, and the interval doubles."""
    rng = random.Random(1)
    third = [backoff_seconds(3, rng) for _ in range(1000)]
    assert min(third) < 0.2
    assert max(third) > 3.8
    assert max(backoff_seconds(1, rng) for _ in range(1000)) <= 1.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("3", 3),
        (" 3 ", 3),
        ("0", 0),
        ("-5", None),
        ("3.5", None),
        ("²", None),
        ("99999", LONGEST_RETRY_AFTER_SECONDS),
        ("9" * 5000, LONGEST_RETRY_AFTER_SECONDS),
        ("Fri, 20 Mar 2026 10:00:07 GMT", 7),
        ("Fri, 20 Mar 2026 09:00:00 GMT", 0),
        ("Fri, 20 Mar 2099 09:00:00 GMT", LONGEST_RETRY_AFTER_SECONDS),
        ("Fri, 20 Mar 2026 10:00:07", 7),
        ("Fri, 99 Mar 2026 10:00:07 GMT", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_honoured_and_clamped(value, seconds):
    """Seconds, a date, and what other servers write."""
    assert retry_after(value, NOW.timestamp()) == seconds


def test_a_date_without_a_zone_is_in_utc(monkeypatch):
    """As all dates of HTTP are, wherever this machine stands."""
    monkeypatch.setenv("TZ", "Asia/Tehran")
    time.tzset()
    try:
        assert retry_after("Fri, 20 Mar 2026 10:00:07", NOW.timestamp()) == 7
    finally:
        monkeypatch.undo()
        time.tzset()


@given(st.text(max_size=60))
def test_retry_after_never_fails(value):
    """It comes from the network."""
    found = retry_after(value, NOW.timestamp())
    assert found is None or 0 <= found <= LONGEST_RETRY_AFTER_SECONDS


@pytest.mark.parametrize("status", [429, 503])
def test_a_date_counts_from_the_answers_own(status):
    """So that it means the same, however wrong this machine's clock is or the server's."""
    reply = Reply(status, retry_after="Fri, 20 Mar 2099 10:00:07 GMT", date="Fri, 20 Mar 2099 10:00:00 GMT")
    assert asked_to_wait(reply, NOW.timestamp()) == judged(reply).retry_after_seconds == 7


@pytest.mark.parametrize("date", [None, "soon", ""])
def test_without_a_date_of_its_own_this_machines_clock_counts(date):
    """Clamped all the same."""
    reply = Reply(429, retry_after="Fri, 20 Mar 2099 10:00:07 GMT", date=date)
    assert asked_to_wait(reply, NOW.timestamp()) == LONGEST_RETRY_AFTER_SECONDS


@pytest.mark.parametrize("exchange", [Reply(500, retry_after="3"), Reply(429), Failure(Stage.BEGUN, "lost")])
def test_only_a_429_and_a_503_ask_to_wait(exchange):
    """Elsewhere the header means nothing."""
    assert judged(exchange).retry_after_seconds is None
