"""The CSV of a report: safe in a spreadsheet, and read back as it was."""

import io

import pytest

from metrix_channels.campaign.audience.reader import open_audience
from metrix_channels.campaign.audience.report_rows import REPORT_COLUMNS, guarded, unguarded


@pytest.mark.parametrize("cell", ["=1+1", "+98912", "-1", "@sara", "\tu", "'=1", "''+1", "'u", "u'", "u1", ""])
def test_a_guard_is_undone(cell):
    """What a report guards is read back as it was; no cell that it writes is a formula."""
    assert unguarded(guarded(cell)) == cell
    assert not guarded(cell).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_a_report_can_be_an_audience():
    """Its ids are read back; a row that named nobody names nobody again, whatever the report shows in its place."""
    rows = ["'+98912,sms,accepted,,1-1,1,200,", "u\\u200f1,sms,skipped,invalid,,0,,", "u2,sms,skipped,duplicate,,0,,"]
    text = "\ufeff" + "\r\n".join([",".join(REPORT_COLUMNS), *rows]) + "\r\n"
    (chunk,) = open_audience(None, "recipient", stdin=io.BytesIO(text.encode())).chunks(["outcome"])
    assert (chunk.recipients, chunk.values) == (["+98912", "u2"], [("accepted",), ("skipped",)])
    assert [(each.line, "invalid in the campaign" in each.why) for each in chunk.invalid] == [(3, True)]
