"""Which file serves a channel and a locale, and when it is read again."""

from __future__ import annotations

import os
import time
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from metrix_channels.errors import TemplateError
from metrix_channels.models import ChannelType
from metrix_channels.templating import Templates, library, locales

if TYPE_CHECKING:
    from collections.abc import Callable

ORDER = [
    "shop.fa-IR.txt.j2",
    "shop.fa-IR.html.j2",
    "web_push.fa-IR.txt.j2",
    "push.fa-IR.txt.j2",
    "shop.fa.txt.j2",
    "web_push.fa.txt.j2",
    "push.fa.txt.j2",
    "shop.txt.j2",
    "web_push.txt.j2",
    "push.txt.j2",
]


@pytest.mark.parametrize("first", range(len(ORDER)))
def test_the_most_special_file_serves(first: int, write: Callable[..., Path], templates: Templates) -> None:
    """Name, type and `push` with the locale, then with its language, then without any."""
    for name in ORDER[first:]:
        write(f"order/{name}")
    found = templates.find("order", "shop", ChannelType.WEB_PUSH, "fa-IR")
    assert found.path.name == ORDER[first]


def test_email_prefers_html(write: Callable[..., Path], templates: Templates) -> None:
    """An email takes its HTML file before its text."""
    write("order/email.txt.j2")
    write("order/email.html.j2")
    assert templates.find("order", "email", ChannelType.EMAIL).path.name == "email.html.j2"


def test_only_push_types_share_push(write: Callable[..., Path], templates: Templates) -> None:
    """`push` serves both push types and nothing else."""
    write("order/push.txt.j2")
    assert templates.find("order", "x", ChannelType.APP_PUSH).path.name == "push.txt.j2"
    with pytest.raises(TemplateError):
        templates.find("order", "x", ChannelType.SMS)


def test_another_locale_does_not_serve(write: Callable[..., Path], templates: Templates) -> None:
    """A file in another language is never sent instead."""
    write("order/sms.en.txt.j2")
    with pytest.raises(TemplateError) as caught:
        templates.find("order", "sms", ChannelType.SMS, "fa")
    assert caught.value.code == "template_missing"


def test_a_missing_template_names_files_and_near_names(write: Callable[..., Path], templates: Templates) -> None:
    """The error lists every file that was looked for, and what may have been meant."""
    write("order_delivered/sms.txt.j2")
    with pytest.raises(TemplateError) as caught:
        templates.find("order_deliverd", "shop", ChannelType.SMS, "fa")
    for name in ("shop.fa.txt.j2", "sms.fa.txt.j2", "shop.txt.j2", "sms.html.j2"):
        assert f"order_deliverd/{name}" in caught.value.message
    assert "order_delivered" in caught.value.remedy


@pytest.mark.parametrize(
    "name", ["../x", "/etc", "a/b", "..", ".", "", "a\0b", "a\\b", "C:x", "a\u202eb", "a\nb", "x" * 101]
)
@pytest.mark.parametrize(
    ("which", "code"),
    [("template", "template_path_refused"), ("channel", "template_path_refused"), ("locale", "locale_unknown")],
)
def test_names_that_lead_elsewhere_are_refused(name: str, which: str, code: str, templates: Templates) -> None:
    """No name of a template, channel or locale is more than a plain word, and the error stays printable."""
    names = {"template": "t", "channel": "sms", "locale": "fa", which: name}
    with pytest.raises(TemplateError) as caught:
        templates.find(names["template"], names["channel"], ChannelType.SMS, names["locale"])
    assert caught.value.code == code
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("file", ["sms.fa-IR.txt.j2", "sms.fa_IR.txt.j2", "sms.fa-ir.txt.j2", "SMS.FA-IR.TXT.J2"])
@pytest.mark.parametrize("locale", ["fa-IR", "fa_IR", "fa-ir", "FA_ir"])
def test_a_locale_finds_its_file_however_both_are_written(
    file: str, locale: str, write: Callable[..., Path], templates: Templates
) -> None:
    """Also where the file system tells large letters from small ones."""
    write("t/sms.txt.j2")
    write(f"t/{file}")
    assert templates.find("t", "sms", ChannelType.SMS, locale).path.name == file
    assert [variant.locale for variant in templates.variants("t")].count("fa-IR") == 1


def test_two_files_for_one_locale_are_refused(write: Callable[..., Path], templates: Templates) -> None:
    """One of them would never be sent, and nobody could tell which."""
    write("t/sms.fa-IR.txt.j2")
    write("t/sms.fa_ir.txt.j2")
    with pytest.raises(TemplateError, match="fa_ir") as caught:
        templates.find("t", "sms", ChannelType.SMS, "fa-IR")
    assert caught.value.code == "template_ambiguous"


def test_a_name_of_a_language_is_no_locale(write: Callable[..., Path], templates: Templates) -> None:
    """It is never answered with the file that has no locale, and the error says what was meant."""
    write("t/sms.txt.j2")
    write("t/sms.en.txt.j2")
    with pytest.raises(TemplateError, match=r"did you mean en\?") as caught:
        templates.find("t", "sms", ChannelType.SMS, "english")
    assert (caught.value.code, caught.value.location) == ("locale_unknown", None)


@pytest.mark.parametrize(("tag", "meant"), [("english", "en"), ("fa.ir", "fa"), ("xx", "fa-IR")])
def test_a_file_that_no_locale_asks_for_is_named(
    tag: str, meant: str, write: Callable[..., Path], templates: Templates
) -> None:
    """Whoever lists the locales of a template comes upon it."""
    write("t/sms.txt.j2")
    path = write(f"t/sms.{tag}.txt.j2")
    assert locales(templates.variants("t"), "sms", ChannelType.SMS) == [None, tag]
    with pytest.raises(TemplateError, match=f"{path.name}. is never used: .{tag}. is not a locale") as caught:
        templates.find("t", "sms", ChannelType.SMS, tag)
    assert caught.value.location == str(path)
    assert meant in caught.value.remedy


@pytest.mark.parametrize("name", ["سفارش\u200cها", "آمار", "سَلام", "日本"])
@pytest.mark.parametrize("stored", ["NFC", "NFD"])
@pytest.mark.parametrize("asked", ["NFC", "NFD"])
def test_names_in_any_writing(
    name: str,
    stored: Literal["NFC", "NFD"],
    asked: Literal["NFC", "NFD"],
    write: Callable[..., Path],
    templates: Templates,
) -> None:
    """With joiners and marks, and found in whichever form macOS or a keyboard wrote them; includes too."""
    include = f"layouts/{unicodedata.normalize(asked, name)}.txt"
    write(f"{unicodedata.normalize(stored, name)}/sms.txt.j2", f'{{% include "{include}" %}}')
    write(f"layouts/{unicodedata.normalize(stored, name)}.txt", "سلام")
    found = templates.find(unicodedata.normalize(asked, name), "sms", ChannelType.SMS)
    assert found.render({}, datetime.now(UTC)) == {"body": "سلام"}
    assert templates.names() == [unicodedata.normalize(stored, name)]


@pytest.mark.parametrize("broken", [False, True], ids=["to a file", "broken"])
def test_a_link_out_of_the_folder_is_refused(
    broken: bool, write: Callable[..., Path], root: Path, templates: Templates
) -> None:
    """A link that leaves the folder is refused, not overlooked, wherever it leads."""
    outside = root.parent / "secret"
    if not broken:
        outside.write_text("secret")
    (root / "t").mkdir()
    (root / "t/sms.txt.j2").symlink_to(outside)
    with pytest.raises(TemplateError) as caught:
        templates.find("t", "sms", ChannelType.SMS)
    assert caught.value.code == "template_path_refused"


def test_a_folder_that_is_a_link_out_is_refused(root: Path, templates: Templates) -> None:
    """A linked folder is no way out either."""
    (root.parent / "out").mkdir()
    (root.parent / "out/sms.txt.j2").write_text("x")
    (root / "t").symlink_to(root.parent / "out")
    with pytest.raises(TemplateError) as caught:
        templates.find("t", "sms", ChannelType.SMS)
    assert caught.value.code == "template_path_refused"
    with pytest.raises(TemplateError):
        templates.variants("t")


def test_a_link_inside_the_folder_serves(write: Callable[..., Path], root: Path, templates: Templates) -> None:
    """A link from one template to another stays inside."""
    write("a/sms.txt.j2")
    (root / "b").symlink_to(root / "a")
    assert templates.find("b", "sms", ChannelType.SMS).path == root / "b/sms.txt.j2"


def test_a_pipe_is_no_template(root: Path, templates: Templates) -> None:
    """A named pipe neither serves nor blocks."""
    (root / "t").mkdir()
    os.mkfifo(root / "t/sms.txt.j2")
    with pytest.raises(TemplateError) as caught:
        templates.find("t", "sms", ChannelType.SMS)
    assert caught.value.code == "template_missing"


@pytest.mark.parametrize(
    "content", [b"\xff\xfes\0", "سلام".encode("cp1256"), b"x" * 1_000_001], ids=["utf-16", "cp1256", "large"]
)
def test_only_utf8_up_to_1_mb_is_read(content: bytes, write: Callable[..., Path], templates: Templates) -> None:
    """Another encoding or a huge file is an error that names the file."""
    write("t/sms.txt.j2", content)
    with pytest.raises(TemplateError, match=r"sms\.txt\.j2") as caught:
        templates.find("t", "sms", ChannelType.SMS)
    assert caught.value.code == "file_unreadable"
    assert ("save it as UTF-8" in caught.value.remedy) == (len(content) < 1_000_000)


def test_so_many_templates_are_kept_compiled(
    write: Callable[..., Path], templates: Templates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest makes way, so that memory does not grow with the folder."""
    monkeypatch.setattr(library, "MAX_COMPILED", 2)
    for name in "abc":
        write(f"{name}/sms.txt.j2", name)
    first, _, last = [templates.find(name, "sms", ChannelType.SMS) for name in "abc"]
    assert templates.find("c", "sms", ChannelType.SMS) is last
    assert templates.find("a", "sms", ChannelType.SMS) is not first


def test_a_template_is_compiled_once_until_a_file_changes(write: Callable[..., Path], templates: Templates) -> None:
    """The same object comes back until the template or anything that it is made of is edited."""
    write("t/sms.txt.j2", '{% include "layouts/x" %}{% include "layouts/y" ignore missing %}')
    write("layouts/x", "one")
    first = templates.find("t", "sms", ChannelType.SMS)
    assert templates.find("t", "sms", ChannelType.SMS) is first
    write("layouts/x", "two!")
    second = templates.find("t", "sms", ChannelType.SMS)
    assert second is not first
    write("layouts/y", "new")
    assert templates.find("t", "sms", ChannelType.SMS) is not second


def test_a_more_special_file_that_appears_serves_at_once(write: Callable[..., Path], templates: Templates) -> None:
    """A lookup looks again at what is there."""
    write("t/sms.txt.j2")
    templates.find("t", "sms", ChannelType.SMS, "fa")
    write("t/sms.fa.txt.j2")
    assert templates.find("t", "sms", ChannelType.SMS, "fa").path.name == "sms.fa.txt.j2"


def _age(root: Path) -> None:
    """Make a folder look as if its last change was an hour ago, as most folders do."""
    for path in [root, *root.rglob("*")]:
        os.utime(path, (time.time() - 3600,) * 2, follow_symlinks=False)


def test_an_unchanged_folder_is_not_listed_again(
    write: Callable[..., Path], root: Path, templates: Templates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A template that was found is found again with one look at each of its files."""
    write("t/sms.txt.j2")
    _age(root)
    found = templates.find("t", "sms", ChannelType.SMS)
    monkeypatch.setattr(os, "listdir", None)
    monkeypatch.setattr(os.path, "isfile", None)
    assert templates.find("t", "sms", ChannelType.SMS) is found


CHANGES: dict[str, Callable[[Path], object]] = {
    "the file is edited": lambda root: (root / "t/sms.txt.j2").write_text("edited"),
    "a layout is edited": lambda root: (root / "layouts/x").write_text("edited"),
    "an optional layout appears": lambda root: (root / "layouts/y").write_text("new"),
    "a more special file appears": lambda root: (root / "t/sms.fa.txt.j2").write_text("new"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_in_an_old_folder_takes_effect_at_once(
    change: Callable[[Path], object], write: Callable[..., Path], root: Path, templates: Templates
) -> None:
    """The next message has the new text, even if nothing had changed for long."""
    write("t/sms.txt.j2", '{% include "layouts/x" %}{% include "layouts/y" ignore missing %}')
    write("layouts/x", "old")
    _age(root)
    before = templates.find("t", "sms", ChannelType.SMS, "fa")
    assert templates.find("t", "sms", ChannelType.SMS, "fa") is before
    change(root)
    after = templates.find("t", "sms", ChannelType.SMS, "fa")
    assert after is not before
    assert after.render({}, datetime.now(UTC)) != {"body": "old"}


def test_an_edit_while_a_template_is_looked_for_takes_effect(
    write: Callable[..., Path], root: Path, templates: Templates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread finds the edited file first; the text before it is not remembered as the text of the new file."""
    write("t/sms.txt.j2", "old")
    _age(root)
    remember = templates._remember

    def edit_and_remember(*given: Any) -> None:
        monkeypatch.undo()
        write("t/sms.txt.j2", "edited")
        templates.find("t", "sms", ChannelType.SMS)
        remember(*given)

    monkeypatch.setattr(templates, "_remember", edit_and_remember)
    templates.find("t", "sms", ChannelType.SMS)
    assert templates.find("t", "sms", ChannelType.SMS).render({}, datetime.now(UTC)) == {"body": "edited"}


@pytest.mark.parametrize("moved", ["t", "t/sms.txt.j2"], ids=["the folder", "the file"])
def test_what_was_moved_out_of_an_old_folder_and_linked_is_refused(
    moved: str, write: Callable[..., Path], root: Path, templates: Templates
) -> None:
    """The link leads to the very file that served before, but out of the folder."""
    write("t/sms.txt.j2")
    _age(root)
    templates.find("t", "sms", ChannelType.SMS)
    outside = root.parent / "outside"
    folder = (root / "t").stat()
    (root / moved).rename(outside)
    (root / moved).symlink_to(outside)
    os.utime((root / moved).parent, ns=(folder.st_atime_ns, folder.st_mtime_ns))
    with pytest.raises(TemplateError) as caught:
        templates.find("t", "sms", ChannelType.SMS)
    assert caught.value.code == "template_path_refused"


def test_names_variants_and_samples(write: Callable[..., Path], root: Path, templates: Templates) -> None:
    """What exists is listed: templates but not layouts, files with what they are for, sample values."""
    write("b/sms.fa-IR.txt.j2")
    write("b/email.html.j2")
    write("b/notes.md")
    write("b/sample.yaml", "name: سارا\nn: 2\n")
    write("a/push.txt.j2")
    write("layouts/email.html.j2")
    assert templates.names() == ["a", "b"]
    found = [(v.channel, v.locale, v.format, v.path) for v in templates.variants("b")]
    assert found == [
        ("email", None, "html", root / "b/email.html.j2"),
        ("sms", "fa-IR", "txt", root / "b/sms.fa-IR.txt.j2"),
    ]
    assert templates.sample("b") == {"name": "سارا", "n": 2}
    assert templates.sample("a") == {}
    assert templates.variants("none") == []


@pytest.mark.parametrize(
    ("text", "code"), [("a: [", "yaml_invalid"), ("a: 012", "yaml_refused"), ("- a", "context_invalid")]
)
def test_a_wrong_sample_is_an_error_with_its_place(
    text: str, code: str, write: Callable[..., Path], templates: Templates
) -> None:
    """A sample that cannot be used says where."""
    path = write("t/sample.yaml", text)
    with pytest.raises(TemplateError) as caught:
        templates.sample("t")
    assert caught.value.code == code
    assert (caught.value.location or "").startswith(f"{path}:1:")


def test_a_sample_of_a_locale_wins_over_the_common_one(write: Callable[..., Path], templates: Templates) -> None:
    """Value by value, `fa-IR` over `fa`, however the locale is spelled; other locales do not see it."""
    write("t/sample.yaml", "name: سارا\nn: 2\n")
    write("t/sample.en.yaml", "name: Sara\n")
    write("t/sample.EN_us.yaml", "city: Boston\n")
    assert templates.sample("t", "en_US") == {"name": "Sara", "n": 2, "city": "Boston"}
    assert templates.sample("t", "en") == {"name": "Sara", "n": 2}
    assert templates.sample("t", "fa") == templates.sample("t") == {"name": "سارا", "n": 2}
    write("u/sample.en.yaml", "name: Sara\n")
    assert (templates.has_sample("u"), templates.has_sample("u", "en-GB")) == (False, True)


def test_a_sample_that_no_locale_uses_is_an_error(write: Callable[..., Path], templates: Templates) -> None:
    """Of a word that is no locale, or of a locale that another file is for."""
    path = write("t/sample.english.yaml", "name: Sara\n")
    with pytest.raises(TemplateError, match=r"`sample\.english\.yaml` is never used.*did you mean en\?") as caught:
        templates.sample("t")
    assert (caught.value.code, caught.value.location) == ("locale_unknown", str(path))
    write("u/sample.en-US.yaml", "name: Sara\n")
    write("u/sample.en_us.yaml", "name: Sara\n")
    with pytest.raises(TemplateError, match="have the same channel and locale") as caught:
        templates.sample("u")
    assert caught.value.code == "template_ambiguous"


def test_no_folder_no_names(tmp_path: Path) -> None:
    """A folder that is not there holds no templates."""
    assert Templates(tmp_path / "none").names() == []
