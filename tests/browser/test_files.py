"""Pages that stand alone: a preview and a report, opened from the disk."""

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from helpers.accounting_server import AccountingServer, Taken
from helpers.campaigns import Project, people
from helpers.chromium import violations
from helpers.command_line import run_command

SAMPLES = Path(__file__).parents[2] / "templates"
HOSTILE = "<script>document.title='taken'</script>"


@pytest.fixture
def project(tmp_path):
    made = Project(tmp_path)
    shutil.copytree(SAMPLES, tmp_path / "templates")
    made.template("سلام {{ first_name }}")
    return made


def page_of(open_page, path, **options):
    """Open a file, and make sure that it asks nothing of anybody."""
    page = open_page(path.as_uri(), **options)
    loaded = page.evaluate("performance.getEntriesByType('resource').map(each => each.name)")
    assert [each for each in loaded if not each.startswith(("data:", "about:"))] == []
    assert page.locator("script").count() == 0
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    return page


@pytest.mark.parametrize("language", ["en", "fa"])
@pytest.mark.parametrize("phone", [False, True])
def test_a_preview_shows_every_channel_and_locale(project, open_page, language, phone):
    """SMS with its parts, push, a notification of the browser, and a mail in its frame."""
    project.configure("http://127.0.0.1:9")
    config = project.config.read_text().replace(
        '"sms": {', '"email": {"type": "email"}, "web": {"type": "web_push"}, "push": {"type": "app_push"}, "sms": {'
    )
    project.config.write_text(config)
    target = project.folder / "preview.html"
    done = run_command("preview", "promotion", "--html", target, "--lang", language, cwd=project.folder)
    assert done.status == 0, done.err
    page = page_of(open_page, target, phone=phone, dark=phone)
    expect(page.locator("article")).to_have_count(8)
    expect(page.frame_locator("iframe").first.locator("body")).to_contain_text("YALDA30")
    assert page.locator("html").get_attribute("dir") == ("rtl" if language == "fa" else "ltr")


def test_a_preview_of_rows_shows_what_each_would_get(project, open_page):
    """A script in a first name stays text; what a row lacks is said."""
    project.configure("http://127.0.0.1:9")
    (project.folder / "audience.jsonl").write_text(
        f'{{"customUserId": "u1", "first_name": "{HOSTILE}"}}\n{{"customUserId": "u2"}}\n', encoding="utf-8"
    )
    target = project.folder / "preview.html"
    rows = ("--audience", "audience.jsonl", "--row", "1", "--row", "2")
    done = run_command("preview", "offer", "--html", target, *rows, cwd=project.folder)
    assert done.status == 2
    page = page_of(open_page, target)
    expect(page.locator(".bubble")).to_have_text(f"سلام {HOSTILE}")
    expect(page.get_by_role("heading", name="2 · u2")).to_be_visible()
    expect(page.locator("main")).to_contain_text("template_undefined")
    assert page.title() != "taken"


@pytest.mark.parametrize("language", ["en", "fa"])
@pytest.mark.parametrize("phone", [False, True])
def test_a_report_says_what_became_of_everybody(project, open_page, language, phone):
    """Totals, time, skipped, errors with their remedies, the plan's facts."""
    trouble = {"u1": Taken(400, taken=False, body=HOSTILE.encode()), "u2": Taken(0)}
    with AccountingServer(lambda recipients, *_: trouble.get(recipients[0], Taken())) as server:
        project.configure(server.url, on_ambiguous="hold", batch_size=1)
        project.audience([*people(1200), ("u1", "x"), (" u", "x")])
        project.campaign()
        assert project.run("run", "offer.yaml", "--yes").status == 1
    target = project.folder / "report.html"
    assert project.run("report", "offer", "--html", str(target), "--lang", language).status == 0
    assert target.stat().st_mode & 0o777 == 0o600
    page = page_of(open_page, target, phone=phone, dark=phone)
    for words in {
        "en": ("1,202", "1,198", "Unknown outcome: 1", "duplicate", "invalid id", HOSTILE, "Journal"),
        "fa": ("۱٬۲۰۲", "۱٬۱۹۸", "نتیجهٔ نامعلوم: ۱", HOSTILE, "تاریخچه"),
    }[language]:
        expect(page.locator("main")).to_contain_text(words)
    expect(page.locator(".chart svg")).to_be_visible()
