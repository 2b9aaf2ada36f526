"""`preview`: what a template will look like, without secrets and without sending."""

import re

import pytest


@pytest.fixture
def bare(config):
    """A configuration whose secrets are nowhere."""
    config.with_name("metrix.key").unlink()
    return config


def test_every_channel_and_locale_is_shown(metrix, bare):
    """The exact document of an SMS: message, parts, no error."""
    result = metrix("--config", bare, "preview", "otp", "--json")
    assert result.status == 0
    shown = [(each["channel"], each["locale"]) for each in result.document["previews"]]
    assert shown == [("sms", None), ("sms", "en"), ("push", None), ("web_push", None)]
    assert result.document["previews"][0] == {
        "channel": "sms",
        "locale": None,
        "path": str(bare.parents[1] / "templates" / "otp" / "sms.txt.j2"),
        "message": {"body": "کد ورود شما: 4821"},
        "sms_parts": 1,
        "cautions": [],
        "error": None,
    }


def test_persian_is_printed_as_it_is(metrix, bare, templates):
    """Letters in their order, with their zero-width non-joiners, no direction marks added."""
    (templates / "otp" / "sms.txt.j2").write_text("می‌خواهید؟ کد: {{ code }}", encoding="utf-8")
    out = metrix("--config", bare, "preview", "otp", "--channel", "sms").out
    assert "می‌خواهید؟ کد: 4821" in out
    assert "1 part" in out


@pytest.mark.parametrize(("given", "found"), [("fa-IR", "کد ورود"), ("en-GB", "Your code"), ("de", "کد ورود")])
def test_a_locale_falls_back(metrix, bare, given, found):
    """To its language, then to the file without a locale."""
    result = metrix("--config", bare, "preview", "otp", "--channel", "sms", "--locale", given, "--json")
    (preview,) = result.document["previews"]
    assert found in preview["message"]["body"]
    assert [each["code"] for each in preview["cautions"]] == ([] if given == "en-GB" else ["locale_without_template"])


def test_nothing_is_cut_off_where_nobody_watches(metrix, bare):
    """A long text is folded inside its frame, to the last word."""
    words = [f"واژه{number}" for number in range(60)]
    out = metrix("--config", bare, "preview", "otp", "--channel", "sms", "--set", f"code={' '.join(words)}").out
    assert set(words) <= set(out.split())


def test_values_replace_those_of_the_sample(metrix, bare):
    """And may hold an equals sign."""
    result = metrix("--config", bare, "preview", "otp", "--set", "code=a=b", "--json")
    assert result.document["previews"][0]["message"]["body"].endswith("a=b")


def test_a_template_that_fails_shows_where_beside_those_that_do_not(metrix, bare, templates):
    """Exit status 2; the others are shown."""
    (templates / "otp" / "sms.en.txt.j2").write_text("{{ nme }}")
    result = metrix("--config", bare, "preview", "otp", "--channel", "sms", "--json")
    good, bad = result.document["previews"]
    assert (result.status, good["error"], bad["error"]["code"]) == (2, None, "template_undefined")
    assert bad["error"]["location"].endswith("sms.en.txt.j2:1:4")
    drawn = metrix("--config", bare, "preview", "otp", "--channel", "sms")
    assert "nme" in re.sub(r"[│\s]", "", drawn.out)
    assert drawn.err.startswith("→ Add the value to ")
    assert "otp/sample.yaml or sample.en.yaml beside it" in drawn.err


@pytest.mark.parametrize("name", ["nope", "", "../otp", "otp/sms", "/etc", "o\u202etp", "a" * 5000, "layouts"])
def test_a_template_that_is_not_there_is_an_error(metrix, bare, name):
    """Also names that lead out of the folder, and names no file could have."""
    result = metrix("--config", bare, "preview", "--json", "--", name)
    assert result.status == 2
    assert result.document["error"]["code"] in ("template_missing", "template_path_refused")


@pytest.mark.parametrize("locale", ["", "[/]", "../fa", "fa\x1b[31m", "a" * 300])
def test_a_locale_that_is_none_draws_nothing(metrix, bare, locale):
    """No markup, no escape sequence, no fault of our own."""
    result = metrix("--config", bare, "preview", "otp", f"--locale={locale}")
    assert result.status == 2
    assert "\x1b" not in result.out + result.err
    assert "[internal]" not in result.err


def test_what_a_template_says_cannot_draw_on_the_terminal(metrix, bare, templates):
    """A value with an escape sequence or a change of direction is refused or escaped."""
    result = metrix("--config", bare, "preview", "otp", "--channel", "sms", "--set", "code=\x1b[2J\u202e1")
    assert "\x1b" not in result.out + result.err
    assert "\u202e" not in result.out + result.err


def test_mail_is_shown_as_it_reads(metrix, bare, templates):
    """Without mark-up, style or comments."""
    (templates / "news").mkdir()
    html = "---\nsubject: خبر\n---\n<style>p {color: red}</style><!-- x --><p>سلام &amp; درود</p><p>دوم</p>"
    (templates / "news" / "email.html.j2").write_text(html, encoding="utf-8")
    out = metrix("--config", bare, "preview", "news").out
    assert "خبر" in out
    assert "سلام & درود" in out
    assert not {"color", "<p>", "-->"} & set(out.split())
