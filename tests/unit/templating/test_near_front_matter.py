"""Front matter that is almost there is an error, never text; what only resembles it is text, never an error."""

from __future__ import annotations

import pytest

from metrix_channels.errors import TemplateError
from metrix_channels.templating.program import Program

BODY = "کد {{ code }}"


def program(text: str, **files: str) -> Program:
    """Compile a template without files on disk."""
    return Program("t/x.txt.j2", {**files, "t/x.txt.j2": text}.__getitem__, "root", email=False)


def refusal(text: str, **files: str) -> TemplateError:
    """Return the error that a template is refused with."""
    with pytest.raises(TemplateError) as caught:
        program(text, **files)
    assert caught.value.code == "template_front_matter"
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize(
    ("opening", "place"),
    [
        *(
            (above + "---", place)
            for above, place in (
                ("\n", "2:1"),
                (" \n\n", "3:1"),
                ("  ", "1:3"),
                ("\t", "1:2"),
                ("\u200f", "1:2"),
                ("\ufeff\ufeff", "1:3"),
                ("\xa0", "1:2"),
                ("\u3164", "1:2"),
                ("\u3164\n", "2:1"),
                ("\u200b\n", "2:1"),
                ("# note\n", "2:1"),
                ("{# note\n#}\n", "3:1"),
                ("{% set a = 1 %}\n", "2:1"),
                ("<!-- note -->\n", "2:1"),
                ("<!DOCTYPE html>\n", "2:1"),
                ("%YAML 1.2\n", "2:1"),
                ("```\n", "1:1"),
            )
        ),
        *(
            (fence, "1:1")
            for fence in (
                "----",
                "--",
                "- - -",
                "—",
                "–––",
                "—-",
                "−−−",
                "－－－",
                "ـــ",
                "───",
                "+++",
                "***",
                "===",
                "___",
                "...",
                "```yaml",
                "---\u200f",
                "---\xa0",
                "--- # note",
                "--- yaml",
                "---\u2028",
                "'---'",
                "\\---",
                "> ---",
                "<p>---</p>",
                "--\u200c-",
                "|||",
                "…",
                "---\u2800",
                "-\u115f--",
                "-",
                "_",
                "•",
                "<hr>",
                "<p>---<br></p>",
            )
        ),
    ],
)
@pytest.mark.parametrize("fields", ["title: x", "title: x\nsensitive: [code]", "titel: x\nbuttons:\n  - {label: a}"])
@pytest.mark.parametrize("closing", ["---\n", "----\n", "...\n", "—\n", ""])
def test_an_opening_that_is_not_quite_one(opening: str, place: str, fields: str, closing: str) -> None:
    """Whatever stands above the line, in it or in its place, and however the fields end."""
    assert refusal(f"{opening}\n{fields}\n{closing}{BODY}").location == f"root/t/x.txt.j2:{place}"


@pytest.mark.parametrize("closing", ["----", "...", "—", "***", " ---", "---\u200f", "–––"])
def test_a_closing_that_is_not_quite_one(closing: str) -> None:
    """The error names its line, also where a real line follows in the text."""
    for text in (f"---\ntitle: x\n{closing}\n{BODY}", f"---\ntitle: x\n{closing}\n{BODY}\n---\nلغو ۱۱"):
        assert refusal(text).location == "root/t/x.txt.j2:3:1"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"title: x\n---\n{BODY}", "1:1"),
        (f"title: x\nsensitive: [code]\n\n{BODY}", "1:1"),
        (f"title: x\nurl: https://a.ir\n\n{BODY}", "1:1"),
        (f"sensitive: code\n{BODY}", "1:1"),
        (f"\ntitle: x\n----\n{BODY}", "2:1"),
        (f"---title: x\n---\n{BODY}", "1:1"),
        (f"titel: x\nsensitive:\n- code\n---\n{BODY}", "1:1"),
        (f"  ---\n  title: x\n  ---\n{BODY}", "1:3"),
        (f'+++\ntitle = "x"\n+++\n{BODY}', "1:1"),
        (f'{{"title": "x", "sensitive": ["code"]}}\n{BODY}', "1:1"),
        (f"----\nTitle: x\n----\n{BODY}", "1:1"),
        (f"----\npriority: high\n----\n{BODY}", "1:1"),
        (f"---\ntitle: x\n---\n---\nsensitive: [code]\n---\n{BODY}", "4:1"),
        (f"----\nعنوان: x\n----\n{BODY}", "1:1"),
        (f"\n---\nعنوان پیام: x\nدکمه\u200cها:\n  - label: a\n---\n{BODY}", "2:1"),
        (f"-\nموضوع: x\n-\n{BODY}", "1:1"),
        (f"حساس: [code]\n{BODY}", "1:1"),
        (f"----\n«title»: x\n----\n{BODY}", "1:1"),
        (f"<p>---</p>\n<p>title: x</p>\n<p>---</p>\n{BODY}", "1:1"),
        (f"<p>---</p><p>title: x</p><p>---</p>{BODY}", "1:1"),
        (f"<hr />\n<h2>title: x</h2>\n{BODY}", "1:1"),
        (f"<div>&mdash;&mdash;</div><div>title: x</div>\n{BODY}", "1:1"),
    ],
)
def test_fields_without_their_lines(text: str, place: str) -> None:
    """A line that is missing, in the wrong place or there twice; TOML, JSON, and what a word processor made of it."""
    assert refusal(text).location == f"root/t/x.txt.j2:{place}"


@pytest.mark.parametrize("text", [f"سلام\nsensitive: [code]\n{BODY}", f"سلام\n\n  sensitive:\n  - code\n{BODY}"])
def test_sensitive_hides_nothing_within_the_text(text: str) -> None:
    """Wherever it stands: a value that somebody thinks hidden must not be written down."""
    assert "sensitive" in refusal(text).message


def test_front_matter_that_is_a_list_is_no_mapping() -> None:
    """`- x` is an item, not a line that was meant to close the front matter."""
    error = refusal(f"---\n- title: x\n- url: y\n---\n{BODY}")
    assert "is not a mapping" in error.message
    assert "`title: Your order`" in (error.remedy or "")


def test_an_invisible_character_is_shown_as_its_escape() -> None:
    """Else the line in the error looks right."""
    assert r"`\u3164---`" in refusal(f"\u3164---\ntitle: x\n---\n{BODY}").message


def test_included_files_have_no_front_matter() -> None:
    """Their fields would be sent as text."""
    error = refusal('{% include "layouts/x" %}', **{"layouts/x": "---\ntitle: x\n---\nb"})
    assert error.location == "root/layouts/x:1:1"


@pytest.mark.parametrize(
    "text",
    [
        "سلام: خوش آمدید",
        "کد: {{ code }}\n---\nفروشگاه",
        "Code: {{ code }}\nName: x\n---\nShop",
        "code: {{ code }}\n---\nلغو ۱۱",
        "سلام\n---\nلغو ۱۱",
        "سلام {{ name }}\n---\nurl: https://x.ir\n---\n",
        "# خبر\n\nمتن\n\n---\n\nمتن دوم",
        "-----\nOrder: 1042\nURL: https://x.ir\n-----\n",
        "-----\nسلام\nurl: https://x.ir\n-----\n",
        "*** فروش ***\nکد: X",
        "- یک\n- دو\n---\n",
        "—\nسلام",
        "-\nکد: ۱\n-\n",
        "-\norder: 1\n-\n",
        "-----\nسفارش: ۱۰۴۲\nمبلغ: ۲۰۰\n-----\nممنون",
        "----\nلینک: https://x.ir\n----",
        "عنوان: جلسه\nساعت: ۱۸\n---\nفروشگاه",
        "<p>---</p>\n<p>سلام</p>",
        "<hr>\n<p>تخفیف: ۲۰٪</p>\n<hr>",
        "<p>title: x</p>\n<p>---</p>",
        "title: x",
        "Title: Sale\n---\nBuy now",
        "Subject: Meeting\nURL: x\n\nHi",
        "url: https://x.ir/{{ code }}",
        "Your skin is sensitive: take care",
        "{# sensitive: [code] #}\nکد",
        "<style>\n a { color: red }\n</style>\n<p>subject: x</p>",
        '{{ "---" }}\ntitle: x\n---\n',
        '{{ "title" }}: x\n---\n',
        "---\n---\n---\nسلام\n---\n",
        "\n\nسلام\n",
        "",
    ],
)
def test_ordinary_messages_are_text(text: str) -> None:
    """Labels, separators, headings; and the documented way to begin a text with `---`."""
    assert program(text).sensitive == frozenset()
