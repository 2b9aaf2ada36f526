"""Results as text or as one JSON document; errors beside it or on stderr."""

import json
from pathlib import Path

import pytest

from metrix_channels import MetrixChannelsError
from metrix_channels.cli.ui.output import Output, counted, nearby, visible

ERROR = MetrixChannelsError("It\x1b[31m failed.", code="usage", remedy="Do\u202e this.", location="a\x07.yaml:1:2")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("می‌خواهم\nسطر دوم", "می‌خواهم\nسطر دوم"),
        ("a\x1b[2J\x00\x7f\r\t", "a\\x1b[2J\\x00\\x7f\\r\\t"),
        ("\u202e\u2066\u200f\ufeff", "\\u202e\\u2066\\u200f\\ufeff"),
        ("\udcff", "\\udcff"),
        ("👩‍👧", "👩‍👧"),
    ],
)
def test_what_could_draw_on_the_terminal_is_escaped(text, shown):
    """Joiners and line breaks are text; direction marks, escapes and halves of characters are not."""
    assert visible(text) == shown


@pytest.mark.parametrize(("count", "shown"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (12_000, "12,000 rows")])
def test_a_number_agrees_with_its_noun(count, shown):
    """The singular for one alone."""
    assert counted(count, "row") == shown


def test_an_error_in_text_has_place_message_code_and_remedy(capfd):
    """On stderr alone, all of it escaped."""
    Output().error(ERROR)
    out, err = capfd.readouterr()
    assert (out, err) == ("", "a\\x07.yaml:1:2: It\\x1b[31m failed. [usage]\nDo\\u202e this.\n")


def test_an_error_in_json_stands_beside_the_verbs_own_document(capfd):
    """One document on stdout, nothing on stderr."""
    Output(as_json=True).error(ERROR, {"receipts": []})
    out, err = capfd.readouterr()
    assert err == ""
    assert json.loads(out) == {
        "receipts": [],
        "error": {
            "code": "usage",
            "message": "It\x1b[31m failed.",
            "remedy": "Do\u202e this.",
            "location": "a\x07.yaml:1:2",
        },
    }


def test_a_document_is_utf_8_and_survives_half_a_character(capfdbinary):
    """What came from a command line that is no UTF-8 is still JSON."""
    Output().document({"text": "سلام\udcff"})
    raw = capfdbinary.readouterr().out
    assert "سلام".encode() in raw
    assert json.loads(raw) == {"text": "سلام\udcff"}


def test_lines_are_not_folded_where_nobody_watches(capfd):
    """So that grep finds them; an indent is kept."""
    Output().say("کلمه " * 100, indent=2)
    assert capfd.readouterr().out == "  " + "کلمه " * 100 + "\n"


def test_markup_is_text(capfd):
    """What is read from outside styles nothing."""
    Output().say("[bold]x[/bold] [/]")
    assert capfd.readouterr().out == "[bold]x[/bold] [/]\n"


def test_paths_below_the_current_folder_are_short(tmp_path, monkeypatch):
    """Others stay as they are."""
    monkeypatch.chdir(tmp_path)
    assert nearby(str(tmp_path / "a" / "b.yaml:1:2")) == str(Path("a") / "b.yaml:1:2")
    assert nearby("/elsewhere/b.yaml") == "/elsewhere/b.yaml"
    assert nearby("sms") == "sms"
