"""The times of receipts as everybody reads them."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from metrix_channels.outcomes import iso_utc

zones = st.integers(-24 * 60 + 1, 24 * 60 - 1).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=zones | st.just(UTC))  # noqa: DTZ001 - of any zone


@given(moments)
def test_a_time_is_written_in_utc_to_the_millisecond(moment):
    """Cut off, not rounded, whatever its zone; in any year, and as Python reads it."""
    expected = moment.astimezone(UTC)
    written = iso_utc(moment)
    assert written == f"{expected.isoformat(timespec='milliseconds').removesuffix('+00:00')}Z"
    assert datetime.fromisoformat(written) == expected.replace(microsecond=expected.microsecond // 1000 * 1000)
