"""Whom a campaign is for: files of every format, standard input, refusals, and the memory it takes."""

import csv
import gzip
import hashlib
import io
import os
import tracemalloc
from itertools import islice

import pytest

from metrix_channels.campaign.audience.reader import audience_digest, open_audience
from metrix_channels.errors import CampaignError

CSV = "customUserId,first_name\nu1,سارا\nu2,امیر\u200cعلی\n"
JSONL = '{"customUserId": "u1", "first_name": "سارا"}\n{"customUserId": "u2", "first_name": "امیر\u200cعلی"}\n'
EXPECTED = [("u1", "سارا"), ("u2", "امیر\u200cعلی")]


def read(audience, *wanted):
    """All valid rows, as tuples of the id and the wanted values."""
    chunks = list(audience.chunks(wanted))
    return [(who, *values) for chunk in chunks for who, values in zip(chunk.recipients, chunk.values, strict=True)]


def refused(file, column="customUserId", stdin=None):
    """The error that reading the whole of it ends with."""
    with pytest.raises(CampaignError) as caught, open_audience(file, column, stdin=stdin) as audience:
        list(audience.chunks([]))
    assert caught.value.exit_status == 2
    assert caught.value.message.isprintable()
    return caught.value


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.csv", CSV), ("a.tsv", CSV.replace(",", "\t")), ("a.jsonl", JSONL), ("A.CSV", CSV), ("a.csv", "\ufeff" + CSV)],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_every_format_is_read_by_the_files_name(tmp_path, name, text, zipped):
    """Plain or gzipped, in capitals, with a byte order mark."""
    file = tmp_path / (f"{name}.gz" if zipped else name)
    file.write_bytes(gzip.compress(text.encode()) if zipped else text.encode())
    with open_audience(file, "customUserId") as audience:
        assert audience.columns == (None if name == "a.jsonl" else ("customUserId", "first_name"))
        assert read(audience, "first_name") == EXPECTED


@pytest.mark.parametrize("text", [CSV, JSONL, "\ufeff" + CSV, "\ufeff\n " + JSONL])
@pytest.mark.parametrize("zipped", [False, True])
def test_standard_input_tells_its_format_itself(text, zipped):
    """JSONL begins with a brace; a gzip with its magic bytes."""
    data = gzip.compress(text.encode()) if zipped else text.encode()
    with open_audience(None, "customUserId", stdin=io.BytesIO(data)) as audience:
        assert read(audience, "first_name") == EXPECTED
        assert audience.share_read is None
        assert audience.digest == hashlib.blake2b(data, digest_size=32).hexdigest()


def test_standard_input_may_come_in_drops():
    """From a pipe, a few bytes at a time."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stdin:
        for drop in (CSV[:3], CSV[3:30], CSV[30:]):
            os.write(writing, drop.encode())
        os.close(writing)
        with open_audience(None, "customUserId", stdin=stdin) as audience:
            assert read(audience) == [("u1",), ("u2",)]
        assert not stdin.closed


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_progress_and_digest_are_of_the_file_itself(tmp_path, name):
    """Of the compressed bytes; the digest can be had without reading rows."""
    text = "customUserId\n" + "".join(f"user-{os.urandom(16).hex()}\n" for _ in range(30_000))
    file = tmp_path / name
    file.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    with open_audience(file, "customUserId") as audience:
        seen = [audience.share_read for _ in audience.chunks([])]
        assert seen == sorted(seen)
        assert 0 < seen[0] < audience.share_read == 1
        assert (
            audience.digest == audience_digest(file) == hashlib.blake2b(file.read_bytes(), digest_size=32).hexdigest()
        )


def test_the_digest_changes_with_any_byte(tmp_path):
    """Also where the rows stay the same."""
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    one.write_text("customUserId\nu1\n")
    two.write_text("customUserId\r\nu1\n")
    assert audience_digest(one) != audience_digest(two)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.csv.gz"])
def test_nothing_at_all_is_refused(tmp_path, name):
    """An export that failed must not look like a campaign that was sent."""
    (tmp_path / name).write_bytes(gzip.compress(b"") if name.endswith("gz") else b"")
    error = refused(tmp_path / name)
    assert error.code == "audience_invalid"
    assert "no recipients" in error.message


@pytest.mark.parametrize(
    ("name", "text"), [("a.csv", "customUserId\n\n"), ("a.csv", "customUserId"), ("a.jsonl", "\n \n")]
)
def test_a_header_alone_is_refused(tmp_path, name, text):
    """A campaign for nobody is rarely meant."""
    (tmp_path / name).write_text(text)
    assert "no recipients" in refused(tmp_path / name).message


def test_a_file_that_is_not_there_is_named(tmp_path):
    """As is one that may not be read as text: a folder, or a pipe that would wait for ever."""
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    for name in ("missing.csv", "pipe.csv", "folder.csv", "nul\0.csv"):
        error = refused(tmp_path / name)
        assert error.code == "file_unreadable"
        assert ("starts at the folder of that file" in error.remedy) == (name == "missing.csv")
        assert name[:3] in error.message
        with pytest.raises(CampaignError, match="file_unreadable"):
            audience_digest(tmp_path / name)


def test_an_unknown_ending_is_refused(tmp_path):
    """Rather than guessed at."""
    assert "must end in .csv, .tsv or .jsonl" in refused(tmp_path / "audience.xls").message


@pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: data[:5000] + b"\xff" * 9 + data[5009:]])
def test_a_damaged_gzip_is_refused(tmp_path, damage):
    """Cut off, or changed on the way; never taken for the end of the rows."""
    rows = "customUserId\n" + "".join(f"{os.urandom(4).hex()}\n" for _ in range(9_000))
    (tmp_path / "a.csv.gz").write_bytes(damage(gzip.compress(rows.encode())))
    error = refused(tmp_path / "a.csv.gz")
    assert (error.code, "gzip" in error.message) == ("audience_invalid", True)


def test_what_is_called_gz_and_is_none_is_refused(tmp_path):
    """And one that is none by its name is unpacked all the same."""
    (tmp_path / "a.csv.gz").write_text(CSV)
    assert "damaged or incomplete gzip" in refused(tmp_path / "a.csv.gz").message
    (tmp_path / "a.csv").write_bytes(gzip.compress(CSV.encode()))
    with open_audience(tmp_path / "a.csv", "customUserId") as audience:
        assert len(read(audience)) == 2


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (CSV.encode("utf-16-le"), "utf-16-le"),
        (CSV.encode("utf-16-be"), "utf-16-be"),
        ("customUserId,name\nu1,سارا\n".encode("cp1256"), "windows-1256"),
        ("customUserId,name\nu1,José\n".encode("cp1252"), "windows-1252"),
        (b"customUserId\nu1\nu\x002\n", "NUL"),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_another_encoding_is_refused(tmp_path, name, data, words):
    """With what to do about it."""
    (tmp_path / name).write_bytes(data)
    error = refused(tmp_path / name)
    assert words in error.message
    assert words == "NUL" or f"encoding: {words}}}" in error.remedy


def test_a_wrong_byte_is_found_where_it_is(tmp_path):
    """Line and column, in characters, also far into the file."""
    file = tmp_path / "a.csv"
    file.write_bytes(b"customUserId,name\n" + b"u1,a\n" * 20_000 + "u2,یک".encode() + b"\xd3\n")
    assert refused(file).location == f"{file}:20002:6"


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.csv.gz"])
def test_a_line_without_end_is_refused_before_it_is_read_whole(tmp_path, name):
    """A gzip of 100 KB may hold 100 MB in one line."""
    file = tmp_path / name
    with gzip.open(file, "wb") if name.endswith("gz") else file.open("wb") as stream:
        stream.write(b"customUserId\n" if "csv" in name else b"")
        for _ in range(40):
            stream.write(b"x" * 1_000_000)
    tracemalloc.start()
    error = refused(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "longer than 1,000,000 bytes" in error.message
    assert error.location.endswith(":2:1" if "csv" in name else ":1:1")
    assert peak < 8_000_000


def peak_of(file, most):
    """Memory that reading takes, in bytes, beside what one chunk holds."""
    tracemalloc.start()
    with open_audience(file, "customUserId") as audience:
        for _ in islice(audience.chunks(["name"]), most):
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_memory_does_not_grow_with_the_rows(tmp_path, name):
    """Eleven times as many chunks take the same."""
    line = "user-{0:07d},n{0:07d}\n" if name == "a.csv" else '{{"customUserId": "user-{0:07d}", "name": "n{0:07d}"}}\n'
    with (tmp_path / name).open("w") as stream:
        stream.write("customUserId,name\n" if name == "a.csv" else "")
        stream.writelines(line.format(at) for at in range(75_000))
    assert peak_of(tmp_path / name, 99) < 1.3 * peak_of(tmp_path / name, 9) < 6_000_000


def test_long_rows_come_in_smaller_chunks(tmp_path):
    """What a chunk may hold is bounded in characters too."""
    with (tmp_path / "a.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["customUserId", "name"], *((f"u{at}", "x" * 50_000) for at in range(100))])
    with open_audience(tmp_path / "a.csv", "customUserId") as audience:
        sizes = [chunk.rows for chunk in audience.chunks(["name"])]
    assert sum(sizes) == 100
    assert max(sizes) < 30


def test_a_large_audience_comes_in_chunks(tmp_path):
    """Numbered on from chunk to chunk."""
    (tmp_path / "a.csv").write_text("customUserId\n" + "".join(f"user-{at}\n" for at in range(1, 23_001)))
    with open_audience(tmp_path / "a.csv", "customUserId") as audience:
        chunks = list(audience.chunks([]))
    assert all(1_000 <= chunk.rows < 9_000 for chunk in chunks[:-1])
    assert [line for chunk in chunks for line in chunk.lines] == list(range(2, 23_002))
    assert [who for chunk in chunks for who in chunk.recipients] == [f"user-{at}" for at in range(1, 23_001)]
