"""A list of two languages goes out in one campaign, each row in its own."""

import json
import shutil

import pytest

from helpers.accounting_server import AccountingServer, Taken, always
from helpers.campaigns import balance
from metrix_channels import CampaignError

ROWS = [(f"u{at}", ("سارا", "Sara")[at % 2], ("fa", "en")[at % 2]) for at in range(40)]
FALLING = [("f1", "Ali", ""), ("f2", "Ali", "english"), ("f3", "Ali", "de")]
BY_ROW = {"column": "lang", "default": "fa"}


def write_audience(project, rows):
    text = "customUserId,first_name,lang\n" + "".join(f"{','.join(row)}\n" for row in rows)
    (project.folder / "audience.csv").write_text(text, encoding="utf-8")


@pytest.fixture
def bilingual(project):
    """A template in Persian and English, and rows in both."""
    project.template("سلام {{ first_name }}").with_name("sms.en.txt.j2").write_text("Hi {{ first_name }}")
    write_audience(project, ROWS)
    project.campaign(locale=BY_ROW)
    return project


def run(project, **options):
    with project.notifier() as notifier:
        found = notifier.campaigns.run(project.folder / "offer.yaml", **options).as_dict()
    assert balance(found) == 0
    return found


def test_each_row_gets_the_text_of_its_locale(bilingual):
    """In as many requests as there are different texts; who falls back is in the report."""
    write_audience(bilingual, [*ROWS, *FALLING])
    with AccountingServer() as server:
        bilingual.configure(server.url)
        assert run(bilingual)["state"] == "finished"
        facts = bilingual.run("report", "offer").document["plan"]
    assert {who: server.texts[who]["body"] for who in ("u0", "u1", "f1", "f2", "f3")} == {
        "u0": "سلام سارا",
        "u1": "Hi Sara",
        **dict.fromkeys(("f1", "f2", "f3"), "سلام Ali"),
    }
    assert len(server.requests) == 3
    assert {name: each["recipients"] for name, each in facts["locales"].items()} == {"en": 20, "fa": 23}
    assert facts["sms_encodings"] == {"GSM-7": 20, "UCS-2": 23}
    assert {each["value"]: each["reason"] for each in facts["locale_fallbacks"]} == {
        "": "empty",
        "english": "unknown",
        "de": "no_template",
    }


def test_the_dry_run_says_who_falls_back_before_anything_is_sent(bilingual):
    """As does preflight, with a warning."""
    write_audience(bilingual, [*ROWS, *FALLING])
    bilingual.configure("http://127.0.0.1:9")
    plan = bilingual.run("run", "offer.yaml", "--dry-run").document["plan"]
    assert plan["locales"]["en"] == {"recipients": 20, "sms_parts": 20, "template": "offer/sms.en.txt.j2"}
    with bilingual.notifier() as notifier:
        checks = notifier.preflight(str(bilingual.folder / "offer.yaml"), offline=True).checks
    [check] = [each for each in checks if each.id == "campaign.plan"]
    assert check.status == "warn"
    assert "'english' is not a locale (did you mean en?), so 1 recipient gets the template for fa" in check.message


def test_a_canary_and_repeated_rows_keep_their_locale(bilingual):
    """Those who go first have both languages; a second row of a recipient counts for nothing."""
    write_audience(bilingual, [*ROWS, ("u0", "Sara", "en")])
    bilingual.campaign(locale=BY_ROW, canary=5)
    with AccountingServer() as server:
        bilingual.configure(server.url, batch_size=2)
        assert run(bilingual)["skipped"] == {"duplicate": 1}
    assert {who for several in server.requests[:3] for who in several} == {f"u{at}" for at in range(5)}
    assert all(server.texts[who]["body"] == ("سلام سارا", "Hi Sara")[lang == "en"] for who, _, lang in ROWS)


def test_a_run_goes_on_in_the_locales_that_it_was_planned_in(bilingual):
    """Without its files too, but for the look at them; batches that are split keep their locale."""
    bad = {"u3"}

    def script(recipients, _message, _body):
        return Taken(400, taken=False) if bad & set(recipients) else Taken()

    with AccountingServer(always(Taken(403, taken=False))) as server:
        bilingual.configure(server.url)
        assert run(bilingual)["state"] == "halted"
        server.script = script
        with bilingual.notifier() as notifier:
            found = notifier.campaigns.resume("offer")
        assert (found.accepted, found.rejected) == (39, 1)
    assert server.texts["u1"]["body"] == "Hi Sara"
    assert server.texts["u0"]["body"] == "سلام سارا"


def test_an_edit_of_one_locale_is_named(bilingual):
    """A file of a locale that no row has is no part of the run."""
    with AccountingServer(always(Taken(403, taken=False))) as server:
        bilingual.configure(server.url)
        assert run(bilingual)["state"] == "halted"
        english = bilingual.folder / "templates" / "offer" / "sms.en.txt.j2"
        english.with_name("sms.de.txt.j2").write_text("Hallo {{ first_name }}")
        english.write_text("Hello {{ first_name }}")
        with bilingual.notifier() as notifier, pytest.raises(CampaignError) as caught:
            notifier.campaigns.resume("offer")
        assert caught.value.code == "run_pinned"
        assert caught.value.message.endswith(
            "has changed since it was planned: the template's file offer/sms.en.txt.j2."
        )
        english.write_text("Hi {{ first_name }}")
        server.script = always(Taken())
        with bilingual.notifier() as notifier:
            assert notifier.campaigns.resume("offer").state == "finished"


@pytest.mark.parametrize(("row", "text"), [(None, "سلام سارا"), ("1", "سلام سارا"), ("2", "Hi Sara")])
def test_one_row_is_tried_in_its_locale(bilingual, row, text):
    """The message that a colleague gets is that of the run."""
    with AccountingServer() as server:
        bilingual.configure(server.url)
        result = bilingual.run("test", "offer.yaml", "--to", "colleague", *(["--row", row] if row else []))
        assert result.status == 0, result.err
    assert server.texts["colleague"] == {"body": text}


def test_the_column_may_be_a_value_of_the_template_too(bilingual):
    """And the rows may be JSON."""
    bilingual.template("{{ lang }} {{ first_name }}")
    rows = [{"customUserId": "a", "first_name": "سارا", "lang": "fa"}, {"customUserId": "b", "first_name": "Sara"}]
    rows += [{"customUserId": "c", "first_name": "Sara", "lang": "en"}]
    (bilingual.folder / "audience.jsonl").write_text("\n".join(map(json.dumps, rows)))
    bilingual.campaign(locale=BY_ROW, audience={"file": "audience.jsonl"}, context={"lang": "?"})
    with AccountingServer() as server:
        bilingual.configure(server.url)
        assert run(bilingual)["accepted"] == 3
    assert [server.texts[who]["body"] for who in "abc"] == ["fa سارا", "? Sara", "Hi Sara"]


@pytest.mark.parametrize(
    ("rule", "code", "words"),
    [
        ({"column": "language", "default": "fa"}, "audience_invalid", "no column 'language'"),
        ({"column": "lnag", "default": "fa"}, "audience_invalid", "did you mean 'lang'?"),
    ],
)
def test_a_column_that_is_not_there_is_refused(bilingual, rule, code, words):
    """With those that are."""
    bilingual.campaign(locale=rule)
    bilingual.configure("http://127.0.0.1:9")
    result = bilingual.run("run", "offer.yaml", "--yes")
    assert (result.status, result.document["error"]["code"]) == (2, code)
    assert words in result.document["error"]["message"]


def test_a_row_that_no_file_serves_stops_the_plan(bilingual):
    """Its line is named; nothing is sent."""
    shutil.move(
        bilingual.folder / "templates" / "offer" / "sms.txt.j2",
        bilingual.folder / "templates" / "offer" / "sms.fa.txt.j2",
    )
    write_audience(bilingual, [*ROWS, ("x", "Ali", "de")])
    bilingual.campaign(locale={"column": "lang"})
    bilingual.configure("http://127.0.0.1:9")
    error = bilingual.run("run", "offer.yaml", "--yes").document["error"]
    assert error["code"] == "plan_failed"
    assert "1 row (line 42)" in error["message"]
