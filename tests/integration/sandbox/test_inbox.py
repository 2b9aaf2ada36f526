"""The inbox as a page: what it shows and what it hides."""

import uuid

import httpx
import pytest

from metrix_channels.sandbox.inbox import Asked


@pytest.fixture
def client(metrix_sandbox):
    with httpx.Client(base_url=metrix_sandbox.url, trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture
def push(metrix_sandbox, client):
    """Sends a message as the API does."""
    credentials = {"X-Application-Id": metrix_sandbox.app_id, "X-API-Key": metrix_sandbox.api_key}

    def send(channel="SMS", body="سلام", to=("u1",), **fields):
        content = {"recipients": list(to), "channel": channel, "message": {"body": body, **fields}}
        assert client.post("/push", json=content, headers=credentials).status_code == 200

    return send


def test_messages_are_listed_newest_first(metrix_sandbox, client, push):
    """With recipients, text, and whether each was delivered or why not."""
    push("SMS", "پیام نخست", [f"u{number}" for number in range(8)])
    metrix_sandbox.test_channel("EMAIL")
    push("EMAIL", "پیام دوم", title="عنوان")
    page = client.get("/").text
    assert page.index("عنوان") < page.index("پیام نخست")
    assert "not delivered: channel not tested" in page
    assert "and 7 more" in page


def test_hostile_values_stay_text(client, push):
    """Markup is escaped wherever it stands, and the policy allows no script of the page itself."""
    hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    for channel in ("SMS", "WEB_PUSH", "EMAIL"):
        push(channel, hostile, [hostile], title=hostile)
        answer = client.get("/")
        assert "<script>" not in answer.text
        assert "<img" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


def test_a_mail_is_served_for_a_frame_that_runs_nothing(client, push):
    """As it is, under a policy of its own: no script, no form, nothing from elsewhere."""
    push("EMAIL", "<p>سلام</p><script>alert(1)</script>", title="t")
    page = client.get("/").text
    assert '<iframe src="/_sandbox/mails/1" sandbox ' in page
    answer = client.get("/_sandbox/mails/1")
    assert answer.text == "<p>سلام</p><script>alert(1)</script>"
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none';")
    assert client.get("/_sandbox/mails/99").text == ""


def test_what_was_dropped_or_refused_says_why(metrix_sandbox, client, push):
    """An event of a repeated time; a request without a recipient."""
    credentials = {"X-Application-Id": metrix_sandbox.app_id, "X-API-Key": metrix_sandbox.api_key}
    for _ in range(2):
        message = {"type": "action", "id": str(uuid.uuid4()), "time": 1_795_000_000_000, "customName": "x"}
        client.post("/", json={"customUserId": "u", "messages": [message]}, headers=credentials)
    assert "dropped: duplicate: the user already has an event at this time" in client.get("/?view=events").text
    client.post("/push", json={"recipients": []}, headers=credentials)
    page = client.get("/?view=requests").text
    assert "at least one customUserId" in page
    assert "<code>recipients</code>" in page
    assert metrix_sandbox.api_key not in page


def test_words_and_channels_narrow_the_list(client, push):
    """Texts, titles and recipients are searched, whatever the case."""
    push("SMS", "Order A-7 is on its way", ["sara"])
    push("EMAIL", "x", ["reza"], title="Spring sale")
    push("SMS", "کد ورود", ["leila"])

    def found(query):
        return [who for who in ("sara", "reza", "leila") if f"<bdi>{who}</bdi></b>" in client.get(query).text]

    assert found("/?q=order") == ["sara"]
    assert found("/?q=SPRING") == ["reza"]
    assert found("/?q=کد") == ["leila"]
    assert found("/?q=LEILA") == ["leila"]
    assert found("/?channel=SMS") == ["sara", "leila"]
    assert found("/?channel=SMS&q=x") == []
    assert "Nothing found." in client.get("/?q=nowhere").text


def test_an_sms_stands_in_the_thread_of_its_recipient(metrix_sandbox, client, push):
    """What that telephone received before, and nothing of others, nor what came later or never arrived."""
    push("SMS", "never arrived", ["u1"])
    metrix_sandbox.test_channel("SMS")
    push("SMS", "first", ["u1", "u2"])
    push("SMS", "of another", ["u3"])
    push("SMS", "second", ["u1"])
    push("SMS", "later", ["u1"])
    page = client.get("/?show=4").text
    bubbles = [line.split(">", 1)[1].removesuffix("</p>") for line in page.splitlines() if 'class="bubble' in line]
    assert bubbles == ["first", "second"]
    assert '<p class="bubble now" dir="auto">second</p>' in page


def test_many_messages_come_in_pages(client, push):
    """50 at a time, each leading to the older ones."""
    for number in range(120):
        push(body=f"message {number}.")
    seen, address = [], "/"
    while address:
        page = client.get(address).text
        seen += [number for number in range(120) if f'<span class="line" dir="auto">message {number}.<' in page]
        older = [line for line in page.splitlines() if "before=" in line and "button" in line]
        address = older[0].split('href="')[1].split('"')[0].replace("&amp;", "&") if older else ""
    assert sorted(seen) == list(range(120))


def test_forms_lead_back_to_the_page_that_they_stood_on(metrix_sandbox, client):
    """Test, fault and clear; the gate lets no page from elsewhere in."""
    headers = {"Origin": metrix_sandbox.url, "Referer": f"{metrix_sandbox.url}/?view=requests", "Accept": "text/html"}
    for path, fields in (
        ("/_sandbox/channels/SMS/test", {"": ""}),
        ("/_sandbox/faults/form", {"fault": "status:503", "times": "3"}),
    ):
        answer = client.post(path, headers=headers, data=fields)
        assert (answer.status_code, answer.headers["location"]) == (303, "/?view=requests")
    page = client.get("/").text
    assert "SMS ✓ tested" in page
    assert "status:503 × 3" in page
    assert client.post("/_sandbox/clear", headers=headers).status_code == 303
    assert "status:503 × 3" not in client.get("/").text
    foreign = {"Origin": "https://evil.example", "Accept": "text/html"}
    assert client.post("/_sandbox/clear", headers=foreign).status_code == 403
    assert client.post("/_sandbox/faults/form", headers=headers, data={"fault": "fire"}).status_code == 400


def test_changes_are_told_at_once(metrix_sandbox, client, push):
    """As server-sent events: the version that the page carries, and each new one."""
    with client.stream("GET", "/_sandbox/changes") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = (line for line in stream.iter_lines() if line)
        first = next(lines)
        assert f'data-version="{first.removeprefix("data: ")}"' in client.get("/").text
        push()
        assert next(lines) != first


def test_a_language_is_remembered(client, push):
    """Asked for once, by a link; else it is the browser's."""
    push()
    assert '<html lang="fa" dir="rtl">' in client.get("/", headers={"Accept-Language": "fa-IR"}).text
    assert '<html lang="en" dir="ltr">' in client.get("/").text
    assert '<html lang="fa" dir="rtl">' in client.get("/?lang=fa").text
    assert '<html lang="fa" dir="rtl">' in client.get("/").text


@pytest.mark.parametrize("name", ["style.css", "live.js"])
def test_stylesheet_and_script_are_served(client, name):
    """And nothing else of the package."""
    assert client.get(f"/_sandbox/static/{name}").status_code == 200
    assert client.get("/_sandbox/static/..%2frendering.py").status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        {"view": "nothing", "channel": "PIGEON", "before": "x", "show": "-1", "q": "  "},
        {"before": "9" * 400, "show": "١"},
    ],
)
def test_a_url_that_makes_no_sense_shows_the_inbox(query):
    """Instead of an error."""
    assert Asked.of(query) == Asked("messages", "", "", 0, 0)
