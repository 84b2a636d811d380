"""What a recipient sees of one order, and all that a recipient must not see, over a real server."""

import io
import json
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from PIL import Image
from websockets.asyncio.client import connect

from tests.api.test_day import DATE, planned
from tests.api.watching import Watching, drive, fix
from tests.serving import Company, Phone


class Day:
    """A sent plan of three orders for one driver."""

    def __init__(self, company: Company) -> None:
        self.company = company
        self.route = planned(company)
        self.phone: Phone = company.phone(self.route["driverId"])
        self.stops: list[dict[str, Any]] = self.route["stops"]
        self.clock = time.time() - 3600

    def code(self, stop: int) -> str:
        shown = self.company.client.get(f"/api/orders/{self.stops[stop]['orderId']}").json()
        return shown["trackingUrl"].rsplit("/t/", 1)[1]

    def act(self, action: str, stop: int | None = None, **more: Any) -> None:
        self.clock += 60
        made = {"id": str(uuid.uuid4()), "action": action, "timestamp": self.clock, **more}
        if stop is not None:
            made["orderId"] = self.stops[stop]["orderId"]
        answer = self.phone.client.post("/driver/v1/actions", json={"actions": [made]}).json()
        assert answer["actions"][0]["success"], answer

    def drive(self, latitude: float, longitude: float) -> None:
        self.clock += 60
        drive(self.phone, fix(0, latitude, longitude) | {"timestamp": self.clock, "heading": 90.0})

    def seen(self, stop: int) -> dict[str, Any]:
        answer = httpx.get(f"{self.company.server.url}/t/{self.code(stop)}.json", timeout=60)
        assert answer.status_code == 200, answer.text
        self.nothing_of_others(answer.text, stop)
        return answer.json()

    def nothing_of_others(self, text: str, stop: int) -> None:
        for number, other in enumerate(self.stops):
            if number != stop:
                assert other["address"] not in text and other["orderId"] not in text
                assert json.dumps(other["orderNo"]) not in text
        assert self.route["id"] not in text and "someone@example.com" not in text
        assert "Depot" not in text


@pytest.fixture
def day(company: Company) -> Day:
    return Day(company)


@asynccontextmanager
async def looking(company: Company, code: str) -> AsyncIterator[Watching]:
    async with connect(f"{company.server.ws_url}/t/{code}/live", proxy=None) as connection:
        watcher = Watching(connection)
        try:
            yield watcher
        finally:
            await watcher.stop()


def test_before_the_driver_sets_out_there_is_a_promise_and_no_driver(day: Day) -> None:
    day.drive(45.80, 15.97)
    seen = day.seen(1)
    stop = day.stops[1]
    assert (seen["status"], seen["orderNo"], seen["address"]) == ("scheduled", stop["orderNo"], stop["address"])
    assert seen["destination"] == {"latitude": stop["latitude"], "longitude": stop["longitude"]}
    assert seen["window"]["from"] < stop["scheduledAt"] < seen["window"]["to"]
    assert seen["companyName"] and seen["timeZone"] == "Europe/Zagreb"
    assert "driver" not in seen and "proof" not in seen and "finishedAt" not in seen


def test_the_driver_is_seen_only_between_the_stop_before_and_the_end_of_this_one(day: Day) -> None:
    day.act("on_duty")
    day.act("start_route")
    day.drive(45.801, 15.971)
    assert "driver" not in day.seen(1) and day.seen(1)["stopsBefore"] == 1
    assert day.seen(0)["driver"]["latitude"] == 45.801
    day.act("success", 0)
    assert "driver" not in day.seen(0)
    assert day.seen(1)["status"] == "on_route"
    assert "driver" not in day.seen(1), "where the driver was before is another stop's address"
    day.drive(45.803, 15.972)
    seen = day.seen(1)
    assert seen["driver"] == {
        "firstName": "Ana",
        "latitude": 45.803,
        "longitude": 15.972,
        "timestamp": day.clock,
        "heading": 90.0,
    }
    assert seen["stopsBefore"] == 0 and "eta" in seen
    day.act("start_service", 1)
    assert day.seen(1)["status"] == "servicing" and "driver" in day.seen(1) and "startedAt" in day.seen(1)
    day.act("success", 1, form={"note": "left with neighbour"})
    day.drive(45.805, 15.974)
    seen = day.seen(1)
    assert seen["status"] == "success" and seen["proof"] == {"note": "left with neighbour"} and "finishedAt" in seen
    assert "driver" not in seen and "eta" not in seen and "window" not in seen


def test_a_driver_who_serves_another_stop_out_of_turn_is_not_seen(day: Day) -> None:
    day.act("start_route")
    day.drive(45.801, 15.971)
    assert "driver" in day.seen(0)
    day.act("start_service", 2)
    day.drive(45.802, 15.972)
    assert day.seen(0)["status"] == "on_route" and day.seen(2)["status"] == "servicing"
    assert "driver" in day.seen(2) and "driver" not in day.seen(0), "where the driver is, is another stop's address"
    day.act("success", 2)
    day.drive(45.803, 15.973)
    assert day.seen(0)["driver"]["latitude"] == 45.803


def test_a_driver_who_went_off_duty_on_the_way_is_not_seen(day: Day) -> None:
    day.act("start_route")
    day.drive(45.801, 15.971)
    assert "driver" in day.seen(0), "an app need not say when duty begins"
    day.act("off_duty")
    day.drive(45.802, 15.972)
    assert "driver" not in day.seen(0)
    day.act("on_duty")
    assert "driver" in day.seen(0)


async def test_a_photo_that_follows_later_joins_the_proof_without_telling_where_it_was_taken(day: Day) -> None:
    photo, exif = Image.new("RGB", (64, 48), "orange"), Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (45.0, 48.0, 36.0)
    body = io.BytesIO()
    photo.save(body, "JPEG", exif=exif)
    assert Image.open(body).getexif().get_ifd(0x8825)
    name = str(uuid.uuid4())
    day.act("success", 0, form={"images": [name]})
    assert "proof" not in day.seen(0)
    async with looking(day.company, day.code(0)) as watcher:
        await watcher.until(lambda: watcher.of("state"))
        answer = day.phone.client.post(
            "/driver/v1/attachments",
            data={"id": name, "kind": "image"},
            files={"file": ("photo.jpg", body.getvalue(), "image/jpeg")},
        )
        assert answer.status_code == 201, answer.text
        await watcher.until(lambda: "proof" in watcher.of("state")[-1])
    (image,) = day.seen(0)["proof"]["images"]
    assert image["type"] == "image/jpeg"
    shown = httpx.get(image["url"], timeout=60)
    assert shown.status_code == 200 and not Image.open(io.BytesIO(shown.content)).getexif().get_ifd(0x8825)


def test_why_it_failed_is_for_the_office(day: Day) -> None:
    day.act("failed", 0, form={"note": "the dog"})
    seen = day.seen(0)
    assert seen["status"] == "failed" and "proof" not in seen


async def test_the_socket_tells_the_same_and_each_change(day: Day) -> None:
    day.act("start_route")
    async with looking(day.company, day.code(0)) as watcher:
        await watcher.until(lambda: watcher.of("state"))
        told = watcher.of("state")[0]
        assert {name for name in told if name not in ("type", "now")} == {name for name in day.seen(0) if name != "now"}
        day.drive(45.801, 15.971)
        await watcher.until(lambda: watcher.of("state")[-1].get("driver", {}).get("latitude") == 45.801)
        day.act("success", 0, form={"note": "thanks"})
        await watcher.until(lambda: watcher.of("state")[-1]["status"] == "success")
        assert watcher.of("state")[-1]["proof"]["note"] == "thanks"
        day.nothing_of_others(json.dumps(watcher.frames), 0)
        await watcher.send(type="subscribe", id="a")
        await watcher.until(lambda: watcher.of("error"))


async def test_nobody_knows_an_unknown_code(day: Day) -> None:
    url = day.company.server.url
    for code in ("x" * 16, "x" * 5000, "%00", day.stops[0]["orderId"], day.code(0)[:-1]):
        answer = httpx.get(f"{url}/t/{code}.json")
        assert answer.status_code == 404 and answer.json()["code"] == "ERR_NOT_FOUND"
        assert httpx.get(f"{url}/t/{code}").status_code == 404
    async with looking(day.company, "unknown") as watcher:
        assert await watcher.code() == 4404


def test_an_account_may_show_nothing(day: Day) -> None:
    code = day.code(0)
    day.company.client.patch("/api/settings", json={"orderTracking": False})
    assert httpx.get(f"{day.company.server.url}/t/{code}.json").status_code == 404


def test_the_page_is_served_beside_its_document(day: Day) -> None:
    answer = httpx.get(f"{day.company.server.url}/t/{day.code(0)}")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")
    day.nothing_of_others(answer.text, 0)
    assert DATE not in answer.url.path
