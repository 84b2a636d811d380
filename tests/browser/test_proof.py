"""Photos of a delivery, from the phone to the dispatcher and to the recipient."""

import uuid
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.days import MapWindow, Sent
from tests.serving import eventually

OpenMap = Callable[..., MapWindow]


def test_the_photo_of_a_delivery_opens_in_the_light_box(day: Sent, open_map: OpenMap, photo: bytes) -> None:
    stop = day.stops[0]
    day.act("success", stop, images=[day.attach(photo, "image", stop)])
    window = open_map(day.company)
    window.page.get_by_test_id("driver").first.click()
    window.page.locator(f"[data-testid=stop][data-order={stop['orderNo']}] button").first.click()
    window.page.get_by_test_id("thumb").first.click()
    picture = window.page.get_by_test_id("light-box").locator("img")
    eventually(lambda: picture.evaluate("image => image.naturalWidth") == 40, what="the photo, loaded")
    window.page.keyboard.press("Escape")
    expect(window.page.get_by_test_id("light-box")).to_have_count(0)


def test_the_recipient_sees_a_photo_that_comes_after_the_delivery(day: Sent, page: Page, photo: bytes) -> None:
    mine = day.stops[0]
    announced = str(uuid.uuid4())
    page.goto(day.tracking_url(mine))
    day.act("success", mine, note="photo follows", images=[announced])
    expect(page.get_by_test_id("note")).to_have_text("photo follows")
    day.attach(photo, "image", mine, announced)
    picture = page.get_by_test_id("proof").locator("img")
    expect(picture).to_have_js_property("naturalWidth", 40)
