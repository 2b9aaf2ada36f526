"""Records: receipts come back as they went, and a changed row is found out."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrix_channels.errors import LedgerError, problem
from metrix_channels.ledger import Claimed
from metrix_channels.ledger.checksums import checksum, require_checksum
from metrix_channels.ledger.sends.records import dump_receipts, dump_recipients, load_receipts
from metrix_channels.outcomes import Outcome, Receipt

moments = st.integers(0, 4_000_000_000_000).map(
    lambda ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
)
receipts = st.builds(
    Receipt,
    id=st.text(),
    channel=st.text(),
    recipients=st.lists(st.text()).map(tuple),
    outcome=st.sampled_from(Outcome),
    attempts=st.integers(0, 99),
    status_code=st.none() | st.integers(100, 599),
    possible_duplicate=st.booleans(),
    at=moments,
    error=st.none() | st.text(min_size=1).map(lambda text: problem("outcome_unknown", text)),
)


@given(st.lists(receipts).map(tuple))
def test_receipts_come_back_as_they_went(given_receipts):
    """Whatever the ids and the words, Persian and lone surrogates among them."""
    assert load_receipts(dump_receipts(given_receipts)) == given_receipts


@given(st.lists(receipts))
def test_receipts_are_written_as_the_searches_of_the_ledger_expect_them(given_receipts):
    """To the space: as the JSON of their public form, in plain text."""
    expected = json.dumps([each.as_dict() for each in given_receipts], ensure_ascii=False)
    assert dump_receipts(given_receipts) == expected


@given(st.lists(st.text()).map(tuple))
def test_recipients_are_written_as_the_searches_of_the_ledger_expect_them(recipients):
    """To the space, in ASCII."""
    assert dump_recipients(recipients) == json.dumps(recipients)


@given(st.binary(min_size=1), st.data())
def test_one_changed_bit_changes_the_checksum(value, data):
    """Of text, bytes and numbers alike."""
    position = data.draw(st.integers(0, len(value) * 8 - 1))
    changed = bytearray(value)
    changed[position // 8] ^= 1 << position % 8
    assert checksum(("id", value, None)) != checksum(("id", bytes(changed), None))


@pytest.mark.parametrize("values", [("a", "b"), ("ab", ""), ("a", None, "b"), ("a", "b", None)])
def test_the_borders_between_values_count(values):
    """Text that moves from one column to the next is another row."""
    assert checksum(values) != checksum(("", "ab"))


def test_a_row_that_is_not_as_written_is_refused():
    """The error says which record it is."""
    require_checksum(checksum(("u1", None)), ["u1", None], "the send 7")
    with pytest.raises(LedgerError, match="the send 7 is damaged") as caught:
        require_checksum(checksum(("u1", None)), ["u3", None], "the send 7")
    assert caught.value.code == "ledger_corrupt"


def test_a_claim_leaves_out_whom_an_earlier_call_settled():
    """In the order in which they were asked for."""
    done = Receipt("s", "sms", ("u2", "u4"), Outcome.ACCEPTED, 1, 200, False, datetime.now(UTC))
    assert Claimed("s", settled=(done,)).still_open(("u1", "u2", "u3", "u4")) == ("u1", "u3")
