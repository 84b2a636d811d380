"""The machine's own Chromium, driven through the built pages of a real server."""

import io
from collections.abc import Callable, Iterator

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.days import PATIENCE_MS, MapWindow, Sent, send_day
from tests.chromium import program
from tests.serving import Company, eventually

FLAGS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    found = program()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, headless=True, args=FLAGS, timeout=2 * PATIENCE_MS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page that fails its test for any error in it, a breach of the content policy included."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None)
    yield page
    context.close()
    assert not errors, errors


@pytest.fixture
def open_map(page: Page) -> Callable[..., MapWindow]:
    """``open_map(company)`` is the live map of a company, loaded and live."""

    def open_(company: Company, key: str | None = None, date: str | None = None) -> MapWindow:
        query = f"?date={date}" if date else ""
        page.goto(f"{company.server.url}/map{query}#key={key or company.key}")
        window = MapWindow(page)
        eventually(window.ready, within_s=120, what="a live map")
        return window

    return open_


@pytest.fixture
def day(company: Company) -> Sent:
    """Ana has three orders, planned and sent for today."""
    return send_day(company)


@pytest.fixture
def photo() -> bytes:
    """A small picture, 40 pixels wide."""
    made = io.BytesIO()
    Image.new("RGB", (40, 30), (30, 120, 90)).save(made, "PNG")
    return made.getvalue()
