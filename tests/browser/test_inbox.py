"""The inbox in a real browser."""

import httpx
import pytest
from playwright.sync_api import expect

from helpers.chromium import WAYS, violations


@pytest.fixture
def push(metrix_sandbox):
    def send(channel, body, to=("user-42",), **fields):
        headers = {"X-Application-Id": metrix_sandbox.app_id, "X-API-Key": metrix_sandbox.api_key}
        content = {"recipients": list(to), "channel": channel, "message": {"body": body, **fields}}
        assert (
            httpx.post(f"{metrix_sandbox.url}/push", json=content, headers=headers, trust_env=False).status_code == 200
        )

    return send


@pytest.fixture
def full(metrix_sandbox, push):
    """Something of everything."""
    push("SMS", "کد ورود شما: ۴۸۲۱")
    for channel in ("SMS", "EMAIL", "WEB_PUSH", "APP_PUSH"):
        metrix_sandbox.test_channel(channel)
    push("SMS", "سلام سارا، سفارش شما تحویل پیک شد.")
    push("EMAIL", "<h1>سلام</h1><p>سفارش شما رسید</p>", title="سفارش شما رسید")
    push("APP_PUSH", "سفارش A-7 تحویل شد.", title="سارا، سفارش شما رسید")
    push("WEB_PUSH", "تا جمعه", title="حراج", buttons=[{"label": "مشاهده", "link": "https://example.com"}],
         images=[{"url": "https://example.com/banner.jpg"}], icon="https://example.com/i.png")  # fmt: skip
    metrix_sandbox.inject("status:503", times=2)


def test_a_message_appears_without_a_reload(metrix_sandbox, open_page, push):
    """In the list, in the count and in the window's title; what is typed into the search stays."""
    page = open_page(metrix_sandbox.url)
    expect(page.get_by_text("Nothing has arrived yet.")).to_be_visible()
    page.get_by_role("searchbox").fill("half a wo")
    push("SMS", "سلام سارا")
    expect(page.locator("#list").get_by_text("سلام سارا")).to_be_visible()
    expect(page.locator(".bubble")).to_have_text("سلام سارا")
    expect(page).to_have_title("Inbox · 1")
    expect(page.get_by_role("searchbox")).to_have_value("half a wo")


def test_a_script_in_a_message_stays_text(metrix_sandbox, open_page, push):
    """In an SMS, a push and a mail: nothing runs, and it can be read."""
    hostile = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
    for channel in ("SMS", "WEB_PUSH", "EMAIL"):
        push(channel, hostile, [hostile], title=hostile)
        page = open_page(metrix_sandbox.url)
        expect(page.locator("#list")).to_contain_text(hostile)
        page.wait_for_timeout(200)
        assert "taken" not in page.title()
    assert page.frame_locator("iframe").locator("script").count() == 1


def test_a_channel_is_tested_by_its_button(metrix_sandbox, open_page, push):
    """Until then its messages are shown as not delivered, and why."""
    push("SMS", "سلام")
    page = open_page(metrix_sandbox.url)
    expect(page.locator("#detail")).to_contain_text("the channel was never tested")
    page.get_by_role("button", name="SMS · Test").click()
    expect(page.get_by_text("SMS ✓ tested")).to_be_visible()
    push("SMS", "سلام دوباره")
    expect(page.locator("#list").get_by_text("delivered", exact=True)).to_be_visible()


def test_faults_are_played_from_the_page(metrix_sandbox, open_page):
    """Chosen, counted, and gone once they were played."""
    page = open_page(metrix_sandbox.url)
    page.get_by_label("Next requests").select_option("status:503")
    page.get_by_label("×").fill("2")
    page.get_by_role("button", name="Simulate the fault").click()
    expect(page.locator("#controls")).to_contain_text("status:503 × 2")
    for _ in range(2):
        assert httpx.post(f"{metrix_sandbox.url}/push", json={}, trust_env=False).status_code == 503
    expect(page.locator("#controls")).not_to_contain_text("status:503 ×")
    page.get_by_role("link", name="Requests").click()
    expect(page.locator("#list").get_by_text("503").first).to_be_visible()


def test_clearing_asks_first(metrix_sandbox, open_page, full):
    """No is no."""
    page = open_page(metrix_sandbox.url)
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Clear").click()
    assert len(metrix_sandbox.messages()) == 5
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_text("Nothing has arrived yet.")).to_be_visible()


def test_the_keyboard_is_enough(metrix_sandbox, open_page, full):
    """From the top to the content, and through the list."""
    page = open_page(metrix_sandbox.url)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    page.locator("#list a").nth(3).focus()
    page.keyboard.press("Enter")
    expect(page.locator(".bubble.now")).to_have_text("سلام سارا، سفارش شما تحویل پیک شد.")


def test_persian_runs_from_right_to_left(metrix_sandbox, open_page, full):
    """The page for a Persian reader; and Persian messages for everybody."""
    page = open_page(metrix_sandbox.url, locale="fa-IR")
    assert page.evaluate("getComputedStyle(document.body).direction") == "rtl"
    expect(page.get_by_role("link", name="پیام‌ها")).to_contain_text("۵")
    english = open_page(metrix_sandbox.url + "/?show=2")
    assert english.evaluate("getComputedStyle(document.querySelector('.bubble')).direction") == "rtl"


@pytest.mark.parametrize(("phone", "dark", "locale"), WAYS)
def test_nobody_is_left_out(metrix_sandbox, open_page, full, locale, dark, phone):
    """axe-core finds nothing serious, and nothing is wider than the window."""
    for path in ("/", "/?show=1", "/?show=2", "/?show=4", "/?show=5", "/?view=events", "/?view=requests"):
        page = open_page(metrix_sandbox.url + path, phone=phone, dark=dark, locale=locale)
        assert violations(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
