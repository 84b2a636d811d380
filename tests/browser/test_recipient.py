"""The recipient's page: the driver only while on the way, the proof afterwards, and never anything of another order."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.days import PATIENCE_MS, Sent, send_day
from tests.serving import Company, Server


def test_the_driver_is_seen_only_while_on_the_way_and_the_proof_after(day: Sent, page: Page) -> None:
    mine, other = day.stops[0], day.stops[1]
    page.goto(day.tracking_url(mine))
    expect(page.get_by_test_id("connection")).to_contain_text("Updates automatically")
    expect(page.get_by_test_id("headline")).to_have_text("Your delivery is planned")
    expect(page.get_by_test_id("detail")).to_contain_text("between")
    expect(page.get_by_test_id("van")).to_have_count(0)

    day.act("start_route")
    day.at(15.979)
    expect(page.get_by_test_id("headline")).to_have_text("On the way to you")
    expect(page.get_by_test_id("van")).to_be_visible()
    expect(page.get_by_test_id("driver")).to_contain_text("Ana")

    day.act("start_service", mine)
    expect(page.get_by_test_id("headline")).to_have_text("Your driver is here")

    day.act("success", mine, note="with the neighbour")
    expect(page.get_by_test_id("headline")).to_have_text("Delivered")
    expect(page.get_by_test_id("van")).to_have_count(0)
    expect(page.get_by_test_id("driver")).to_be_hidden()
    expect(page.get_by_test_id("note")).to_have_text("with the neighbour")
    assert other["address"] not in page.content()


def test_the_page_of_the_next_order_shows_no_driver_before_its_turn(day: Sent, page: Page) -> None:
    day.act("start_route")
    day.at(15.979)
    page.goto(day.tracking_url(day.stops[1]))
    expect(page.get_by_test_id("connection")).to_contain_text("Updates automatically")
    expect(page.get_by_test_id("headline")).to_have_text("Your delivery is planned")
    expect(page.get_by_test_id("van")).to_have_count(0)
    assert "Ana" not in page.content()
    day.act("success", day.stops[0])
    day.at(15.9792)
    expect(page.get_by_test_id("headline")).to_have_text("On the way to you")
    expect(page.get_by_test_id("van")).to_be_visible()


def test_it_reads_without_javascript(day: Sent, chromium: Browser) -> None:
    day.act("success", day.stops[0], note="with the neighbour")
    context = chromium.new_context(java_script_enabled=False)
    context.set_default_timeout(PATIENCE_MS)
    try:
        page = context.new_page()
        page.goto(day.tracking_url(day.stops[0]))
        expect(page.get_by_test_id("headline")).to_have_text("Delivered")
        expect(page.get_by_test_id("note")).to_have_text("with the neighbour")
        expect(page.locator("dl")).to_contain_text(day.stops[0]["address"])
    finally:
        context.close()


def test_a_code_that_nobody_knows_is_a_friendly_404(server: Server, page: Page) -> None:
    answer = page.goto(f"{server.url}/t/nobody-knows-this")
    assert answer is not None and answer.status == 404
    expect(page.get_by_test_id("headline")).to_have_text("We cannot find this delivery")


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_hostile_names_are_text(company: Company, chromium: Browser, script: bool) -> None:
    hostile = '"><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
    day = send_day(company, name=hostile, place=hostile)
    day.act("success", day.stops[0], note=hostile)
    context = chromium.new_context(java_script_enabled=script)
    context.set_default_timeout(PATIENCE_MS)
    try:
        page = context.new_page()
        page.goto(day.tracking_url(day.stops[0]))
        expect(page.get_by_test_id("note")).to_have_text(hostile)
        expect(page.locator("dl")).to_contain_text(hostile)
        if script:
            expect(page.get_by_test_id("connection")).to_contain_text("Updates automatically")
            assert page.evaluate("() => window.hacked") is None
    finally:
        context.close()
