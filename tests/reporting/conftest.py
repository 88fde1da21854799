"""What the tests of pages share."""

import shutil

import pytest
from fake_records import group_record, statuses
from page_parser import Page
from rendering import render_group


@pytest.fixture(scope="module")
def group_html():
    return render_group(group_record(), statuses())


@pytest.fixture(scope="module")
def group_page(group_html):
    return Page(group_html)


@pytest.fixture(scope="session")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.fail("needs Debian's package 'chromium' (or another that installs 'chromium')")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, folder):
    """Open a page by name; any message on the console or request but its own fails the test."""
    problems = []
    contexts = []

    def open_page(name, width=1280, **options):
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            offline=True,
            reduced_motion="reduce",
            **options,
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto((folder / f"{name}.html").as_uri())
        return page

    requests = []
    yield open_page
    for context in contexts:
        context.close()
    assert problems == []
    assert all(url.startswith(("file:", "data:")) for url in requests)
    assert len([url for url in requests if url.startswith("file:")]) == len(contexts)
