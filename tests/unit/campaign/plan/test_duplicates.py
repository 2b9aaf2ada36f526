"""Repetition over a whole audience: nobody twice, nobody left out by mistake."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrix_channels.campaign.audience.ids import fold
from metrix_channels.campaign.plan import duplicates as screening
from metrix_channels.campaign.plan.duplicates import DuplicateFinder
from metrix_channels.campaign.plan.line_runs import LineRuns


def screened(recipients, chunk=7):
    """Screen an audience as the plan does; return who is sent to, which rows repeat somebody, and the finder."""
    seen, firsts, repeated = DuplicateFinder(), [], []
    for start in range(0, len(recipients), chunk):
        some = recipients[start : start + chunk]
        folds = [fold(who) for who in some]
        doubtful = seen.doubtful(folds)
        seen.put_aside((some[at], start + at, "{}") for at in doubtful)
        new = [at for at in range(len(some)) if at not in set(doubtful)]
        lines = LineRuns(range(start, start + len(some)), doubtful)
        seen.first([some[at] for at in new], [folds[at] for at in new], lines)
        firsts += [some[at] for at in new]
    for who, row, _, is_repeated in seen.resolved():
        (repeated if is_repeated else firsts).append(row if is_repeated else who)
    return firsts, repeated, seen


def kept(recipients, chunk=7):
    firsts, repeated, seen = screened(recipients, chunk)
    seen.close()
    return firsts, repeated


def looks_alike(recipients, chunk=7):
    *_, seen = screened(recipients, chunk)
    found = seen.alike, seen.alike_lines()
    seen.close()
    return found


def first_rows(recipients):
    known = set()
    return {row for row, who in enumerate(recipients) if who in known or known.add(who)}


@given(st.lists(st.sampled_from("abcdABCD"), max_size=40), st.integers(1, 9))
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


@pytest.mark.parametrize("others", [0, 5_000])
def test_ids_that_look_alike_are_named_by_their_lines(others):
    """They stay different people; an id that repeats exactly is a duplicate and nothing else."""
    recipients = ["u1", "علي", *(f"v{at}" for at in range(others)), "U1", "علی", "u1", "Ü", "u\u0308"]
    assert looks_alike(recipients) == (3, [(0, 2 + others), (1, 3 + others), (5 + others, 6 + others)])


def test_only_the_first_are_named():
    """All are counted."""
    count, lines = looks_alike([f"u{at}" for at in range(100)] + [f"U{at}" for at in range(100)], 50)
    assert (count, lines) == (100, [(at, 100 + at) for at in range(5)])


@given(st.lists(st.sampled_from(["a", "A", "ي", "ی", "۱", "1"]), unique=True))
def test_of_ids_that_look_alike_all_but_one_are_counted(recipients):
    """Whatever their order."""
    assert looks_alike(recipients, 2)[0] == len(recipients) - len(set(map(fold, recipients)))


@pytest.mark.parametrize("places", [1 << 2, 1 << 6])
def test_looks_are_compared_exactly_however_small_the_table_is(monkeypatch, places):
    """In portions too."""
    monkeypatch.setattr(screening, "_PLACES", places)
    monkeypatch.setattr(screening, "_MASK", places - 1)
    monkeypatch.setattr(screening, "_AT_A_TIME", 3)
    recipients = [f"u{at}" for at in range(60)] + [f"U{at}" for at in range(20)]
    assert looks_alike(recipients)[0] == 20
