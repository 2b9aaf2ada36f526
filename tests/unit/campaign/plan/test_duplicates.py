"""Repetition over a whole audience: nobody twice, nobody left out by mistake."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrix_channels.campaign.plan import duplicates as screening
from metrix_channels.campaign.plan.duplicates import DuplicateFinder


def kept(recipients, chunk=7):
    """Screen an audience as the plan does; return who is sent to, and which rows repeat somebody."""
    seen, firsts, repeated = DuplicateFinder(), [], []
    for start in range(0, len(recipients), chunk):
        some = recipients[start : start + chunk]
        doubtful = seen.doubtful(some)
        seen.put_aside((some[at], start + at, "{}") for at in doubtful)
        new = [who for at, who in enumerate(some) if at not in set(doubtful)]
        seen.first(new)
        firsts += new
    for who, row, _, is_repeated in seen.resolved():
        (repeated if is_repeated else firsts).append(row if is_repeated else who)
    seen.close()
    return firsts, repeated


def first_rows(recipients):
    known = set()
    return {row for row, who in enumerate(recipients) if who in known or known.add(who)}


@given(st.lists(st.sampled_from("abcdefgh"), max_size=40), st.integers(1, 9))
def test_of_equal_recipients_the_first_is_kept(recipients, chunk):
    """Within a chunk and across chunks."""
    firsts, repeated = kept(recipients, chunk)
    assert sorted(firsts) == sorted(set(recipients))
    assert set(repeated) == first_rows(recipients)


@pytest.mark.parametrize("places", [1 << 4, 1 << 8, 1 << 12])
def test_a_table_that_is_too_small_costs_time_and_no_recipient(monkeypatch, places):
    """Doubt is resolved exactly, however much there is of it."""
    monkeypatch.setattr(screening, "_PLACES", places)
    monkeypatch.setattr(screening, "_MASK", places - 1)
    chance = random.Random(1)
    recipients = [f"user-{chance.randrange(2_000)}" for _ in range(3_000)]
    firsts, repeated = kept(recipients, 500)
    assert sorted(firsts) == sorted(set(recipients))
    assert set(repeated) == first_rows(recipients)


def test_little_of_a_large_audience_is_doubtful():
    """So that the second look costs little."""
    seen = DuplicateFinder()
    doubtful = sum(
        len(seen.doubtful([f"user-{at}" for at in range(start, start + 1_000)])) for start in range(0, 200_000, 1_000)
    )
    seen.close()
    assert doubtful < 200


def test_doubt_is_resolved_in_portions(monkeypatch):
    """More rows may be put aside than fit into memory."""
    monkeypatch.setattr(screening, "_AT_A_TIME", 3)
    recipients = [f"u{at % 10}" for at in range(40)]
    firsts, repeated = kept(recipients)
    assert sorted(firsts) == sorted(set(recipients))
    assert len(repeated) == 30
