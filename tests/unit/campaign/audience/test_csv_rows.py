"""Rows in CSV: what is a row, which rows are invalid, and what is refused."""

import csv
import io
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrix_channels.campaign.audience import text_blocks
from metrix_channels.campaign.audience.csv_rows import CsvRows
from metrix_channels.campaign.audience.reader import Reading, open_audience
from metrix_channels.errors import CampaignError


def opened(text, column="customUserId"):
    """The audience of a text on standard input."""
    return open_audience(None, column, stdin=io.BytesIO(text.encode()))


def rows_of(text, *wanted):
    """The only chunk of a text."""
    (chunk,) = opened(text).chunks(wanted)
    return chunk


def refused(text, column="customUserId"):
    """The error that reading it ends with."""
    with pytest.raises(CampaignError) as caught:
        list(opened(text, column).chunks([]))
    assert caught.value.code == "audience_invalid"
    return caught.value


def test_rows_of_a_wrong_width_are_invalid():
    """Skipped and counted; named by the line that a spreadsheet shows, which counts the header and blank lines."""
    chunk = rows_of("name,customUserId\n\na,u1\nb\n\nc,u3,more\nd,u4\n", "name")
    assert chunk.rows == 4
    assert (list(chunk.lines), chunk.recipients, chunk.values) == ([3, 7], ["u1", "u4"], [("a",), ("d",)])
    assert [(each.line, each.recipient) for each in chunk.invalid] == [(4, ""), (6, "u3")]
    assert [each.why for each in chunk.invalid] == [
        "has 1 field, but the header has 2",
        "has 3 fields, but the header has 2",
    ]


@pytest.mark.parametrize(("written", "why"), [('""', "is empty"), ("' u2'", "white space"), ("u\u202e2", "U+202E")])
def test_a_row_whose_id_is_none_is_invalid(written, why):
    """The others of the chunk stay; the id is shown without what would spoil a terminal."""
    field = written.strip("'")
    chunk = rows_of(f"customUserId\nu1\n{field}\nu3\n")
    assert (list(chunk.lines), chunk.recipients) == ([2, 4], ["u1", "u3"])
    (invalid,) = chunk.invalid
    assert why in invalid.why
    assert invalid.recipient.isprintable()


def test_a_long_id_is_shown_in_part():
    """At most 80 characters; Persian stays readable."""
    chunk = rows_of(f"customUserId\nu1\n {'علی‌' * 50}\n")
    assert len(chunk.invalid[0].recipient) == 80
    assert chunk.invalid[0].recipient.startswith(" علی‌علی‌")


def test_a_field_may_hold_separators_lines_and_quotes():
    """As RFC 4180 has it, and U+2028 ends no line."""
    chunk = rows_of('customUserId,text\r\nu1,"a,\r\n""b"""\r\nu2,c\u2028d\x0be\r\n', "text")
    assert chunk.values == [('a,\r\n"b"',), ("c\u2028d\x0be",)]


def test_lines_may_end_in_a_carriage_return():
    """As an old Macintosh writes them, in a file of any length."""
    text = "customUserId,name\r" + "".join(f"user-{at},name\r" for at in range(9_000))
    assert sum(chunk.rows for chunk in opened(text).chunks(["name"])) == 9_000


@pytest.mark.parametrize("column", ["items", "keys", "id", "values", "__class__"])
def test_a_column_may_be_called_anything(column):
    """No name means anything but the column."""
    assert rows_of(f"customUserId,{column}\nu1,x\n", column).values == [("x",)]
    (chunk,) = opened(f"{column},other\nu1,x\n", column).chunks(["other", column, "other"])
    assert (chunk.recipients, chunk.values) == (["u1"], [("x", "u1", "x")])


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("customUserId,a,a", "columns 2 and 3 are both called 'a'"),
        (", ", "no column has a name"),
        ("CustomUserID,b", "did you mean 'CustomUserID'?"),
        (" customUserId,b", "did you mean ' customUserId'?"),
        ("phone,b", "the columns are 'phone', 'b'"),
        ("customUserId:b", "the fields are separated by ':'"),
        ("name;phone", "the columns are 'name', 'phone'"),
    ],
)
def test_a_header_that_cannot_be_meant_is_refused(header, words):
    """Before any row is read, with what is probably meant."""
    error = refused(f"{header}\nu1,x,y\n")
    assert words.lower() in error.message.lower()
    assert error.location == "-:1:1"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("first", "delimiter"),
    [("sep=;", ";"), ("\ufeffsep=;", ";"), ("SEP=,", ","), ('"sep=|"', "|"), ("sep=\t", "\t"), ("sep=~", "~")],
)
def test_a_first_line_may_tell_excel_the_delimiter(first, delimiter, end):
    """It is a line of the file, and no row of it."""
    text = end.join(
        [first, f"name{delimiter}customUserId", f"a,b;c{delimiter}u1" if delimiter == "~" else f"a{delimiter}u1", ""]
    )
    chunk = rows_of(text, "name")
    assert (list(chunk.lines), chunk.recipients) == ([3], ["u1"])
    assert chunk.values == [("a,b;c" if delimiter == "~" else "a",)]


def test_a_named_delimiter_wins_over_that_of_the_first_line(tmp_path):
    """What the campaign file says is meant."""
    (tmp_path / "a.csv").write_text("sep=;\nname|customUserId\na;b|u1\n")
    with open_audience(tmp_path / "a.csv", "customUserId", reading=Reading(delimiter="|")) as audience:
        (chunk,) = audience.chunks(["name"])
    assert chunk.values == [("a;b",)]


@pytest.mark.parametrize("delimiter", [";", ",", "|", "\t"])
def test_a_tsv_may_be_separated_by_anything(tmp_path, delimiter):
    """The header shows it, as in a CSV; where all would do, it is a tab."""
    (tmp_path / "a.tsv").write_text(f"customUserId{delimiter}name\nu1{delimiter}a b\n")
    with open_audience(tmp_path / "a.tsv", "customUserId") as audience:
        (chunk,) = audience.chunks(["name"])
    assert chunk.values == [("a b",)]
    (tmp_path / "a.tsv").write_text("customUserId\nu,1\n")
    with open_audience(tmp_path / "a.tsv", "customUserId") as audience:
        (chunk,) = audience.chunks([])
    assert chunk.recipients == ["u,1"]


def test_columns_without_a_name_are_ignored():
    """Spreadsheets export them, and pandas its index; each row still has as many fields as the header."""
    chunk = rows_of(";customUserId; ;name;\n0;u1;;a;\n1;u2;b\n2;u3;x;c;left over\n", "name")
    assert (chunk.recipients, chunk.values) == (["u1", "u3"], [("a",), ("c",)])
    assert [each.why for each in chunk.invalid] == ["has 3 fields, but the header has 5"]
    assert opened(";customUserId; ;name;\n").columns == ("customUserId", "name")


def test_a_row_of_empty_fields_is_a_blank_line():
    """Spreadsheets export the blank rows of a sheet so, however wide it once was; their lines count."""
    chunk = rows_of("name;customUserId\n;\na;u1\n;;;\n;\n;u2\n", "name")
    assert (chunk.rows, list(chunk.lines), chunk.recipients) == (2, [3, 6], ["u1", "u2"])
    assert chunk.values == [("a",), ("",)]


@pytest.mark.parametrize("error", ["#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#¡VALOR!", "#NV"])
def test_the_error_of_a_spreadsheet_is_an_empty_value(error):
    """Nobody wants to read it; as an id it is damaged."""
    chunk = rows_of(f"customUserId,name,city\nu1,{error},x\n{error},a,b\nu3,{error} ,y\n", "name", "city")
    assert chunk.values == [("", "x"), ("a", "b"), (f"{error} ", "y")]
    assert chunk.damaged == [1]


def test_a_date_is_a_damaged_id_in_whatever_letters_it_is_written():
    """The positions are those of the recipients; folded ids are searched, so that capitals do not matter."""
    assert rows_of("customUserId\nU0\n1-Mar-26\n1-Mar\nu1\n۱۰-اسفند\n").damaged == [1, 2, 4]


@pytest.mark.parametrize(
    ("begin", "ending"),
    [(b"PK\x03\x04\x14\0\n", ".xlsx"), (b"PAR1\x15\0\n", ".parquet"), (b"\xd0\xcf\x11\xe0\xa1\0\n", ".xlsx")],
)
def test_what_is_no_text_is_called_by_its_name(begin, ending):
    """A workbook with the ending of a CSV, or piped in."""
    with pytest.raises(CampaignError, match="audience_invalid") as caught:
        open_audience(None, "customUserId", stdin=io.BytesIO(begin))
    assert ending in caught.value.remedy


@pytest.mark.parametrize("rows", [1, 30_000])
def test_an_open_quote_is_refused_where_it_is_opened(rows):
    """Not where the file ends, however long it is; it may swallow any number of recipients."""
    text = "customUserId,name\nu1,a\n" + 'u2,"b\n' + "u3,c\n" * rows
    error = refused(text)
    assert error.location == "-:3:1"
    assert "quote" in error.message


def test_text_after_a_closing_quote_is_refused():
    """A quote within a quoted field that was not doubled."""
    assert refused('customUserId,name\nu1,a\nu2,"b"c\nu3,d\n').location == "-:3:1"
    assert refused('customUserId,name\nu1,a\nu2,"b"c').location == "-:3:1"


@pytest.mark.parametrize("field", ["x" * 65_537, "x" * 140_000, '"' + "x\n" * 33_000 + '"'])
def test_a_field_of_more_than_64_kib_is_refused(field):
    """With or without quotes; the csv module's own limit stays as the process has it."""
    limit = csv.field_size_limit()
    error = refused(f"customUserId,name\nu1,a\n\nu2,{field}\nu3,b\n")
    assert "longer than 65,536 characters" in error.message
    assert error.location == "-:4:1"
    assert csv.field_size_limit() == limit


def test_a_field_of_64_kib_is_read():
    """The limit itself."""
    assert rows_of(f"customUserId,name\nu1,{'x' * 65_536}\n", "name").values == [("x" * 65_536,)]


FIELDS = st.text(st.sampled_from('ab,"\n\r \u2028س'), max_size=6)


@settings(max_examples=60)
@given(
    rows=st.lists(st.tuples(FIELDS, FIELDS), min_size=1, max_size=8),
    times=st.sampled_from([1, 1, 1, 1_500]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_whatever_csv_writes_is_read_back(rows, times, quoting):
    """Also where a quoted field runs over the end of what is read at once."""
    rows = [(f"u{at}", *row) for at, row in enumerate(rows)] * times
    written = io.StringIO(newline="")
    csv.writer(written, quoting=quoting).writerows([("customUserId", "one", "two"), *rows])
    chunks = list(opened(written.getvalue()).chunks(["one", "two"]))
    assert [who for chunk in chunks for who in chunk.recipients] == [row[0] for row in rows]
    assert [values for chunk in chunks for values in chunk.values] == [row[1:] for row in rows]


def found(text, wanted):
    """Everything that reading a text returns, or its error."""
    try:
        chunks = list(opened(text).chunks(wanted))
    except CampaignError as error:
        return error.problem
    rows = [row for each in chunks for row in zip(each.lines, each.recipients, each.values, strict=True)]
    return rows, [invalid for each in chunks for invalid in each.invalid]


@settings(max_examples=300)
@given(
    st.lists(
        st.sampled_from(["a", "bc", ",", ",", "\n", "\n", "\r\n", "\r", "'", "'=1", " ", "ی", '"', '"x"', "#N/A"])
    ),
    st.sampled_from(["customUserId", "customUserId,name", "name,customUserId", "name,code,customUserId"]),
    st.integers(8, 40),
)
def test_a_block_that_is_split_at_once_gives_the_same_rows(parts, header, block):
    """As the csv module, with the same lines and errors, wherever the blocks end."""
    text = f"{header}\n{''.join(parts)}\nlast{',x' * header.count(',')}"
    wanted = [name for name in header.split(",") if name == "name"]
    with patch.object(text_blocks, "_READ", block):
        split = found(text, wanted)
        with patch.object(CsvRows, "_split", return_value=[]):
            assert split == found(text, wanted)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_most_of_a_plain_file_is_split_at_once(end):
    """So that it takes a fraction of the time."""
    rows = "".join(f"user-{at},,{at}{end}" for at in range(20_000))
    with patch.object(CsvRows, "_parse_plain", autospec=True, side_effect=CsvRows._parse_plain) as parsed:
        chunks = list(opened(f"customUserId,name,code{end}{rows}").chunks(["code"]))
    assert sum(each.rows for each in chunks) == 20_000
    assert parsed.call_count == 1  # for the block of the header
