"""Excel workbooks as spreadsheets and libraries write them, and as they must not be."""

import contextlib
import zipfile
from datetime import date, datetime, time

import openpyxl
import pytest

from metrix_channels.campaign.audience.reader import Reading, open_audience
from metrix_channels.errors import CampaignError

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
MOMENT = datetime(2026, 3, 20, 10, 30)  # noqa: DTZ001 - sheets know no zones
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


def read(path, sheet=None, wanted=("v",), column="id"):
    """Return lines, ids and values, and the cautions."""
    with open_audience(path, column, reading=Reading(sheet=sheet)) as audience:
        chunks = list(audience.chunks([name for name in wanted if name in audience.columns]))
        lines = [line for chunk in chunks for line in chunk.lines]
        ids = [each for chunk in chunks for each in chunk.recipients]
        values = [value[0] if value else None for chunk in chunks for value in chunk.values]
        return lines, ids, values, audience.cautions


def refused(path, **options):
    with pytest.raises(CampaignError) as caught:
        read(path, **options)
    assert caught.value.code == "audience_invalid"
    assert caught.value.location.startswith(f"{path}:")
    return caught.value


def saved(path, rows, formats=None, change=lambda book, sheet: None):
    """Save rows with openpyxl; `formats` are number formats by cell."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for cell, code in (formats or {}).items():
        book.active[cell].number_format = code
    change(book, book.active)
    book.save(path)
    return path


def written(path, sheet, shared="", styles="", sheets='<sheet name="S" sheetId="1" r:id="r1"/>', root="worksheet"):
    """Write a workbook by hand, with a sheet's XML as it is given."""
    types = '<Relationship Id="{}" Type="' + OFFICE + '/{}" Target="{}"/>'
    book = [types.format("r1", "worksheet", "worksheets/sheet1.xml")]
    with zipfile.ZipFile(path, "w") as file:
        first = types.format("r0", "officeDocument", "/xl/workbook.xml")
        file.writestr("_rels/.rels", f'<Relationships xmlns="{PACKAGE}">{first}</Relationships>')
        if shared:
            book.append(types.format("r2", "sharedStrings", "sharedStrings.xml"))
            file.writestr("xl/sharedStrings.xml", shared)
        if styles:
            book.append(types.format("r3", "styles", "styles.xml"))
            file.writestr("xl/styles.xml", styles)
        file.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{PACKAGE}">{"".join(book)}</Relationships>')
        file.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{sheets}</sheets></workbook>'
        )
        file.writestr("xl/worksheets/sheet1.xml", sheet)
    return path


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        (101, None, "101"),
        (9121234567, None, "9121234567"),
        (123456789012345, None, "123456789012345"),
        (101.0, "0.00", "101"),
        (9123456, "#,##0", "9123456"),
        (912, "00000", "00912"),
        ("00912", None, "00912"),
        ("+989121234567", None, "+989121234567"),
        (0.1 + 0.2, None, "0.3"),
        (-2.5, None, "-2.5"),
        (0.00001, None, "0.00001"),
        (0.25, "0%", "25%"),
        (date(2026, 3, 20), None, "2026-03-20"),
        (MOMENT, None, "2026-03-20 10:30:00"),
        (MOMENT, "dd/mm/yyyy", "2026-03-20"),
        (46101, '[$-429]d "de" mmmm yyyy', "2026-03-20"),
        (time(10, 30), None, "10:30:00"),
        (1.5, "[h]:mm", "36:00:00"),
        (1.25, "h:mm", "06:00:00"),
        (9121234567, "0### ### ####", "09121234567"),
        (9121234567, '"0"#', "09121234567"),
        (9121234567, r"\0000 000 0000", "09121234567"),
        (912, "(000) 000-0000", "0000000912"),
        (912, "+00 000", "00912"),
        (7.5, "00.0", "7.5"),
        (-7, '"0"0', "-7"),
        (True, None, "TRUE"),
        ("a & <b> ي\u200cک 🌹", None, "a & <b> ي\u200cک 🌹"),
        ("#N/A", None, ""),
        (None, None, ""),
        (46101, "General", "46101"),
        (46101, '"day" 0', "46101"),
    ],
)
@pytest.mark.parametrize("by", ["regular expressions", "parser"])
def test_values_are_what_the_sheet_shows(tmp_path, value, code, shown, by):
    """Numbers without `.0` and separators, dates and times as ISO 8601 has them; however its XML is read."""
    rows = [("id", "v", "f"), ("u1", value, "x" if by.startswith("r") else "=1+1"), ("u2", "x", "y")]
    path = saved(tmp_path / "a.xlsx", rows, {"B2": code} if code else {})
    assert read(path)[:3] == ([2, 3], ["u1", "u2"], [shown, "x"])


def test_ids_of_every_kind(tmp_path):
    """Typed as a number, as text with a leading zero, with a format that shows one."""
    path = saved(tmp_path / "a.xlsx", [("id",), (101,), ("0912",), (912,), (101.0,)], {"A4": "0000"})
    assert read(path)[1] == ["101", "0912", "0912", "101"]


def test_what_excel_has_lost_is_damaged(tmp_path):
    """An id of 16 digits that was typed as a number; an error; a float."""
    path = saved(tmp_path / "a.xlsx", [("id",), (1234567890123456,), ("#N/A",), ("101.0",)])
    with open_audience(path, "id") as audience:
        (chunk,) = audience.chunks([])
    assert chunk.recipients == ["1.23457E+15", "#N/A", "101.0"]
    assert chunk.damaged == [0, 1, 2]


@pytest.mark.parametrize(("cell", "rows"), [("B3", ("u2", "=1+1")), ("A3", ('="u"&2', "x"))])
def test_a_formula_without_a_result_is_refused(tmp_path, cell, rows):
    """Libraries write formulas, and do not calculate them: the cell is not empty, and nobody knows what it shows."""
    error = refused(saved(tmp_path / "a.xlsx", [("id", "v"), ("u1", "x"), rows]))
    assert cell in error.message
    assert "Excel" in error.remedy


def test_a_formula_without_a_result_beside_the_wanted_columns(tmp_path):
    """Nobody asks for it."""
    path = saved(tmp_path / "a.xlsx", [("id", "v", "total"), ("u1", "x", "=1+1")])
    assert read(path)[:3] == ([2], ["u1"], ["x"])


def test_a_formula_whose_result_is_an_empty_text(tmp_path):
    """As Excel writes it."""
    cells = '<c r="A2" t="inlineStr"><is><t>u1</t></is></c><c r="B2" t="str"><f>""</f><v></v></c>'
    header = '<c r="A1" t="inlineStr"><is><t>id</t></is></c><c r="B1" t="inlineStr"><is><t>v</t></is></c>'
    data = f'<sheetData><row r="1">{header}</row><row r="2">{cells}</row></sheetData>'
    sheet = f'<worksheet xmlns="{MAIN}">{data}</worksheet>'
    assert read(written(tmp_path / "a.xlsx", sheet))[:3] == ([2], ["u1"], [""])


def test_gaps_blank_rows_and_columns_beside(tmp_path):
    """Cells and rows that are not there; lines are the sheet's own; a row of blank cells is none."""

    def change(book, sheet):
        for row in range(20, 30):
            sheet.cell(row, 1).font = openpyxl.styles.Font(bold=True)

    rows = [("id", "n", "v"), ("u1", None, "a"), (), ("u2",), (None, "b", None), ("u3", "c", "d", "note")]
    path = saved(tmp_path / "a.xlsx", rows, change=change)
    with open_audience(path, "id") as audience:
        (chunk,) = audience.chunks(["v"])
    assert (chunk.lines, chunk.recipients) == ([2, 4, 6], ["u1", "u2", "u3"])
    assert chunk.values == [("a",), ("",), ("d",)]
    assert [(each.line, each.why) for each in chunk.invalid] == [(5, "its 'id' is empty")]


def test_a_header_further_down_and_to_the_right(tmp_path):
    """Blank rows above it; columns count from A."""
    path = saved(tmp_path / "a.xlsx", [(), (), ("id", "v"), ("u1", "a")])
    assert read(path)[:3] == ([4], ["u1"], ["a"])
    saved(path, [("id", None, "v"), ("u1", "a", "b")])
    assert read(path)[:3] == ([2], ["u1"], ["b"])


def test_hidden_rows_are_counted(tmp_path):
    """By hand, or by a filter; they belong to the audience."""

    def change(book, sheet):
        sheet.row_dimensions[3].hidden = True
        sheet.row_dimensions[4].hidden = True

    path = saved(tmp_path / "a.xlsx", [("id",), ("u1",), ("u2",), ("u3",)], change=change)
    assert read(path) == ([2, 3, 4], ["u1", "u2", "u3"], [None] * 3, {"rows_hidden": 2})


def test_sheets(tmp_path):
    """By name; without one, the first that is visible."""

    def change(book, sheet):
        sheet.title = "Old"
        sheet.sheet_state = "hidden"
        for name in ("مشتریان", "Notes"):
            other = book.create_sheet(name)
            other.append(("id",))
            other.append((name,))
        book.active = 1

    path = saved(tmp_path / "a.xlsx", [("id",), ("old",)], change=change)
    assert read(path)[1] == ["مشتریان"]
    assert read(path, sheet="Notes")[1] == ["Notes"]
    assert read(path, sheet="Old")[1] == ["old"]
    assert "did you mean 'Notes'" in refused(path, sheet="notes").message
    assert "'Old', 'مشتریان', 'Notes'" in refused(path, sheet="x").message
    assert "Correct `sheet`" in refused(path, sheet="x").remedy


SHARED = (
    f'<sst xmlns="{MAIN}"><si><t>id</t></si><si><t>v</t></si>'
    '<si><r><rPr><b/></rPr><t>u</t></r><r><t xml:space="preserve">1</t></r><rPh sb="0" eb="1"><t>no</t></rPh></si>'
    "<si/><si><t>a &amp; b_x000D_</t></si></sst>"
)
SHEETS = {
    "as Excel": '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>'
    '<row r="2"><c r="A2" t="s"><v>2</v></c><c r="B2" t="s"><v>4</v></c></row>',
    "another order": "<row spans='1:2' r='1'><c t='s' r='A1'><v>0</v></c><c t='s' r='B1'><v>1</v></c></row>"
    "<row r='2'><c t='s' r='A2'><v>2</v></c><c t='s' r='B2'><v>4</v></c></row>",
    "no references": '<row><c t="s"><v>0</v></c><c t="s"><v>1</v></c></row>'
    '<row><c t="s"><v>2</v></c><c t="s"><v>4</v></c></row>',
    "white space": '\n <row r="1">\n <c r="A1" t="s"> <v>0</v> </c>\n<c r="B1" t="s"><v>1</v></c> </row>\n'
    ' <row r="2"> <c r="A2" t="s">\n <v>2</v>\n</c> <c r="B2" t="s"><v>4</v></c></row>\n',
    "formulas": '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row><row r="2"><c r="A2" t="str">'
    '<f>"u"&amp;1</f><v>u1</v></c><c r="B2" t="inlineStr"><is><r><t>a &amp; b</t></r><r><t>\r</t></r></is></c></row>',
}


@pytest.mark.parametrize("sheet", SHEETS)
@pytest.mark.parametrize("prefix", ["", "x:"])
def test_however_the_xml_is_written(tmp_path, sheet, prefix):
    """The same rows from every program's XML, with rich text, escapes and empty texts."""
    body = (
        f"<?xml version='1.0'?><!-- a --><worksheet xmlns='{MAIN}'><sheetData>{SHEETS[sheet]}</sheetData></worksheet>"
    )
    shared = SHARED
    if prefix:
        body, shared = (
            text.replace("</", "<\0").replace("<", "<x:").replace("<x:\0", "</x:").replace("<x:?", "<?")
            .replace("<x:!", "<!").replace("xmlns=", "xmlns:x=")
            for text in (body, shared)
        )  # fmt: skip
    path = written(tmp_path / "a.xlsx", body, shared)
    lines, ids, values, _ = read(path)
    assert (lines, ids) == ([2], ["u1"])
    assert values[0].strip() == "a & b"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"id;v\nu1;a\n",
        b"PK\x03\x04 not all of it",
        b"<html><table>",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
    ],
)
def test_what_is_no_workbook_is_refused(tmp_path, data):
    """A CSV or a page under another name, an old .xls or one with a password, one that is cut off."""
    path = tmp_path / "a.xlsx"
    path.write_bytes(data)
    error = refused(path, column="id")
    assert "password" in error.message if data[:2] == b"\xd0\xcf" else "not a valid Excel workbook" in error.message
    assert (".csv" in error.remedy) == (data[:2] not in (b"PK", b"\xd0\xcf"))


ENTITIES = (
    f"<!DOCTYPE a [<!ENTITY e 'x'>]><worksheet xmlns='{MAIN}'><sheetData><row r='1'><c r='A1' t='str'><v>&e;</v></c>"
    "</row></sheetData></worksheet>"
)


@pytest.mark.parametrize(
    "sheet",
    [
        "<worksheet/>",
        f"<worksheet xmlns='{MAIN}'><sheetData/></worksheet>",
        f"<worksheet xmlns='{MAIN}'><sheetData><row r='1'><c r='A1' t='s'><v>9</v></c></row></sheetData></worksheet>",
        f"<worksheet xmlns='{MAIN}'><sheetData><row r='1'><c r='A1'><v>1</v></row></sheetData></worksheet>",
        ENTITIES,
        "<worksheet><sheetData>" + "x" * 20_000_000,
    ],
)
def test_a_broken_sheet_is_refused(tmp_path, sheet):
    """Without a header, with a text that is not there, entities, or no end."""
    refused(written(tmp_path / "a.xlsx", sheet, SHARED))


@pytest.mark.parametrize("at", range(0, 6_000, 450))
def test_a_damaged_file_is_refused_or_read_the_same(tmp_path, at):
    """One byte is enough; checksums find it."""
    path = saved(tmp_path / "a.xlsx", [("id",), *((f"u{number}",) for number in range(300))])
    whole = read(path)
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 0x41
    path.write_bytes(data)
    with contextlib.suppress(CampaignError):
        assert read(path) == whole


def test_many_rows_in_blocks(tmp_path):
    """More than are read at a time, of different widths."""
    rows = [("id", "n", "v"), *((f"u{at}", at if at % 7 else None, f"v{at}") for at in range(9_000))]
    lines, ids, values, _ = read(saved(tmp_path / "a.xlsx", rows))
    assert lines == list(range(2, 9_002))
    assert (ids, values) == ([row[0] for row in rows[1:]], [row[2] for row in rows[1:]])
