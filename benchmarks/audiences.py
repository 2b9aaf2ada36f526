"""How fast an audience is planned, by where it comes from, and in how much memory: side by side, in one run.

    python benchmarks/audiences.py [--rows 1000000] [--rounds 3] [--only SOURCE]… [--check]

The same rows as CSV, as .xlsx of Excel (shared texts) and of openpyxl (texts in the cells), as Parquet and from a query
to SQLite, each planned by `campaign run --dry-run` in a process of its own, in interleaved rounds; medians count. A
sheet holds at most 1,048,576 rows.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

COLUMNS: Final = ("customUserId", "first_name", "city", "amount")
NAMES: Final = ("سارا", "رضا", "پروانه", "گلنار", "ژاله")
CITIES: Final = ("تهران", "شیراز", "Tabriz")
SLOWEST: Final = 0.35
"""Of the rate of the CSV, whose rows are split a block at a time; the other sources reach 0.44 to 0.97 of it."""
MOST_MEMORY: Final = 200
_CONFIG: Final = """\
version: 1
metrix: {app_id: benchmark, api_key: "${METRIX_API_KEY}"}
channels: {sms: {type: sms, verified: true}}
"""
_RUN: Final = "from metrix_channels.cli import main; main()"
_PARTS: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_RELATIONS: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"


class Planned(NamedTuple):
    """One plan.

    Attributes:
        seconds: with the start of the process.
        cpu: seconds of the processor.
        megabytes: at most, of the process.
    """

    seconds: float
    cpu: float
    megabytes: float


def rows(count: int) -> Iterator[tuple[str, str, str, int]]:
    """Return the rows, always the same."""
    return ((f"user-{at:07}", NAMES[at % 5], CITIES[at % 3], at % 50) for at in range(count))


def write_csv(path: Path, count: int) -> None:
    """Write the rows as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *rows(count)])


def write_openpyxl(path: Path, count: int) -> None:
    """Write the rows as openpyxl does."""
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in [COLUMNS, *rows(count)]:
        sheet.append(row)
    book.save(path)


def write_excel(path: Path, count: int) -> None:
    """Write the rows as Excel does: each different text once, in a part of its own."""
    shared: dict[str, int] = {}

    def cell(letter: str, number: int, value: str | int) -> str:
        if isinstance(value, int):
            return f'<c r="{letter}{number}"><v>{value}</v></c>'
        return f'<c r="{letter}{number}" t="s"><v>{shared.setdefault(value, len(shared))}</v></c>'

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("[Content_Types].xml", _content_types())
        book.writestr("_rels/.rels", _relations({"officeDocument": "xl/workbook.xml"}))
        book.writestr(
            "xl/_rels/workbook.xml.rels",
            _relations({"worksheet": "worksheets/sheet1.xml", "sharedStrings": "sharedStrings.xml"}),
        )
        book.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><sheets><sheet name="Customers" sheetId="1" r:id="r1"/>'
            "</sheets></workbook>",
        )
        with book.open("xl/worksheets/sheet1.xml", "w") as sheet:
            sheet.write(f'<worksheet xmlns="{_MAIN}"><sheetData>'.encode())
            for number, row in enumerate([COLUMNS, *rows(count)], start=1):
                cells = "".join(cell(letter, number, value) for letter, value in zip("ABCD", row, strict=True))
                sheet.write(f'<row r="{number}" spans="1:4">{cells}</row>'.encode())
            sheet.write(b"</sheetData></worksheet>")
        with book.open("xl/sharedStrings.xml", "w") as texts:
            texts.write(f'<sst xmlns="{_MAIN}" uniqueCount="{len(shared)}">'.encode())
            for text in shared:
                texts.write(f"<si><t>{escape(text)}</t></si>".encode())
            texts.write(b"</sst>")


def write_parquet(path: Path, count: int) -> None:
    """Write the rows as pandas does: one row group."""
    import pyarrow as pa
    from pyarrow import parquet

    columns = list(zip(*rows(count), strict=True))
    parquet.write_table(pa.table(dict(zip(COLUMNS, map(list, columns), strict=True))), path)


def write_sqlite(path: Path, count: int) -> None:
    """Write the rows into a table."""
    with sqlite3.connect(path) as database:
        database.execute(f"CREATE TABLE customers ({', '.join(COLUMNS)})")
        database.executemany("INSERT INTO customers VALUES (?, ?, ?, ?)", rows(count))
    database.close()


SOURCES: Final[dict[str, tuple[str, Callable[[Path, int], None]]]] = {
    "csv": ("a.csv", write_csv),
    "xlsx": ("a.xlsx", write_excel),
    "xlsx (openpyxl)": ("b.xlsx", write_openpyxl),
    "parquet": ("a.parquet", write_parquet),
    "sql": ("shop.db", write_sqlite),
}


def prepare(folder: Path, source: str, count: int) -> None:
    """Write one source's rows and its campaign."""
    name, write = SOURCES[source]
    write(folder / name, count)
    audience = f"{{file: {name}}}"
    if source == "sql":
        audience = "{sql: SELECT * FROM customers, url: '${SHOP_DATABASE_URL}'}"
    campaign = f"version: 1\nname: big\nchannel: sms\ntemplate: hello\naudience: {audience}\n"
    (folder / f"{name}.yaml").write_text(campaign, encoding="utf-8")


def plan(folder: Path, source: str) -> Planned:
    """Plan one source's campaign as a user does."""
    name, _ = SOURCES[source]
    environment = {
        **os.environ,
        "METRIX_API_KEY": "benchmark",
        "SHOP_DATABASE_URL": f"sqlite:///{folder / 'shop.db'}",
    }
    command = [sys.executable, "-c", _RUN, "campaign", "run", f"{name}.yaml", "--dry-run"]
    begun = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{source}: the plan failed")
    return Planned(time.monotonic() - begun, used.ru_utime + used.ru_stime, _megabytes(used))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", choices=SOURCES)
    parser.add_argument("--check", action="store_true", help="fail for less than is promised")
    options = parser.parse_args()
    chosen = dict.fromkeys(["csv", *(options.only or SOURCES)])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "channels.yaml").write_text(_CONFIG, encoding="utf-8")
        (folder / "templates" / "hello").mkdir(parents=True)
        (folder / "templates" / "hello" / "sms.txt.j2").write_text(
            "سلام {{ first_name }} از {{ city }}", encoding="utf-8"
        )
        for source in chosen:
            # In another process: on Linux, the memory of this one would count as that of its children.
            writer = multiprocessing.get_context("spawn").Process(target=prepare, args=(folder, source, options.rows))
            writer.start()
            writer.join()
        found = {source: list[Planned]() for source in chosen}
        for _ in range(options.rounds):
            for source in chosen:
                found[source].append(plan(folder, source))
    medians = {source: Planned(*map(statistics.median, zip(*each, strict=True))) for source, each in found.items()}
    _show(medians, options.rows)
    if options.check:
        _check(medians)


def _show(medians: dict[str, Planned], count: int) -> None:
    print(f"{count:,} rows\n\n| source | rows a second | of the CSV's | CPU seconds | memory, MB |")
    print("| --- | --- | --- | --- | --- |")
    base = medians["csv"].seconds
    for source, each in medians.items():
        rate, share = count / each.seconds, base / each.seconds
        print(f"| {source} | {rate:,.0f} | {share:.2f} | {each.cpu:.1f} | {each.megabytes:.0f} |")


def _check(medians: dict[str, Planned]) -> None:
    base = medians["csv"].seconds
    failures = [
        f"{source}: {base / each.seconds:.2f} of the CSV's rate, {each.megabytes:.0f} MB"
        for source, each in medians.items()
        if base / each.seconds < SLOWEST or each.megabytes > MOST_MEMORY
    ]
    if failures:
        raise SystemExit(f"Slower than {SLOWEST} of the CSV, or larger than {MOST_MEMORY} MB:\n" + "\n".join(failures))


def _megabytes(used: resource.struct_rusage) -> float:
    return used.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _relations(targets: dict[str, str]) -> str:
    each = "".join(
        f'<Relationship Id="r{number}" Type="{_RELATIONS}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets.items(), start=1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{each}</Relationships>'


def _content_types() -> str:
    parts = {"workbook": "sheet.main", "worksheets/sheet1": "worksheet", "sharedStrings": "sharedStrings"}
    each = "".join(
        f'<Override PartName="/xl/{part}.xml" ContentType="{_PARTS}.{kind}+xml"/>' for part, kind in parts.items()
    )
    relations = '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    return f'<Types xmlns="{_PACKAGE}/content-types">{relations}{each}</Types>'


if __name__ == "__main__":
    main()
