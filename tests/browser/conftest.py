"""A browser for the tests of this folder; where there is none, they say so and are left out."""

import pytest

from helpers.chromium import MISSING, chromium, running_chromium


@pytest.fixture(autouse=True)
def _patient_expectations():
    """A busy machine takes longer to draw a page than the five seconds that Playwright waits for."""
    sync_api = pytest.importorskip("playwright.sync_api")
    sync_api.expect.set_options(timeout=60_000)


# Of a module: as long as it runs, Playwright occupies the event loop of this thread, and other tests have their own.
@pytest.fixture(scope="module")
def browser():
    if chromium() is None:
        pytest.skip(MISSING)
    with running_chromium() as browser:
        yield browser


@pytest.fixture
def open_page(browser):
    """Opens an address in a window of its own; whatever a script of the page complains of fails the test."""
    contexts, complaints = [], []

    def call(address, *, phone=False, dark=False, locale="en-US"):
        size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 900}
        # Past the pages' policy: only so can axe-core be run in them. The policy itself is tested over HTTP.
        context = browser.new_context(
            viewport=size, color_scheme="dark" if dark else "light", locale=locale, bypass_csp=True
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        return page

    yield call
    for context in contexts:
        context.close()
    assert complaints == []
