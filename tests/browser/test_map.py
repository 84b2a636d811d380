"""The dispatcher's live map, as a dispatcher sees it."""

import itertools
import re
import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from playwright.sync_api import Page, expect

from tests.browser.days import MapWindow, Sent, send_day, viewer_key
from tests.serving import Company, Server, eventually

OpenMap = Callable[..., MapWindow]
HOSTILE = '<img src=x onerror="window.hacked=1">\'"><script>window.hacked=1</script>'


def test_a_van_glides_to_where_its_phone_says_it_is(day: Sent, open_map: OpenMap) -> None:
    day.act("on_duty")
    day.at(15.980)
    window = open_map(day.company)
    eventually(lambda: window.longitude() == pytest.approx(15.980, abs=1e-7), what="the van at its first place")
    window.hold_clock()
    before = window.driver()["timestamp"]
    day.at(15.9804)
    eventually(lambda: window.driver()["timestamp"] > before, what="the van's next place")
    way = [window.longitude(), *window.pass_ms(7000)]
    assert (way[0], way[-1]) == pytest.approx((15.980, 15.9804), abs=1e-7)
    assert all(0 <= after - before < 0.0001 for before, after in pairwise(way)), f"it leapt, or went back: {way}"
    assert window.driver()["heading"] == pytest.approx(90, abs=1)
    assert window.drawn()["vehicles"] == 1
    label = window.page.get_by_test_id("vehicle-label").first
    expect(label).to_have_text("Ana")


def test_an_order_turns_green_when_the_driver_delivers_it(day: Sent, open_map: OpenMap) -> None:
    window = open_map(day.company)
    assert window.orders() == {"A0": "scheduled", "A1": "scheduled", "A2": "scheduled"}
    first = day.stops[0]
    day.act("start_route")
    eventually(lambda: window.orders()[first["orderNo"]] == "on_route", what="the first stop on the way")
    day.act("success", first, note="left at the door")
    eventually(lambda: window.orders()[first["orderNo"]] == "success", what="the order delivered")
    page = window.page
    expect(page.get_by_test_id("status-success")).to_contain_text("Delivered1")
    page.get_by_test_id("event").filter(has_text="delivered").click()
    expect(page.get_by_test_id("day-name")).to_have_text("Ana")
    row = page.locator(f"[data-testid=stop][data-order={first['orderNo']}]")
    expect(row).to_have_attribute("data-status", "success")
    expect(row.get_by_test_id("note")).to_have_text("left at the door")


def test_it_comes_back_by_itself_after_the_server_was_killed(
    tmp_path_factory: pytest.TempPathFactory, open_map: OpenMap
) -> None:
    server = Server(tmp_path_factory.mktemp("killed") / "data").start()
    try:
        day = send_day(server.account())
        day.act("on_duty")
        day.at(15.980)
        window = open_map(day.company)
        server.kill()
        eventually(lambda: window.connection() in ("waiting", "connecting"), what="the page noticing")
        pill = window.page.get_by_test_id("connection")
        expect(pill).to_contain_text(re.compile(r"Reconnecting in \d+ s|Connecting"))
        server.start()
        day.act("success", day.stops[0])
        day.at(15.9805)
        eventually(window.ready, within_s=120, what="the page being live again")
        eventually(lambda: window.longitude() == pytest.approx(15.9805, abs=1e-7), what="what happened meanwhile")
        eventually(lambda: window.orders()[day.stops[0]["orderNo"]] == "success", what="the order meanwhile")
        expect(pill).to_have_attribute("data-state", "live")
    finally:
        server.kill()


def test_hostile_names_are_shown_as_they_are(company: Company, open_map: OpenMap) -> None:
    day = send_day(company, name=HOSTILE, place=HOSTILE)
    day.act("on_duty")
    day.at(15.980)
    window = open_map(company)
    page = window.page
    day.act("failed", day.stops[0], note=HOSTILE)
    expect(page.get_by_test_id("driver").first).to_contain_text(HOSTILE)
    failed = page.get_by_test_id("event").filter(has_text="could not deliver")
    expect(failed).to_contain_text(HOSTILE)
    failed.click()
    expect(page.get_by_test_id("day-name")).to_have_text(HOSTILE)
    expect(page.get_by_test_id("note")).to_have_text(HOSTILE)
    page.get_by_test_id("search").fill("onerror")
    expect(page.get_by_test_id("hit").first).to_contain_text(HOSTILE)
    assert page.evaluate("() => window.hacked") is None


def test_a_wrong_key_is_told_and_a_right_one_opens_the_map(day: Sent, page: Page) -> None:
    page.goto(f"{day.company.server.url}/map#key=wrong")
    expect(page.get_by_test_id("key-message")).to_contain_text("not accepted")
    assert "wrong" not in page.url, "the key stays out of the address"
    page.get_by_test_id("key-field").fill(day.company.key)
    page.keyboard.press("Enter")
    eventually(MapWindow(page).ready, within_s=120, what="a live map")
    assert page.evaluate("() => localStorage.length") == 0


def test_without_a_key_the_page_asks_for_one(server: Server, page: Page) -> None:
    page.goto(f"{server.url}/map")
    expect(page.get_by_test_id("key-form")).to_be_visible()
    expect(page.get_by_test_id("key-message")).to_have_count(0)


def test_a_viewer_sees_the_map_and_no_contact_data(day: Sent, open_map: OpenMap) -> None:
    window = open_map(day.company, key=viewer_key(day.company))
    assert len(window.orders()) == 3
    window.page.get_by_test_id("driver").first.click()
    window.page.get_by_test_id("stop").first.locator("button").first.click()
    expect(window.page.get_by_test_id("stop").first).to_contain_text("Planned")


def test_nothing_is_asked_of_any_other_host(day: Sent, page: Page, open_map: OpenMap) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url.replace("ws://", "http://")))
    open_map(day.company)
    others = [url for url in asked if not url.startswith((day.company.server.url, "blob:", "data:"))]
    assert asked and not others


def test_without_webgl_the_lists_stay_live(day: Sent, page: Page, open_map: OpenMap) -> None:
    page.add_init_script(
        """const real = HTMLCanvasElement.prototype.getContext;
        HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
          return kind.startsWith('webgl') ? null : real.call(this, kind, ...rest);
        };"""
    )
    window = open_map(day.company)
    expect(page.get_by_test_id("no-map")).to_be_visible()
    day.act("success", day.stops[0])
    eventually(lambda: window.orders()[day.stops[0]["orderNo"]] == "success", what="the order delivered")
    expect(page.get_by_test_id("event").first).to_contain_text("delivered")


def test_a_lost_graphics_card_comes_back_with_its_vans(day: Sent, open_map: OpenMap) -> None:
    day.act("on_duty")
    day.at(15.980)
    window = open_map(day.company)
    eventually(lambda: window.drawn()["vehicles"] == 1, what="the van")
    window.page.evaluate(
        """() => new Promise((done) => {
          const canvas = document.querySelector('canvas.maplibregl-canvas');
          const card = canvas.getContext('webgl2').getExtension('WEBGL_lose_context');
          const back = () => setTimeout(() => card.restoreContext(), 50);
          canvas.addEventListener('webglcontextlost', back, { once: true });
          canvas.addEventListener('webglcontextrestored', () => done(), { once: true });
          card.loseContext();
        })"""
    )
    before = window.drawn()["frames"]
    moved = itertools.count(1)

    def drives_on() -> bool:
        """A browser that gets no processor draws few frames of a way, but one of each."""
        day.at(15.9804 + 0.00001 * next(moved))
        return window.drawn()["frames"] > before + 3

    eventually(drives_on, what="frames after the card came back")
    assert window.drawn()["vehicles"] == 1


def test_search_finds_an_order_and_opens_its_day_from_the_keyboard(day: Sent, open_map: OpenMap) -> None:
    window = open_map(day.company)
    window.page.keyboard.press("/")
    window.page.keyboard.type("bakery 2")
    expect(window.page.get_by_test_id("hit").first).to_contain_text("A2")
    window.page.keyboard.press("Enter")
    row = window.page.locator("[data-testid=stop][data-order=A2]")
    expect(row).to_be_visible()
    expect(row).to_contain_text("Window" if day.stops[0].get("timeWindows") else "Planned")
    window.page.keyboard.press("Escape")
    expect(window.page.get_by_test_id("day")).to_be_hidden()


def test_two_thousand_drivers_scroll_with_a_few_rows(company: Company, open_map: OpenMap) -> None:
    drivers = [{"externalId": f"D{number}", "name": f"Driver {number:04}"} for number in range(2000)]
    assert company.client.put("/api/fleet", json={"drivers": drivers}).status_code == 200
    window = open_map(company)
    rows = window.page.get_by_test_id("driver")
    expect(window.page.get_by_text("Drivers 2000")).to_be_visible()
    window.page.get_by_test_id("drivers").evaluate("list => list.scrollTo(0, list.scrollHeight)")
    expect(rows.filter(has_text="Driver 1999")).to_be_visible()
    assert rows.count() < 60
    rows.filter(has_text="Driver 1999").focus()
    window.page.keyboard.press("ArrowUp")
    expect(rows.filter(has_text="Driver 1998")).to_be_focused()


def test_on_a_phone_the_panels_share_one_place_below_the_map(day: Sent, page: Page, open_map: OpenMap) -> None:
    page.set_viewport_size({"width": 390, "height": 780})
    window = open_map(day.company)
    expect(page.get_by_test_id("feed")).to_be_hidden()
    page.get_by_role("button", name="Events").click()
    expect(page.get_by_test_id("feed")).to_be_visible()
    page.get_by_role("button", name="Drivers").click()
    page.get_by_test_id("driver").first.click()
    expect(page.get_by_test_id("day-name")).to_be_visible()
    expect(page.get_by_test_id("map")).to_be_visible()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    assert len(window.orders()) == 3


def test_a_driver_who_is_new_to_the_fleet_appears(day: Sent, open_map: OpenMap) -> None:
    window = open_map(day.company)
    newcomer = day.company.driver("Zora", externalId="D2")
    position = {"timestamp": time.time(), "latitude": 45.81, "longitude": 15.99}
    answer = newcomer.client.post("/driver/v1/positions", json={"positions": [position]})
    assert answer.json()["accepted"] == 1, answer.text
    expect(window.page.get_by_test_id("driver").filter(has_text="Zora")).to_be_visible()
    eventually(lambda: window.drawn()["vehicles"] == 1, what="the new van")
