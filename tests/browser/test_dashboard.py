"""The dashboard in a real browser, beside a real campaign in a process of its own."""

import re

import pytest
from playwright.sync_api import expect

from helpers.accounting_server import AccountingServer, Taken
from helpers.campaigns import Project, document, people, started, under_way
from helpers.chromium import WAYS, violations
from helpers.dashboards import base_of, running_dashboard


@pytest.fixture
def project(tmp_path):
    """A campaign of 400, and its dashboard."""
    made = Project(tmp_path)
    made.template("سلام {{ first_name }}")
    (tmp_path / "templates" / "offer" / "sample.yaml").write_text("first_name: سارا\n", encoding="utf-8")
    made.audience(people(400))
    made.campaign()
    return made


def accepted(page):
    """What the page says of the recipients who were accepted."""
    text = page.locator("#outcomes dd.good").inner_text()
    return int(text.replace(",", ""))


def test_a_bar_moves_while_a_campaign_runs(project, open_page):
    """It appears in the list by itself, and its page follows it to the end."""
    with AccountingServer(seconds=0.5) as server:
        project.configure(server.url, batch_size=1, concurrency=4)
        with running_dashboard(project.folder) as link:
            page = open_page(link)
            expect(page.get_by_text("No campaigns yet")).to_be_visible()
            process = started(project, "run", "offer.yaml", "--yes")
            page.get_by_role("link", name=re.compile("offer")).click(timeout=60_000)
            expect(page.locator("#head")).to_contain_text("running")
            first, width = accepted(page), page.locator(".bar .fill-pending").get_attribute("width")
            expect(page.locator(".bar .fill-pending")).not_to_have_attribute("width", width)
            assert accepted(page) > first
            server.seconds = 0
            expect(page.locator("#head")).to_contain_text("finished", timeout=60_000)
            assert accepted(page) == 400
            expect(page).to_have_title("offer · 100%")
            assert document(process)[0] == 0


def test_pause_and_resume_work(project, open_page):
    """The campaign's own process pauses; the dashboard's takes it up; nobody gets it twice."""
    with AccountingServer(seconds=0.5) as server:
        project.configure(server.url, batch_size=1, concurrency=4)
        process = started(project, "run", "offer.yaml", "--yes")
        under_way(server)
        with running_dashboard(project.folder) as link:
            open_page(link)
            page = open_page(link.replace("/?", "/campaigns/offer?"))
            page.get_by_role("button", name="Pause").click()
            expect(page.locator("#head")).to_contain_text("paused")
            status, left = document(process)
            assert (status, left["state"]) == (4, "paused")
            sent = len(server.requests)
            server.seconds = 0
            page.get_by_role("button", name="Resume").click()
            expect(page.locator("#head")).to_contain_text("finished", timeout=60_000)
        assert 0 < sent < 400
        assert set(server.account.values()) == {1}
        assert len(server.account) == 400


def test_cancelling_asks_first(project, open_page):
    """No is no; yes is for good."""
    with AccountingServer(lambda *_: Taken(403, taken=False)) as server:
        project.configure(server.url)
        document(started(project, "run", "offer.yaml", "--yes"))
        with running_dashboard(project.folder) as link:
            page = open_page(link.replace("/?", "/campaigns/offer?"))
            expect(page.locator("#advice")).to_contain_text("credentials_refused")
            page.once("dialog", lambda dialog: dialog.dismiss())
            page.get_by_role("button", name="Cancel").click()
            expect(page.locator("#head")).to_contain_text("halted")
            page.once("dialog", lambda dialog: dialog.accept())
            page.get_by_role("button", name="Cancel").click()
            expect(page.locator("#head")).to_contain_text("cancelled")
            expect(page.get_by_role("button", name="Resume")).to_have_count(0)


def test_a_persian_preview_runs_from_right_to_left(project, open_page):
    """In an English page; and a script in a first name stays text."""
    project.configure("http://127.0.0.1:9")
    sample = project.folder / "templates" / "offer" / "sample.yaml"
    with running_dashboard(project.folder) as link:
        page = open_page(link.replace("/?", "/templates/offer?"))
        bubble = page.locator(".bubble")
        expect(bubble).to_have_text("سلام سارا")
        assert bubble.evaluate("element => getComputedStyle(element).direction") == "rtl"
        sample.write_text("first_name: \"<script>document.title='taken'</script>\"\n", encoding="utf-8")
        page.reload()
        expect(bubble).to_contain_text("<script>")
        assert page.title() != "taken"


def test_without_the_link_there_is_nothing(project, open_page):
    """A browser that guesses the address is told to open the link."""
    project.configure("http://127.0.0.1:9")
    with running_dashboard(project.folder) as link:
        expect(open_page(base_of(link)).locator("body")).to_contain_text("The token is missing or wrong")


@pytest.mark.parametrize(("phone", "dark", "locale"), WAYS)
def test_nobody_is_left_out(project, open_page, locale, dark, phone):
    """axe-core finds nothing serious on any page, and nothing is wider than the window."""
    trouble = {"u1": Taken(400, taken=False), "u2": Taken(0)}
    with AccountingServer(lambda recipients, *_: trouble.get(recipients[0], Taken())) as server:
        project.configure(server.url, on_ambiguous="hold", batch_size=1)
        project.audience([*people(10), ("u1", "x"), (" u", "x")])
        document(started(project, "run", "offer.yaml", "--yes"))
        with running_dashboard(project.folder) as link:
            for path in ("/", "/campaigns/offer", "/channels", "/templates", "/templates/offer", "/campaigns/nope"):
                page = open_page(link.replace("/?", f"{path}?"), phone=phone, dark=dark, locale=locale)
                assert violations(page) == [], path
                assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
