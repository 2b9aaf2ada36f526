"""The dashboard over HTTP: who may come in, and what is shown."""

import asyncio
import json
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from helpers.accounting_server import AccountingServer, Taken
from helpers.campaigns import Project, document, people, started, under_way
from helpers.dashboards import base_of, running_dashboard
from metrix_channels.config import ConfigFile
from metrix_channels.ledger import LocalRunBook, open_database

FOLLOWING = {"trust_env": False, "follow_redirects": True, "timeout": 20}


@pytest.fixture
def project(tmp_path):
    """A finished campaign with hostile names, one rejected and one unknown recipient."""
    made = Project(tmp_path)
    made.template("سلام {{ first_name }}")

    def answer(recipients, _message, _body):
        if recipients == ["u3"]:
            return Taken(400, taken=False, body=b"no such <b>user</b>")
        return Taken(0) if recipients == ["u4"] else Taken()

    with AccountingServer(answer) as server:
        made.configure(server.url, on_ambiguous="hold")
        made.audience([(f"u{at}", f"<script>{at}</script>") for at in range(10)])
        made.campaign("offer")
        with made.notifier() as notifier:
            notifier.run_campaign(made.folder / "offer.yaml")
        yield made


@pytest.fixture
def client(project):
    """A browser that opened the link."""
    with dashboard_of(project) as client:
        yield client


@contextmanager
def dashboard_of(project):
    with running_dashboard(project.folder) as link, httpx.Client(base_url=base_of(link), **FOLLOWING) as client:
        client.link = link
        assert client.get(link).status_code == 200
        yield client


def key_of(page):
    return re.search(r'name="key" value="(\w+)"', page)[1]


def test_without_the_token_nothing_is_shown(client):
    """No page, no stylesheet, no word of a change; a wrong token opens nothing."""
    stranger = httpx.Client(base_url=base_of(client.link), trust_env=False)
    for path in ("/", "/campaigns/offer", "/static/style.css", "/changes", "/?token=wrong", "/?token="):
        answer = stranger.get(path)
        assert answer.status_code == 401
        assert "offer" not in answer.text
    assert stranger.post("/actions", data={"what": "cancel", "name": "offer"}).status_code == 401
    stranger.close()


def test_the_token_leaves_the_address_at_once(client):
    """It becomes a cookie that no script can read and no other site makes the browser send."""
    with httpx.Client(trust_env=False) as fresh:
        answer = fresh.get(client.link)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "httponly" in answer.headers["set-cookie"].lower()
    assert "samesite=strict" in answer.headers["set-cookie"].lower()
    elsewhere = client.link.replace("/?token", "//evil.example/?token")
    with httpx.Client(trust_env=False) as fresh:
        assert fresh.get(elsewhere).headers["location"] == "/evil.example/"


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_a_web_page_elsewhere_is_refused(client, headers):
    """Also with the cookie: DNS rebinding shows in Host, another site in Origin."""
    assert client.get("/", headers=headers).status_code == 403


def test_a_form_from_elsewhere_is_refused(client):
    """It needs the key of the page, and the browser's word on where it stood."""
    page = client.get("/campaigns/offer").text
    assert "form" not in page or "key" in page
    base = base_of(client.link)
    form = {"what": "cancel", "name": "offer"}
    assert client.post("/actions", data=form, headers={"Origin": base}).status_code == 403
    assert client.post("/actions", data=form | {"key": "0" * 32}, headers={"Origin": base}).status_code == 403
    assert client.post("/actions", data=form | {"key": "é"}, headers={"Origin": base}).status_code == 403
    assert client.post("/actions", content=b"x" * 5000, headers={"Origin": base}).status_code == 413
    assert client.get("/actions").status_code == 405


def test_headers_allow_nothing_from_elsewhere(client):
    """A strict policy on every page."""
    for path in ("/", "/channels", "/templates", "/campaigns/nope"):
        policy = client.get(path).headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self'")
        assert "unsafe" not in policy


def test_a_mail_in_its_frame_can_do_nothing(client):
    """Whatever its HTML says: no script runs, no form is sent, nothing is loaded from elsewhere."""
    for path in ("/mails/offer/sms", "/mails/nope/sms"):
        policy = client.get(path).headers["content-security-policy"]
        assert policy.startswith("sandbox; default-src 'none';")
        assert "form-action 'none'" in policy
        assert "script" not in policy


def test_a_campaign_is_shown_whole(client):
    """Outcomes, what went wrong with its remedy, unknowns with what to do, plan and journal; hostile names as text."""
    page = client.get("/campaigns/offer").text
    assert "no such &lt;b&gt;user&lt;/b&gt;" in page
    assert "<b>user</b>" not in page
    for words in ("finished with errors", "Unknown outcome: 1", "campaign retry", "<code>400</code>", "planned"):
        assert words in page, words
    listed = client.get("/").text
    assert "8 of 10 accepted" in listed
    assert "1 unknown" in listed


def test_a_campaign_that_is_being_planned_is_shown(client, project, tmp_path):
    """Its channel and template are not known yet; the page, the report and its rows say what is."""

    async def draft():
        database = open_database(ConfigFile(project.folder / "channels.yaml").current())
        await LocalRunBook(database).draft("new", "new.yaml", {})
        page = await asyncio.to_thread(client.get, "/campaigns/new")
        rows, html = tmp_path / "rows.csv", tmp_path / "report.html"
        reported = await asyncio.to_thread(project.run, "report", "new", "--csv", rows, "--html", html, "--json")
        await database.close()
        assert reported.status == 0, reported
        return page, reported, rows.read_text("utf-8").splitlines(), html.read_text("utf-8")

    page, reported, rows, html = asyncio.run(draft())
    assert (page.status_code, reported.status, len(rows)) == (200, 0, 1)
    assert "planning" in page.text
    assert "planning" in html


def test_channels_show_what_their_tests_are_worth(client, project):
    """And what to do about one that nobody tested."""
    assert "tested" in client.get("/channels").text
    project.config.write_text(project.config.read_text().replace('"verified": true', '"verified": false'))
    page = client.get("/channels").text
    assert "nothing is sent" in page
    assert "channels verify sms" in page


def test_channels_say_until_when_their_tests_count(client, project):
    """From 14 days before the end also that nothing is sent then, in both languages, with what to run."""
    today = datetime.now(UTC).date()
    for days, announced in ((60, False), (9, True)):
        verified = json.dumps({"at": str(today), "expires": f"{days}d"})
        text = project.config.read_text()
        project.config.write_text(re.sub(r'"verified": (true|\{[^}]*\})', f'"verified": {verified}', text, count=1))
        page = client.get("/channels").text
        day = today + timedelta(days=days)
        assert f"{day.day} {day:%b %Y}" in page
        assert ("After that, nothing is sent." in page) is announced
        assert ("channels verify sms" in page) is announced
        persian = client.get("/channels?lang=fa").text
        assert "معتبر تا" in persian
        assert ("پس از آن چیزی فرستاده نمی‌شود" in persian) is announced
        client.get("/channels?lang=en")


def test_templates_are_previewed(client, project):
    """With their sample; one that cannot be rendered says why."""
    folder = project.folder / "templates" / "offer"
    assert "template_undefined" in client.get("/templates/offer").text
    (folder / "sample.yaml").write_text("first_name: <script>alert(1)</script>\n", encoding="utf-8")
    page = client.get("/templates/offer").text
    assert "سلام &lt;script&gt;" in page
    assert "offer" in client.get("/templates").text
    assert client.get("/templates/..%2f..").status_code in (404, 422)
    assert "template_path_refused" in client.get("/templates/.hidden").text


def test_what_cannot_be_shown_says_why(client, project):
    """A campaign that there is none of; a configuration that was broken meanwhile; never a traceback."""
    missing = client.get("/campaigns/nope")
    assert (missing.status_code, "run_missing" in missing.text) == (404, True)
    project.config.write_text("{")
    broken = client.get("/channels")
    assert broken.status_code == 422
    with client.stream("GET", "/changes") as stream:
        assert next(stream.iter_lines()).startswith("data: ")
    assert "yaml_invalid" in broken.text


@pytest.mark.parametrize(
    ("template", "code"),
    [
        ("x\n{% block a %}{% endblock %}\n{% block a %}{% endblock %}", "template_syntax"),
        ("{% for loop in a %}{% endfor %}", "template_syntax"),
        ("{{ a|default(x=1, x=2) }}", "template_syntax"),
        ("{{ 0x" + "f" * 5000 + " }}", "template_syntax"),
        ("{% for a in b %}" * 25 + "{% endfor %}" * 25, "template_syntax"),
        ("{{ 'a' * 10**9 }}", "template_too_costly"),
        ("{{ '\\ud800' }}", "field_invalid"),
        ("---\ntitle: [\n---\nx", "yaml_invalid"),
    ],
)
def test_no_template_is_a_fault_of_a_page(client, project, template, code):
    """Whatever stands in a template, its page and its mail are shown, with what is wrong; the others go on."""
    folder = project.folder / "templates" / "odd"
    folder.mkdir()
    (folder / "sms.txt.j2").write_text(template, encoding="utf-8")
    page = client.get("/templates/odd")
    assert (page.status_code, code in page.text) == (200, True)
    assert client.get("/mails/odd/sms").status_code == 200
    assert client.get("/templates").status_code == 200
    assert client.get("/templates/offer").status_code == 200


@pytest.mark.parametrize("sample", ["[1]", "a: [", "a: &x 1", '"\\ud800": 1', "now: 1", "first_name: {a: [.nan]}"])
def test_no_sample_is_a_fault_of_a_page(client, project, sample):
    """A sample that cannot be read is named; the page is no fault of the server."""
    (project.folder / "templates" / "offer" / "sample.yaml").write_text(sample, encoding="utf-8")
    assert client.get("/templates/offer").status_code in (200, 422)
    assert client.get("/mails/offer/sms").status_code == 200


def test_an_order_that_cannot_be_carried_out_says_why(project):
    """A halted campaign whose template was edited: it is pinned."""
    with AccountingServer(lambda *_: Taken(403, taken=False)) as server:
        project.configure(server.url)
        project.audience(people(5))
        project.campaign("halts")
        with project.notifier() as notifier:
            assert notifier.run_campaign(project.folder / "halts.yaml").state == "halted"
        project.template("سلام {{ first_name }}!")
        with dashboard_of(project) as client:
            origin = {"Origin": base_of(client.link)}
            form = {"key": key_of(client.get("/campaigns/halts").text), "what": "resume", "name": "halts"}
            assert client.post("/actions", data=form).status_code == 403  # no browser leaves the origin out
            answer = client.post("/actions", data=form, headers=origin)
            assert answer.url.path == "/campaigns/halts"
            assert "run_pinned" in answer.text
            form["what"] = "dance"
            assert "run_pinned" not in client.post("/actions", data=form, headers=origin).text


def test_a_campaign_that_was_resumed_here_is_left_resumable(project):
    """When the dashboard ends: requests in flight end first, and nobody gets it twice."""
    with AccountingServer(seconds=0.05) as server:
        project.configure(server.url, batch_size=1, concurrency=2)
        project.audience(people(200))
        project.campaign("long")
        process = started(project, "run", "long.yaml", "--yes")
        under_way(server)
        project.run("pause", "long")
        assert document(process)[1]["state"] == "paused"
        with dashboard_of(project) as client:
            sent = len(server.requests)
            form = {"key": key_of(client.get("/campaigns/long").text), "what": "resume", "name": "long"}
            client.post("/actions", data=form, headers={"Origin": base_of(client.link)})
            under_way(server, sent + 8)
        left = json.loads(project.run("status", "long").out)
        assert left["state"] == "interrupted"
        assert left["accepted"] == len(server.account) < 200
        assert project.run("resume", "long").status == 0
        assert set(server.account.values()) == {1}
        assert len(server.account) == 200


@pytest.mark.parametrize("descriptors", [32, 48])
def test_with_few_descriptors_every_browser_is_answered(project, descriptors):
    """More of them than connections fit, and all at one time."""

    def look(client):
        return client.get("/campaigns/offer").status_code

    with running_dashboard(project.folder, descriptors) as link:
        browsers = [httpx.Client(base_url=base_of(link), **FOLLOWING | {"timeout": 60}) for _ in range(40)]
        assert {browser.get(link).status_code for browser in browsers} == {200}
        with ThreadPoolExecutor(len(browsers)) as pool:
            assert set(pool.map(look, browsers)) == {200}
        for browser in browsers:
            browser.close()
