"""Rows in Parquet: values of every type, in row groups of any size."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from pyarrow import parquet

from metrix_channels.campaign.audience.reader import open_audience
from metrix_channels.errors import CampaignError

MOMENT = datetime(2026, 3, 20, 6, 30, tzinfo=UTC)


def read(path, *wanted):
    with open_audience(path, "id") as audience:
        chunks = list(audience.chunks(wanted))
    ids = [each for chunk in chunks for each in chunk.recipients]
    return ids, [value for chunk in chunks for value in chunk.values]


@pytest.mark.parametrize("row_group", [1, 999, 10_000])
@pytest.mark.parametrize("compression", ["snappy", "zstd", "none"])
def test_row_groups_of_any_size(tmp_path, row_group, compression):
    """The order stays, and columns that nobody wants are not read."""
    rows = {"name": [f"n{at}" for at in range(3_000)], "id": [f"u{at}" for at in range(3_000)], "x": [b"\xff"] * 3_000}
    parquet.write_table(pa.table(rows), tmp_path / "a.parquet", row_group_size=row_group, compression=compression)
    ids, values = read(tmp_path / "a.parquet", "name")
    assert (ids, values) == (rows["id"], [(each,) for each in rows["name"]])


@pytest.mark.parametrize(
    ("column", "shown"),
    [
        (pa.array([Decimal("12.50"), None], pa.decimal128(10, 2)), "12.50"),
        (pa.array([MOMENT, None], pa.timestamp("us", "Asia/Tehran")), "2026-03-20 10:00:00+03:30"),
        (pa.array([1_774_000_000_123_456_789, None], pa.timestamp("ns")), "2026-03-20 09:46:40.123456"),
        (pa.array([date(2026, 3, 20), None]), "2026-03-20"),
        (pa.array([timedelta(hours=36), None]), "36:00:00"),
        (pa.array(["x", None]).dictionary_encode(), "x"),
        (pa.array(["x", None], pa.large_string()), "x"),
        (pa.array([7, None], pa.int8()), 7),
        (pa.array([7.0, None]), 7),
        (pa.array([[1], None]), [1]),
        (pa.array([{"x": 1}, None]), {"x": 1}),
    ],
)
def test_values_of_every_type(tmp_path, column, shown):
    """A null is empty, as in a CSV."""
    parquet.write_table(pa.table({"id": ["u1", "u2"], "v": column}), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet", "v") == (["u1", "u2"], [(shown,), ("",)])


@pytest.mark.parametrize("data", [b"", b"id\nu1\n", b"PAR1xxxxPAR1", b"PAR1" + b"\0" * 100 + b"PAR1"])
def test_what_is_no_parquet_is_refused(tmp_path, data):
    """With the file's name."""
    (tmp_path / "a.parquet").write_bytes(data)
    with pytest.raises(CampaignError, match="audience_invalid") as caught:
        read(tmp_path / "a.parquet")
    assert caught.value.location == f"{tmp_path / 'a.parquet'}:1:1"


def test_a_file_that_was_cut_or_changed_is_refused(tmp_path):
    """Wherever that is noticed: when it is opened, or on the way."""
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"id": [f"u{at}" for at in range(3_000)]}), path, use_dictionary=False)
    data = path.read_bytes()
    path.write_bytes(data[:20] + bytes(2_000) + data[2_020:])
    with pytest.raises(CampaignError, match="audience_invalid"):
        read(path)
