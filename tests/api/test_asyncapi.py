"""The published AsyncAPI document: whole in itself, and every frame of every websocket is as it describes it."""

import asyncio
import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.api.days import DAY, NOON_S, action, fix, order_ids, plan, sent_day
from tests.api.test_driver_socket import hear, line
from tests.api.watching import watching
from tests.optimoroute.described import misfits
from tests.serving import Company, Server

WAIT_S = 100


@pytest.fixture(scope="module")
def document(server: Server) -> dict[str, Any]:
    told: dict[str, Any] = httpx.get(f"{server.url}/schema/asyncapi.json", timeout=60).json()
    return told


class Frames:
    """Holds what goes over a channel against the document."""

    def __init__(self, document: dict[str, Any], channel: str) -> None:
        self.document, self.channel = document, channel
        self.heard: set[str] = set()

    def down(self, frame: dict[str, Any]) -> dict[str, Any]:
        """The frame, which the server sent."""
        self.heard.add(frame["type"])
        return self._hold("send", frame)

    def up(self, frame: dict[str, Any]) -> str:
        """The frame's text, for the server to receive."""
        return json.dumps(self._hold("receive", frame))

    def _hold(self, direction: str, frame: dict[str, Any]) -> dict[str, Any]:
        payloads = [message["payload"] for message in messages(self.document, f"{direction}{self.channel.title()}")]
        found = min((misfits(self.document, each, frame, "frame") for each in payloads), key=len)
        assert not found, f"{self.channel}: {frame}: {found}"
        return frame


def messages(document: dict[str, Any], operation: str) -> list[dict[str, Any]]:
    """What the messages of an operation are, each by way of its channel."""
    of_channel = [follow(document, each["$ref"]) for each in document["operations"][operation]["messages"]]
    return [follow(document, each["$ref"]) for each in of_channel]


def follow(document: dict[str, Any], reference: str) -> Any:
    assert reference.startswith("#/"), reference
    found: Any = document
    for name in reference[2:].split("/"):
        found = found[name.replace("~1", "/").replace("~0", "~")]
    return found


def references(value: Any) -> Iterator[str]:
    match value:
        case {"$ref": str(reference)}:
            yield reference
        case dict():
            for each in value.values():
                yield from references(each)
        case list():
            for each in value:
                yield from references(each)


def test_the_document_is_whole_in_itself(document: dict[str, Any]) -> None:
    assert document["asyncapi"] == "3.0.0" and document["info"]["title"] and document["info"]["version"]
    for reference in set(references(document)):
        follow(document, reference)
    used = set(references([document["operations"], document["channels"], document["components"]]))
    for kind in ("messages", "schemas"):
        assert {f"#/components/{kind}/{name}" for name in document["components"][kind]} <= used, "nothing is left over"
    for name, channel in document["channels"].items():
        parameters = set(re.findall(r"{(\w+)}", channel["address"]))
        assert parameters == set(channel.get("parameters", {})) and channel["description"] and channel["messages"], name
    for operation in document["operations"].values():
        assert operation["action"] in ("send", "receive")
        channel = operation["channel"]["$ref"]
        assert all(each["$ref"].startswith(f"{channel}/messages/") for each in operation["messages"])
    for message in document["components"]["messages"].values():
        assert message["payload"] and message["name"]


async def test_frames_of_a_drivers_phone_are_as_described(company: Company, document: dict[str, Any]) -> None:
    frames = Frames(document, "driver")
    phone = company.driver(externalId="D1", workTime={"from": "00:00", "to": "23:59"})
    async with line(phone) as socket:

        async def until(kind: str) -> dict[str, Any]:
            async with asyncio.timeout(WAIT_S):
                while True:
                    told = frames.down(await hear(socket))
                    if told["type"] == kind:
                        return told

        route = await asyncio.to_thread(sent_day, company, phone, 2)
        await until("route")
        first, *_ = order_ids(route)
        await socket.send(frames.up({"type": "positions", "id": "m1", "positions": [fix(NOON_S, speed=1.5)]}))
        assert (await until("ack"))["accepted"] == 1
        bad = [fix(NOON_S + 1), fix(5), {**fix(NOON_S), "latitude": 91}]
        await socket.send(json.dumps({"type": "positions", "id": "m2", "positions": bad}))
        assert len((await until("ack"))["rejected"]) == 2
        done = action("success", NOON_S + 60, orderId=first, form={"note": "left at the door"}, position=fix(NOON_S))
        await socket.send(frames.up({"type": "actions", "id": "m3", "actions": [action("on_duty", NOON_S), done]}))
        assert all(each["success"] for each in (await until("ack"))["actions"])
        await socket.send(json.dumps({"type": "actions", "actions": [{"id": "x", "action": "fly", "timestamp": 1}]}))
        assert not (await until("ack"))["actions"][0]["success"]
        await socket.send(frames.up({"type": "message", "id": str(uuid.uuid4()), "text": "Late"}))
        await until("ack")
        sent = await asyncio.to_thread(
            company.client.post, f"/api/drivers/{phone.driver_id}/messages", json={"text": "Call me"}
        )
        assert sent.status_code == 201 and (await until("message"))["text"] == "Call me"
        await socket.send("{")
        await until("error")
    assert frames.heard == {"route", "ack", "message", "error"}


async def test_frames_of_the_live_map_and_of_a_recipient_are_as_described(
    company: Company, document: dict[str, Any]
) -> None:
    live, recipient = Frames(document, "live"), Frames(document, "recipient")
    phone = company.driver(externalId="D1", serial="001", workTime={"from": "00:00", "to": "23:59"})
    async with watching(company) as watcher:
        wish = {"type": "subscribe", "id": "a", "drivers": "all", "events": True, "maxHz": 5}
        await watcher.connection.send(live.up(wish | {"bbox": [15, 45, 17, 47]}))
        await watcher.until(lambda: watcher.of("snapshot"))
        await watcher.connection.send(live.up(wish | {"id": "b", "drivers": ["D1"]}))
        route = await asyncio.to_thread(sent_day, company, phone, 2)
        first, *_ = order_ids(route)
        orders = company.client.get("/api/orders", params={"date": DAY}).json()["items"]
        tracking = next(each["trackingUrl"] for each in orders if each["id"] == first).rsplit("/", 1)[1]
        async with connect(f"{company.server.ws_url}/t/{tracking}/live", proxy=None) as socket:
            recipient.down(await hear(socket))
            where = {"position": fix(NOON_S, latitude=45.81, longitude=15.98)}
            done = [action("on_duty", NOON_S), action("start_route", NOON_S + 1)]
            done += [action("success", NOON_S + 60, orderId=first, form={"note": "left at the door"}, **where)]
            for each in done:
                body = {"actions": [each]}
                assert (await asyncio.to_thread(phone.client.post, "/driver/v1/actions", json=body)).is_success
                batch = {"positions": [fix(each["timestamp"], latitude=45.81, longitude=15.98, speed=2, heading=90)]}
                assert (await asyncio.to_thread(phone.client.post, "/driver/v1/positions", json=batch)).is_success
            async with asyncio.timeout(WAIT_S):
                while recipient.down(await hear(socket)).get("status") != "success":
                    pass
        await asyncio.to_thread(plan, company, DAY)
        away = {"positions": [fix(NOON_S + 14_400, latitude=47.5, longitude=16.0)]}
        assert (await asyncio.to_thread(phone.client.post, "/driver/v1/positions", json=away)).is_success
        await watcher.until(lambda: any(each.get("left") for each in watcher.moves(phone.driver_id, "a")))
        await watcher.connection.send(live.up({"type": "unsubscribe", "id": "b"}))
        await watcher.send(type="subscribe", id="c", bbox=[1])
        await watcher.until(lambda: watcher.of("error") and len(watcher.of("event")) >= 3)
        for frame in watcher.frames:
            live.down(frame)
    assert live.heard >= {"snapshot", "positions", "event", "plan", "error"} and "state" in recipient.heard
