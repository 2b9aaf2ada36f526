"""Equal messages brought together: each the fewest requests, in the same memory for any audience."""

import json
from collections import Counter, defaultdict

import pytest

from metrix_channels.adapters import SmsEncoding, SmsLength
from metrix_channels.campaign.plan import batching as grouping
from metrix_channels.campaign.plan.batching import Batching
from metrix_channels.campaign.renderer import RenderedMessage
from metrix_channels.models import Caution


def render(values):
    """Case makes no difference to the message."""
    text = values["name"].lower()
    cautions = (Caution("text_empty", "It is empty."),) if not text else ()
    length = SmsLength(SmsEncoding.GSM7, 200, 2)
    empty = () if text else ("name",)
    return RenderedMessage(text.encode().rjust(16, b"\0"), length, cautions, empty)


def grouped(rows, batch_size=3, chunk=10, **options):
    """Group rows of recipient and name; return the grouping and its batches as (name, recipients)."""
    made = Batching(render, batch_size, **options)
    drafts = []
    for start in range(0, len(rows), chunk):
        some = rows[start : start + chunk]
        for recipient, name in some:
            together = made.lists.get((name,)) or made.open((name,), {"name": name})
            if (name,) not in made.lists:
                made.lists[(name,)] = together
            together.append(recipient)
        made.added(len(some))
    for _ in made.finish():
        drafts += made.drafts
        made.drafts = []
    batches = [(values["name"].lower(), to) for draft in drafts for values, to in json.loads(draft.batches)]
    assert sum(draft.count for draft in drafts) == len(batches) == made.batches
    return made, batches


def audience(count, names):
    return [(f"u{at}", names[at % len(names)]) for at in range(count)]


@pytest.mark.parametrize("bound", [5, 17, 10_000])
@pytest.mark.parametrize("joined", [0, 15, 10_000])
@pytest.mark.parametrize("count", [1, 9, 100])
def test_each_message_costs_the_fewest_requests(monkeypatch, bound, joined, count):
    """The same whether or not the groups had to be joined, or written to disk, on the way."""
    monkeypatch.setattr(grouping, "_MOST_RECIPIENTS", bound)
    monkeypatch.setattr(grouping, "_MOST_JOINED", joined)
    rows = audience(count, ["Sara", "sara", "Reza", "Mina", "مینا"])
    made, batches = grouped(rows)
    wanted = defaultdict(set)
    for recipient, name in rows:
        wanted[name.lower()].add(recipient)
    found = defaultdict(list)
    for name, recipients in batches:
        assert 1 <= len(recipients) <= 3
        found[name] += recipients
    assert {name: set(to) for name, to in found.items()} == dict(wanted)
    assert sum(map(len, found.values())) == count
    assert Counter(name for name, _ in batches) == {name: -(-len(to) // 3) for name, to in wanted.items()}
    assert (made.texts, made.sms_parts) == (len(wanted), {("", "GSM-7"): 2 * count})


def test_batches_of_a_shared_text_are_built_while_rows_are_added():
    """So that the ledger writes them while more rows are planned, and not all of them at the end."""
    made = Batching(render, 500)
    together = made.open(("Sara",), {"name": "Sara"})
    for start in range(0, 12_000, 1_000):
        together += [f"u{start + at}" for at in range(1_000)]
        made.added(1_000)
    assert made.batches == 20
    assert sum(draft.count for draft in made.drafts) == 20


@pytest.mark.parametrize("bound", [2, 10_000])
def test_too_many_groups_are_written_to_disk(monkeypatch, bound):
    """As many messages as recipients; each keeps its one."""
    monkeypatch.setattr(grouping, "_MOST_GROUPS", bound)
    made, batches = grouped([(f"u{at}", f"n{at}") for at in range(50)])
    assert sorted(batches) == sorted((f"n{at}", [f"u{at}"]) for at in range(50))
    assert made.texts == 50


@pytest.mark.parametrize("joined", [0, 10_000])
@pytest.mark.parametrize("bound", [4, 10_000])
def test_cautions_and_empty_values_are_counted_in_recipients(monkeypatch, bound, joined):
    """However the groups are kept."""
    monkeypatch.setattr(grouping, "_MOST_RECIPIENTS", bound)
    monkeypatch.setattr(grouping, "_MOST_JOINED", joined)
    made, _ = grouped(audience(12, ["", "sara", ""]))
    assert made.cautions == {"text_empty": 8}
    assert made.empty == {"name": 8}


def test_a_message_that_the_first_ones_had_is_not_counted_again():
    """Texts are those of the whole run."""
    first, _ = grouped(audience(2, ["sara"]), canary=True)
    others, _ = grouped(audience(4, ["sara", "reza"]), known=first.digests)
    assert (first.texts, others.texts) == (1, 1)
    assert all(draft.canary for draft in first.drafts)


def test_shards_hold_many_small_batches_or_few_large_ones():
    """At most 250 batches, and a thousand recipients or a little more."""
    made = Batching(render, 100)
    for at in range(600):
        made.open((f"n{at}",), {"name": f"n{at}"}).append(f"u{at}")
    together = made.open(("sara",), {"name": "sara"})
    together += [f"s{at}" for at in range(5_000)]
    made.added(5_600)
    drafts = []
    for _ in made.finish():
        drafts += made.drafts
        made.drafts = []
    sizes = [(draft.count, sum(len(to) for _, to in json.loads(draft.batches))) for draft in drafts]
    assert all(count <= 250 for count, _ in sizes)
    assert all(recipients < 1_100 for _, recipients in sizes)
    assert len(sizes) < 12


def test_the_last_batches_are_taken_in_portions(monkeypatch):
    """So that their shards are never in memory all at once."""
    monkeypatch.setattr(grouping, "_MOST_DRAFTS", 2)
    made = Batching(render, 1_000)
    for at in range(20):
        made.open((f"n{at}",), {"name": f"n{at}"}).extend(f"u{at}-{each}" for each in range(1_500))
    made.added(30_000)
    sizes = []
    for _ in made.finish():
        sizes.append(len(made.drafts))
        made.drafts = []
    assert sum(sizes) == 30
    assert max(sizes[1:]) <= 3
