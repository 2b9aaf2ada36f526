"""Lists of recipients who are never sent to: read whole, or refused."""

import gzip
import importlib
import json
from pathlib import Path

import pytest

from metrix_channels.campaign.audience_source import AudienceSource, DamagedIds
from metrix_channels.campaign.exclusions.suppression import listed
from metrix_channels.errors import CampaignError


def on(path, content, id_column="customUserId", damaged_ids=DamagedIds.REFUSE):
    data = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    source = AudienceSource(file=Path("audience.csv"), id=id_column, damaged_ids=damaged_ids)
    return {who for who, _ in listed(path, source)}


def refused(path, content, id_column="customUserId"):
    """The error that a list ends with; it names the file."""
    with pytest.raises(CampaignError) as caught:
        on(path, content, id_column)
    error = caught.value
    assert (error.code, error.exit_status) == ("suppression_invalid", 2)
    assert path.name in error.message
    assert "row its" not in error.message
    return error


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "customUserId\nu1\nu2\n"),
        ("a.csv", "user_id,why\nu1,asked\nu2,bounced\n"),
        ("a.csv", "why,customUserId\nasked,u1\nbounced,u2\n"),
        ("a.csv", "\ufeffrecipient,outcome,reason\nu1,accepted,\nu2,rejected,\n"),
        ("a.tsv", "customUserId\twhy\nu1\tasked\nu2\tbounced\n"),
        ("a.jsonl", '{"customUserId": "u1"}\n{"customUserId": "u2"}\n'),
        ("a.jsonl", '{"user_id": "u1"}\n\n{"user_id": "u2", "why": {"said": "no"}}\n'),
        ("a.jsonl.gz", '{"recipient": "u1"}\n{"recipient": "u2"}\n'),
        ("a.csv.gz", "customUserId\nu1\nu2\n"),
    ],
)
@pytest.mark.parametrize("id_column", ["customUserId", "user_id"])
def test_everybody_on_a_list_is_found(tmp_path, name, content, id_column):
    """Under the audience's own id column, else under customUserId, else under recipient; in every format alike."""
    if "user_id" in content and id_column != "user_id":
        refused(tmp_path / name, content, id_column)
    else:
        assert on(tmp_path / name, content, id_column) == {"u1", "u2"}


@pytest.mark.parametrize("content", ["customUserId\n", "customUserId", "\ufeffwhy,customUserId\r\n\r\n"])
def test_a_list_may_be_empty(tmp_path, content):
    """A header alone: nobody has asked to be left alone yet."""
    assert on(tmp_path / "a.csv", content) == set()


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.csv.gz", "a.jsonl.gz"])
@pytest.mark.parametrize("content", ["", "\n", " \n\n", "\ufeff"])
def test_a_file_without_any_text_is_no_list(tmp_path, name, content):
    """It may be an export that failed; nobody can tell it from an empty list."""
    refused(tmp_path / name, content)


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.jsonl", '{"customUserId": "u1"}\n{"id": "u2"}\n', 2),
        ("a.jsonl", '{"id": "u1"}\n', 1),
        ("a.jsonl", '{"user": {"customUserId": "u1"}}\n', 1),
        ("a.jsonl", '{"customUserId": ["u1"]}\n', 1),
        ("a.jsonl", '{"customUserId": {"id": "u1"}}\n', 1),
        ("a.jsonl", '\n{"customUserId": null}\n', 2),
        ("a.jsonl", '{"customUserId": 17}\n', 1),
        ("a.jsonl", '{"customUserId": ""}\n', 1),
        ("a.jsonl", '{"customUserId": "u1"}\n{"user_id": "u2"}\n', 2),
        ("a.jsonl", '["u1"]\n', 1),
        ("a.jsonl", '"u1"\n', 1),
        ("a.jsonl", "customUserId\nu1\n", 1),
        ("a.csv", "customUserId,why\nu1,asked\nu2\n", 3),
        ("a.csv", "why,customUserId\nasked,u1\n\nbounced\n", 4),
        ("a.csv", "name,customUserId\nsara,u1\nreza,the second,u2\n", 3),
        ("a.csv", "customUserId,why\nu1,asked\n,bounced\n", 3),
        ("a.csv", "customUserId,why\n  ,asked\n", 2),
        ("a.csv", "u1\nu2\n", 1),
        ("a.csv", "id\nu1\n", 1),
        ("a.csv", '{"customUserId": "u1"}\n', 1),
        ("a.tsv", "customUserId:why\nu1:asked\n", 1),
        ("a.csv", "customUserId\nu1\n9.12346E+09\n", 3),
        ("a.csv", "customUserId\nNULL\n", 2),
        ("a.csv", "customUserId\nu1;asked\n", 2),
        ("a.csv", 'customUserId\nu0\n"u1,u2"\n', 3),
        ("a.csv", "customUserId\n# u1 asked\n", 2),
        ("a.csv", "customUserId\n'u1'\n", 2),
        ("a.csv", "customUserId\nu0\nu1، u2\n", 3),
        ("a.csv", "customUserId\nu1؛u2\n", 2),
        ("a.csv", "customUserId\nu1，u2\n", 2),
        ("a.csv", "customUserId\nu1|u2\n", 2),
        ("a.csv", "customUserId\n// u1\n", 2),
        ("a.csv", "customUserId\n-- u1\n", 2),
        ("a.csv", "customUserId\n'u1\n", 2),
        ("a.csv", "customUserId\n<u1>\n", 2),
        ("a.jsonl", '{"customUserId": "[u1]"}\n', 1),
        ("a.jsonl", '{"customUserId": "u1; u2"}\n', 1),
        ("a.jsonl", '{"customUserId": "\\"u1\\""}\n', 1),
        ("a.csv", "customUserId\nu1\u200f\n", 2),
        ("a.csv", "customUserId\nu0\n" + " " + "u" * 300 + "\x07\n", 3),
        ("a.csv", "customUserId\nu0\nu\x071\n", 3),
        ("a.csv", "customUserId\nu0\nu\u202e1\n", 3),
        ("a.csv", "customUserId,why\nu1,آزاد\n".encode("utf-16-le"), 1),
        ("a.csv", "customUserId,why\nu1,آزاد\n".encode("cp1256"), 2),
        ("a.jsonl", '{"customUserId": "u1", "why": "آزاد"}\n'.encode("cp1256"), 1),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_a_list_that_is_not_understood_is_refused(tmp_path, name, content, line, zipped):
    """Whoever opted out in that row must not be sent to; the error names file and line."""
    path = tmp_path / (f"{name}.gz" if zipped else name)
    assert refused(path, content).location.startswith(f"{path}:{line}:")


@pytest.mark.parametrize(
    "row",
    [
        "u1 u2", "u1\u00a0u2", "u1/u2", "u1\\u2", "u1&u2", "u1+u2", "u1–u9", "u1-u9", "u1..u9", "user-1/user-2",
        "09121234567/09351234567", "+989121234567/+989351234567", "۰۹۱۲۱۲۳۴۵۶۷/۰۹۳۵۱۲۳۴۵۶۷", "sara@x.ir/reza@x.ir",
        "mailto:u1", "MAILTO:u1@x.ir", "tel:+98912", "https://x.ir/u1", "customUserId:u1", "sara%40x.ir",
        "*", "u*", "0912***4567", "%", "@x.ir", "????", "u1…", "u1...", "all", "همه",
        "“u1”", "«u1»", "(u1)", "{u1}", "•u1", "u1'", "u1<br>u2", "u[1-9]", "u?", "u•••1", "^u", "u1·u2",
    ],
)  # fmt: skip
def test_a_row_that_is_clearly_not_one_id_is_refused(tmp_path, row):
    """It would match nobody, so whoever it means would be written to."""
    error = refused(tmp_path / "a.jsonl", json.dumps({"customUserId": "u0"}) + "\n" + json.dumps({"customUserId": row}))
    assert error.location.endswith("a.jsonl:2:1")
    assert "`damaged_ids: send`" in error.remedy


@pytest.mark.parametrize(
    "row",
    [
        "user-42", "tenant/user-1", "org1/user2", "acme/sara", "1403/125", "12-34-56", "1234567890-9876543210",
        "sara+news@x.ir", "3f2a9b1c-1234-4abc-9def-0123456789ab", "auth0:123", "ir:42", "O'Brien", "+989121234567",
        "کاربر-۱", "می\u200cروم", "A/B", "x=1", "u#2", "100%sure", "c2FyYQ==", "1.2.3", "alloy",
    ],
)  # fmt: skip
def test_an_id_may_contain_separators(tmp_path, row):
    """Where nothing says that they separate several ids."""
    assert on(tmp_path / "a.jsonl", json.dumps({"customUserId": row})) == {row}


def parquet(path, columns):
    pyarrow = pytest.importorskip("pyarrow")
    importlib.import_module("pyarrow.parquet").write_table(pyarrow.table(columns), path)
    return path.read_bytes()


def test_the_ids_of_all_id_columns_are_left_out(tmp_path):
    """An export has both `user_id` and `customUserId`: nobody can know which of them the audience's ids are."""
    assert on(tmp_path / "a.csv", "customUserId,user_id\nc1,u1\nu2,u2\n,u3\n", "user_id") == {"c1", "u1", "u2", "u3"}
    rows = '{"user_id": "u1", "customUserId": "c1"}\n{"user_id": "u2"}\n{"user_id": "u3", "recipient": "r3"}\n'
    assert on(tmp_path / "a.jsonl", rows, "user_id") == {"u1", "c1", "u2", "u3", "r3"}
    numbers = parquet(tmp_path / "a.parquet", {"user_id": [1, 2], "customUserId": [11, None]})
    assert on(tmp_path / "a.parquet", numbers, "user_id") == {"1", "2", "11"}


@pytest.mark.parametrize("rows", ["u1,c1\nu2,c2 c3\n", "u1,c1\nu2,NULL\n", "u1,c1\n,c2\n", "u1,c1\nu2,c\u200b2\n"])
def test_a_list_with_several_id_columns_is_refused_where_one_is_not_understood(tmp_path, rows):
    """The remedy is one column, since removing the row would forget somebody."""
    error = refused(tmp_path / "a.csv", f"user_id,customUserId\n{rows}", "user_id")
    assert error.location.endswith("a.csv:3:1")
    assert "one of its id columns" in error.remedy


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_the_remedy_of_an_empty_file_says_how_to_write_an_empty_list(tmp_path, name):
    """A header, or no list at all."""
    assert "write only a header" in refused(tmp_path / name, "").remedy


def test_a_space_that_an_export_has_given_saves_nobody(tmp_path):
    """It is clear whom the row means."""
    assert on(tmp_path / "a.csv", "customUserId\n u1\nu2 \n") == {"u1", "u2"}
    assert on(tmp_path / "a.jsonl", '{"customUserId": " u1"}\n') == {"u1"}


def test_ids_that_look_damaged_are_taken_where_the_audience_sends_to_them(tmp_path):
    """The same answer for the audience and for its lists."""
    content = "customUserId\n101.0\nu1;u2\n"
    assert on(tmp_path / "a.csv", content, damaged_ids=DamagedIds.SEND) == {"101.0", "u1;u2"}


def test_a_report_is_a_list(tmp_path):
    """What it guards against spreadsheets is the id again; a row of it that named nobody names nobody here."""
    header = "\ufeffrecipient,channel,outcome,reason,batch,attempts,status_code,at\r\n"
    rows = "'+98912,sms,accepted,,1-1,1,200,\r\n,sms,skipped,invalid,,0,,\r\n''=u,sms,skipped,duplicate,,0,,\r\n"
    assert on(tmp_path / "a.csv", header + rows) == {"+98912", "'=u"}
    assert refused(tmp_path / "b.csv", header + ",sms,accepted,,1-1,1,200,\r\n").location.endswith("b.csv:2:1")


def test_each_comes_with_its_place(tmp_path):
    """As a spreadsheet shows it."""
    (tmp_path / "a.csv").write_text('why,customUserId\n"a\nb",u1\n\nc,u2\n')
    source = AudienceSource(file=Path("audience.csv"))
    assert list(listed(tmp_path / "a.csv", source)) == [("u1", "a.csv:2"), ("u2", "a.csv:4")]
