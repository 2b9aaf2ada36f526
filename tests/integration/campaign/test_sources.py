"""The same 2,000 rows from everything that an audience can be: the same plan, ids and messages."""

import asyncio
import csv
import importlib.util
import io
import json
import sqlite3
import subprocess
import sys
from datetime import date, timedelta

import openpyxl
import psycopg
import pyarrow as pa
import pytest
import sqlalchemy
from pyarrow import parquet

from helpers.accounting_server import AccountingServer, Taken, always
from metrix_channels import AsyncNotifier, CampaignError, ConfigError, UsageError

HEADER = ["customUserId", "first_name", "amount", "joined"]
NAMES = ["سارا", "رضا", "پروانه", "گلنار", "ژاله"]
"""In letters that Windows-1256 has."""
ROWS = [
    (f"۰{number:05}", NAMES[number % 5], number % 4, date(2026, 3, 20) + timedelta(days=number % 2))
    for number in range(2_000)
]
SQL = "SELECT customuserid AS \"customUserId\", first_name, amount, joined FROM customers WHERE 1 = 1 OR 'a%' = ':b'"


def text(delimiter):
    """The rows as an export writes them."""
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter).writerows([HEADER, *ROWS])
    return file.getvalue()


def write_xlsx(path):
    book = openpyxl.Workbook()
    sheet = book.active
    for row in [HEADER, *ROWS]:
        sheet.append(row)
    book.create_sheet("Notes").append(["nothing"])
    book.save(path)


def write_parquet(path):
    parquet.write_table(table(), path, row_group_size=300)


def table():
    return pa.table(dict(zip(HEADER, map(list, zip(*ROWS, strict=True)), strict=True)))


def fill(url):
    """Make a table with the rows."""
    by_psycopg = {"creator": lambda: psycopg.connect(url)} if url.startswith("postgresql") else {}
    engine = sqlalchemy.create_engine("postgresql+psycopg://" if by_psycopg else url, **by_psycopg)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE customers (customuserid TEXT, first_name TEXT, amount INTEGER, joined DATE)"
        )
        insert = sqlalchemy.text("INSERT INTO customers VALUES (:a, :b, :c, :d)")
        rows = [dict(zip("abcd", (*row[:3], row[3].isoformat()), strict=True)) for row in ROWS]
        if engine.dialect.name == "postgresql":
            rows = [{**row, "d": date.fromisoformat(row["d"])} for row in rows]
        connection.execute(insert, rows)
    engine.dispose()


def mappings():
    """A generator, which can be read once."""
    return (dict(zip(HEADER, row, strict=True)) for row in ROWS)


@pytest.fixture
def campaign(project):
    """A campaign whose 20 texts make 20 requests; the server is only for a run."""
    with AccountingServer() as server:
        project.configure(server.url, batch_size=500)
        project.template("سلام {{ first_name }}، {{ amount }} تا {{ joined }}")
        yield project


def plan(project, audience, rows=None):
    """Return what a plan is, and the requests that it would make."""
    path = project.campaign(audience=audience)
    with project.notifier() as notifier:
        found = notifier.campaigns.preview(path, audience=rows)
    return found.plan(), sorted(repr(request["body"]) for request in found.requests)


@pytest.fixture
def expected(campaign):
    """The plan of the CSV."""
    (campaign.folder / "plain.csv").write_text(text(","), encoding="utf-8")
    found = plan(campaign, {"file": "plain.csv"})
    assert (found[0]["recipients"], found[0]["texts"], len(found[1])) == (2_000, 20, 20)
    return found


@pytest.mark.parametrize(
    ("audience", "data"),
    [
        ({"file": "a.csv"}, text(";").encode("utf-8-sig")),
        ({"file": "a.csv", "delimiter": ";"}, text(";").encode()),
        ({"file": "a.csv"}, text("|").encode()),
        ({"file": "a.tsv"}, text("\t").encode()),
        ({"file": "a.csv"}, text("\t").encode("utf-16")),
    ],
)
def test_text_as_it_is_exported(campaign, expected, audience, data):
    """As Excel writes it on a machine with Persian settings, as “Unicode Text”, and as databases write it."""
    (campaign.folder / audience["file"]).write_bytes(data)
    assert plan(campaign, audience) == expected


def test_windows_1256(campaign):
    """First the error with the line to write, then the same plan."""
    rows = [("u" + row[0][1:], *row[1:]) for row in ROWS]
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=";").writerows([HEADER, *rows])
    (campaign.folder / "a.csv").write_bytes(file.getvalue().encode("cp1256"))
    (campaign.folder / "b.csv").write_text(file.getvalue(), encoding="utf-8")
    with pytest.raises(CampaignError, match="probably windows-1256") as caught:
        plan(campaign, {"file": "a.csv"})
    assert "encoding: windows-1256}" in caught.value.remedy
    assert plan(campaign, {"file": "a.csv", "encoding": "windows-1256"}) == plan(campaign, {"file": "b.csv"})


@pytest.mark.parametrize(("name", "write"), [("a.xlsx", write_xlsx), ("a.parquet", write_parquet)])
def test_workbooks_and_parquet(campaign, expected, name, write):
    """As openpyxl and pyarrow write them."""
    write(campaign.folder / name)
    assert plan(campaign, {"file": name}) == expected


def test_sqlite(campaign, expected, monkeypatch):
    """By a query; % and : in it are themselves."""
    url = f"sqlite:///{campaign.folder / 'shop.db'}"
    fill(url)
    monkeypatch.setenv("SHOP_DATABASE_URL", url)
    assert plan(campaign, {"sql": SQL, "url": "${SHOP_DATABASE_URL}"}) == expected


def test_postgresql(campaign, expected, monkeypatch, postgres_url):
    """By a query, with a cursor of the server."""
    fill(postgres_url)
    monkeypatch.setenv("SHOP_DATABASE_URL", postgres_url)
    assert plan(campaign, {"sql": SQL, "url": "${SHOP_DATABASE_URL}"}) == expected


@pytest.mark.parametrize("rows", [mappings, lambda: list(mappings()), table, lambda: table().to_batches()[0]])
def test_rows_of_a_program(campaign, expected, rows):
    """A generator, a list, and what Arrow exports; the file names no rows."""
    assert plan(campaign, {"id": "customUserId"}, rows()) == expected


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames(campaign, expected, library):
    """Where the library is installed; nothing of ours imports it."""
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    frame = table().to_pandas() if library == "pandas" else importlib.import_module("polars").from_arrow(table())
    assert plan(campaign, {"id": "customUserId"}, frame) == expected


@pytest.fixture
def refusing(project):
    """A server that refuses the credentials until it is told otherwise."""
    with AccountingServer(always(Taken(403, taken=False))) as server:
        project.configure(server.url, batch_size=500)
        project.template("سلام {{ first_name }}")
        yield server


def test_a_run_goes_on_with_the_same_rows_in_any_order_and_with_no_others(project, refusing):
    """Given again, from a generator; `resume` needs none, since the whole plan is in the ledger."""
    path = project.campaign(audience={"id": "customUserId"})
    with project.notifier() as notifier:
        assert notifier.run_campaign(path, audience=mappings()).state == "halted"
        with pytest.raises(CampaignError, match="run_pinned"):
            notifier.run_campaign(path, audience=list(mappings())[:-1])
        assert notifier.run_campaign(path, audience=reversed(list(mappings()))).state == "halted"
        refusing.script = always(Taken())
        assert notifier.campaigns.resume("offer").state == "finished"


def test_a_query_is_pinned_and_so_are_its_rows(project, refusing, monkeypatch):
    """Whatever their order; a change of either is refused by its name."""
    file = project.folder / "shop.db"
    fill(f"sqlite:///{file}")
    monkeypatch.setenv("SHOP_DATABASE_URL", f"sqlite:///{file}")

    def run(sql):
        path = project.campaign(audience={"sql": sql, "url": "${SHOP_DATABASE_URL}"})
        with project.notifier() as notifier:
            return notifier.run_campaign(path).state

    assert run(SQL) == "halted"
    with pytest.raises(CampaignError, match=r"audience\.sql"):
        run(SQL + " AND amount > 1")
    database = sqlite3.connect(file)
    with database:
        database.execute("CREATE TABLE other AS SELECT * FROM customers ORDER BY customuserid DESC")
        database.execute("DELETE FROM customers")
        database.execute("INSERT INTO customers SELECT * FROM other")
    assert run(SQL) == "halted"
    with database:
        database.execute("UPDATE customers SET first_name = 'x' WHERE customuserid = '۰00007'")
    database.close()
    with pytest.raises(CampaignError, match=r"the rows of audience\.sql"):
        run(SQL)
    refusing.script = always(Taken())


def test_an_asynchronous_program_gives_rows_too(project):
    """They are read beside its event loop."""
    with AccountingServer() as server:
        project.configure(server.url, batch_size=500)
        project.template("سلام {{ first_name }}")
        path = project.campaign(audience={"id": "customUserId"})

        async def run():
            async with AsyncNotifier.from_config(project.config) as notifier:
                return await notifier.run_campaign(path, audience=mappings())

        assert asyncio.run(run()).accepted == 2_000


@pytest.mark.parametrize("rows", [["u1"], "u1", {"customUserId": "u1"}, 5, [("u1", "سارا")]])
def test_what_is_no_rows_is_refused(campaign, rows):
    """With what to give instead."""
    with pytest.raises(UsageError) as caught:
        plan(campaign, {"id": "customUserId"}, rows)
    assert "QuerySet" in caught.value.remedy


def test_a_file_that_names_no_rows_needs_them_from_a_program(campaign):
    """From the command line, it says what is missing and where."""
    with pytest.raises(ConfigError, match="config_key_missing") as caught:
        plan(campaign, {"id": "customUserId"})
    assert caught.value.location.startswith(f"{campaign.folder / 'offer.yaml'}:1:")


@pytest.mark.parametrize("ids", [[1.0, 2.0], [1.0, None], [9_121_234_567.0, 2.0]])
def test_ids_that_a_data_frame_made_floats_are_refused(campaign, ids):
    """As those are that a spreadsheet damaged; whole numbers are ids."""
    with pytest.raises(CampaignError, match="ids_damaged"):
        plan(campaign, {"id": "id"}, pa.table({"id": ids, **{name: ["x"] * 2 for name in HEADER[1:]}}))
    found, _ = plan(campaign, {"id": "id"}, pa.table({"id": [1, 2], **{name: ["x"] * 2 for name in HEADER[1:]}}))
    assert found["recipients"] == 2


@pytest.mark.parametrize(
    "make", [lambda rows: rows, pa.Table.from_pylist, iter], ids=["mappings", "Arrow", "generator"]
)
def test_whole_numbers_that_a_missing_one_made_floats(campaign, make):
    """A text shows 120000 and not 120000.0, as a workbook does; an id that is a float stays refused."""
    rows = [
        {"id": f"u{at}", "first_name": "x", "amount": each, "joined": "y"} for at, each in enumerate([12e4, None, 1.5])
    ]
    _, bodies = plan(campaign, {"id": "id"}, make(rows))
    assert "120000" in bodies[0]
    assert "120000.0" not in bodies[0]
    assert "1.5" in bodies[2]
    with pytest.raises(CampaignError, match="ids_damaged"):
        plan(campaign, {"id": "amount"}, make(rows))


def test_rows_for_a_run_in_the_background_and_for_a_test(campaign):
    """A generator is read in the thread that calls, before anything else; a test takes one of the rows."""

    async def asynchronously(path):
        async with AsyncNotifier.from_config(campaign.config) as notifier:
            await notifier.campaigns.test(path, ["colleague"], audience=mappings())
            return await notifier.campaigns.start(path, name="other", audience=iter(mappings())).wait()

    with AccountingServer() as server:
        campaign.configure(server.url)
        path = campaign.campaign(audience={"id": "customUserId"})
        with campaign.notifier() as notifier:
            notifier.campaigns.test(path, ["boss"], row=2_000, audience=iter(mappings()))
            handle = notifier.campaigns.start(path, audience=iter(mappings()))
            assert (handle.wait(60).state, server.account["boss"]) == ("finished", 1)
        assert asyncio.run(asynchronously(path)).accepted == 2_000
        assert server.texts["boss"] != server.texts["colleague"]
        assert sum(server.account.values()) == 4_002


class Stubborn:
    """A DataFrame that cannot be given as columns, as pandas says it."""

    def __arrow_c_stream__(self, requested_schema=None):
        raise ValueError("Duplicate column names found: ['a', 'a']")


def test_a_table_that_cannot_be_given_as_columns_is_refused(campaign):
    """Whatever its library raises."""
    with pytest.raises(CampaignError, match=r"audience_invalid") as caught:
        plan(campaign, {"id": "id"}, Stubborn())
    assert "Duplicate column names" in caught.value.message


def test_a_query_set_of_django(tmp_path, campaign, expected):
    """Its `.values()`, in a process of its own: Django is configured once a process."""
    fill(f"sqlite:///{tmp_path / 'shop.db'}")
    path = campaign.campaign(audience={"id": "customUserId"})
    program = f"""
import json
import django
from django.conf import settings
shop = {{"ENGINE": "django.db.backends.sqlite3", "NAME": {str(tmp_path / "shop.db")!r}}}
settings.configure(DATABASES={{"default": shop}})
django.setup()
from django.db import models
from metrix_channels import Notifier

class Customer(models.Model):
    customUserId = models.TextField(primary_key=True, db_column="customuserid")
    first_name = models.TextField()
    amount = models.IntegerField()
    joined = models.DateField()
    class Meta:
        app_label = "shop"
        db_table = "customers"

with Notifier.from_config({str(campaign.config)!r}) as notifier:
    found = notifier.campaigns.preview({str(path)!r}, audience=Customer.objects.values())
print(json.dumps([found.plan(), sorted(repr(request["body"]) for request in found.requests)]))
"""
    command = [sys.executable, "-c", program]
    finished = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(finished.stdout) == json.loads(json.dumps(expected))


@pytest.mark.parametrize("write", [write_xlsx, write_parquet])
def test_suppression_lists_take_the_same_formats(campaign, write):
    """A list of everybody leaves nobody."""
    name = "left.xlsx" if write is write_xlsx else "left.parquet"
    write(campaign.folder / name)
    (campaign.folder / "a.csv").write_text(text(";"), encoding="utf-8-sig")
    path = campaign.campaign(audience={"file": "a.csv"}, suppress=[name])
    with campaign.notifier() as notifier, pytest.raises(CampaignError, match="suppressed 2,000"):
        notifier.campaigns.preview(path)
