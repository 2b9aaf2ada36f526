"""The audience of a campaign file: the source of its rows and how to read them."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Final

from attrs import field, frozen
from cattrs import IterableValidationError
from cattrs.errors import IterableValidationNote

from ..config import kinds, setting
from ..config.kinds import Kind, Refusal, text_kind
from ..models import JsonValue
from ..printable import is_text

RUN_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
NAMED: Final = "a name of up to 100 characters a-z, 0-9, - and _ that begins with a letter or digit"
_TEXTS: Final = r".*\.([Cc][Ss][Vv]|[Tt][Ss][Vv]|[Jj][Ss][Oo][Nn][Ll])(\.[Gg][Zz])?"
_FILE: Final = re.compile(rf"-|{_TEXTS}|.*\.([Xx][Ll][Ss][Xx]|[Pp][Aa][Rr][Qq][Uu][Ee][Tt])")
_FORMATS: Final = {
    "delimiter": (re.compile(r"-|.*\.[ct]sv(\.gz)?", re.IGNORECASE), "a .csv or .tsv file"),
    "encoding": (re.compile(rf"-|{_TEXTS}"), "a .csv, .tsv or .jsonl file"),
    "sheet": (re.compile(r".*\.xlsx", re.IGNORECASE), "an .xlsx file"),
}
"""Keys of an audience that apply only to some file formats."""
_DELIMITER: Final = re.compile(r"tab|\t|[^\w\s\"'\\]")
_NO_TEXT: Final = ("unicode_escape", "raw_unicode_escape", "idna", "punycode", "undefined", "mbcs", "oem", "utf_7")
STDIN: Final = Path("-")


def _name(text: str) -> str | None:
    return text if RUN_NAME.fullmatch(text) else None


def _audience_file(text: str) -> Path | None:
    return Path(text) if _FILE.fullmatch(text) and is_text(text) else None


def _delimiter(text: str) -> str | None:
    if not _DELIMITER.fullmatch(text):
        return None
    return "\t" if text == "tab" else text


def _encoding(text: str) -> str | None:
    try:
        found = codecs.lookup(text)
        "".encode(found.name)  # raises for codecs that are not text encodings, such as base64
    except (LookupError, ValueError):
        return None
    return None if found.name.replace("-", "_") in _NO_TEXT else text


def _database_url(value: JsonValue) -> str:
    if isinstance(value, str) and kinds.REFERENCE.fullmatch(value):
        return value
    message = (
        "expected an environment variable that holds the database's URL, such as ${SHOP_DATABASE_URL}: the URL may"
        " contain a password, which does not belong in this file"
    )
    raise Refusal(message, code="database_url_invalid", confidential=True)


NAME: Final = text_kind(NAMED, _name, f"^{RUN_NAME.pattern}$")
AUDIENCE: Final = text_kind(
    "a .csv, .tsv or .jsonl file, each also .gz; an .xlsx or .parquet file; or - for standard input",
    _audience_file,
    rf"^(?!.*\$\{{)({_FILE.pattern})$",
)
DELIMITER: Final = text_kind(
    'one character such as ";" or "|", in quotes, or tab', _delimiter, r"^(tab|\t|[^A-Za-z0-9_\s\"'\\])$"
)
ENCODING: Final = text_kind("an encoding such as windows-1256 or utf-16", _encoding, "^[A-Za-z0-9][A-Za-z0-9_.:-]*$")
DATABASE_URL: Final = Kind(
    _database_url, {"type": "string", "pattern": f"^{kinds.REFERENCE.pattern}$"}, holds_references=True
)


class DamagedIds(StrEnum):
    """What to do with ids that a spreadsheet or an export damaged, such as 9.12346E+09, 101.0, #N/A or NULL."""

    REFUSE = "refuse"
    """The plan is refused; the error names the ids."""
    SEND = "send"
    """They are sent to like any other id."""


@frozen(kw_only=True)
class AudienceSource:
    """The recipients. Without a file or a query, the program that runs the campaign passes the rows.

    Attributes:
        locations: in the campaign file, by key: `audience`, `sql`, `url`.
        file: with the rows; STDIN for standard input.
        delimiter: of a CSV or TSV; None: detect it in the header.
        encoding: of a CSV, TSV or JSONL; None: UTF-8. A byte order mark takes precedence.
        sheet: of a workbook; None: the first visible one.
        sql: a query that replaces the file.
        url: the query's database, as an environment variable `${NAME}`.
        id: the column or key of the customUserId.
        except_: campaigns whose recipients are left out, if they were or may have been reached.
        damaged_ids: what to do with ids that a spreadsheet damaged, here and in the suppression lists.
    """

    SCHEMA: ClassVar[Mapping[str, Any]] = {
        "not": {"required": ["file", "sql"]},
        "dependentRequired": {
            "sql": ["url"],
            "url": ["sql"],
            **{key: ["file"] for key in _FORMATS},
        },
    }

    locations: Mapping[str, str] = field(factory=dict, eq=False, repr=False)
    file: Path | None = field(
        default=None,
        metadata=setting(
            "The rows: .csv, .tsv or .jsonl, each also .gz; .xlsx; .parquet; - is standard input.", AUDIENCE
        ),
    )
    delimiter: str | None = field(
        default=None,
        metadata=setting(
            'The separator of a CSV or TSV file, such as ";". Default: detected in the header.', DELIMITER
        ),
    )
    encoding: str | None = field(
        default=None, metadata=setting("The encoding of a text file, such as windows-1256. Default: UTF-8.", ENCODING)
    )
    sheet: str | None = field(
        default=None, metadata=setting("The sheet of an .xlsx file. Default: the first visible sheet.", kinds.TEXT)
    )
    sql: str | None = field(
        default=None,
        metadata=setting(
            "A query that returns the rows; replaces `file`. It changes nothing in the database.", kinds.TEXT
        ),
    )
    url: str | None = field(
        default=None,
        metadata=setting("The query's database: an environment variable that holds its SQLAlchemy URL.", DATABASE_URL),
    )
    id: str = field(
        default="customUserId",
        metadata=setting("The column or key that holds the customUserId.", kinds.TEXT, "customUserId"),
    )
    except_: tuple[str, ...] = field(
        default=(),
        metadata=setting(
            "Finished or cancelled campaigns. Recipients whom they reached, or may have reached, are left out.",
            kinds.list_of(NAME),
            [],
        ),
    )
    damaged_ids: DamagedIds = field(
        default=DamagedIds.REFUSE,
        metadata=setting(
            "If a spreadsheet damaged an id, as in 9.1E+09, 101.0, #N/A or NULL: refuse the plan, or send.",
            kinds.choice(DamagedIds),
            "refuse",
        ),
    )

    def __attrs_post_init__(self) -> None:
        problems: list[Exception] = []
        if self.file is not None and self.sql is not None:
            problems.append(_refused("sql", "`file` and `sql` cannot be combined"))
        if self.sql is not None and self.url is None:
            problems.append(_refused("sql", "`sql` needs the database's `url`, such as ${SHOP_DATABASE_URL}"))
        if self.url is not None and self.sql is None:
            problems.append(_refused("url", "`url` needs a query in `sql`"))
        for key, (files, named) in _FORMATS.items():
            if getattr(self, key) is not None and not files.fullmatch(str(self.file or "")):
                problems.append(_refused(key, f"it is only valid for {named}"))
        if problems:
            raise IterableValidationError("in the audience", problems, AudienceSource)


def _refused(key: str, message: str) -> Refusal:
    refusal = Refusal(message, confidential=True, at_key=True)
    refusal.add_note(IterableValidationNote("in the audience", key, object))
    return refusal
