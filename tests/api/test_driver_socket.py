"""A driver's phone on its websocket, against a real server."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.api import days
from tests.api.days import DAY, NOON_S, action, fix, order_ids, sent_day, statuses, track
from tests.serving import Company, Phone, Server, bearer

WAIT_S = 100


@asynccontextmanager
async def line(phone: Phone, *protocols: str, **more: Any) -> AsyncIterator[ClientConnection]:
    """The phone's socket; its token in a header, as apps send it."""
    options = {"additional_headers": bearer(phone.token), "proxy": None, "max_size": None, **more}
    offered = [Subprotocol(each) for each in protocols] or None
    async with connect(f"{phone.server.ws_url}/driver/v1/ws", subprotocols=offered, **options) as socket:
        yield socket


async def hear(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(WAIT_S):
        message = await socket.recv()
    told: dict[str, Any] = json.loads(message) if isinstance(message, str) else msgspec.msgpack.decode(message)
    return told


async def ask(socket: ClientConnection, **frame: Any) -> dict[str, Any]:
    await socket.send(json.dumps(frame))
    return await hear(socket)


async def closed(socket: ClientConnection) -> int | None:
    """The code that the server closes with."""
    async with asyncio.timeout(WAIT_S):
        try:
            while True:
                await socket.recv()
        except ConnectionClosed:
            return socket.close_code


async def test_positions_are_acknowledged_by_the_frames_id_and_stored(company: Company, phone: Phone):
    async with line(phone) as socket:
        batch = [fix(NOON_S + n, speed=1.5) for n in range(10)]
        told = await ask(socket, type="positions", id="m1", positions=batch)
        assert told == {"type": "ack", "id": "m1", "accepted": 10, "duplicates": 0, "rejected": []}
        told = await ask(socket, type="positions", id="m2", positions=batch)
        assert (told["accepted"], told["duplicates"]) == (0, 10)
        assert "id" not in await ask(socket, type="positions", positions=batch)
    assert track(company, phone) == batch


async def test_actions_are_answered_one_by_one(company: Company, phone: Phone):
    [first] = order_ids(sent_day(company, phone, 1))
    async with line(phone) as socket:
        good, bad = action("success", NOON_S, orderId=first), action("dance", NOON_S)
        told = await ask(socket, type="actions", id="m2", actions=[good, bad])
        assert (told["type"], told["id"]) == ("ack", "m2")
        assert told["actions"][0] == {"id": good["id"], "success": True, "status": "success"}
        assert told["actions"][1]["code"] == "ERR_ACTION_UNKNOWN"
    assert statuses(phone) == ["success"]


async def test_the_same_over_http_is_a_repeat(phone: Phone):
    once = action("on_duty", NOON_S)
    assert days.act(phone, once)[0]["success"]
    async with line(phone) as socket:
        [told] = (await ask(socket, type="actions", id="a", actions=[once]))["actions"]
        assert told["duplicate"] is True


async def test_messagepack_where_it_was_agreed(company: Company, phone: Phone):
    async with line(phone, "codriver.v1.msgpack") as socket:
        assert socket.subprotocol == "codriver.v1.msgpack"
        frame = {"type": "positions", "id": "m1", "positions": [fix(NOON_S, mood="good"), fix(NOON_S + 1, latitude=91)]}
        await socket.send(msgspec.msgpack.encode(frame))
        message = await socket.recv()
        assert isinstance(message, bytes)
        told = msgspec.msgpack.decode(message)
        assert (told["type"], told["id"], told["accepted"]) == ("ack", "m1", 1)
        assert [(each["index"], each["code"]) for each in told["rejected"]] == [(1, "ERR_LATITUDE_INVALID")]
        nowhere = [fix(NOON_S, latitude=float("nan")), fix(float("inf")), fix(NOON_S, id="a\0")]
        for odd in (b"", b"\xc1", b"\x81", b"\x91" * 100_000, msgspec.msgpack.encode([1]), b"\xa1\xff"):
            await socket.send(odd)
            assert (await hear(socket))["type"] == "error", odd[:10]
        await socket.send(msgspec.msgpack.encode({"type": "positions", "positions": nowhere}))
        codes = [each["code"] for each in (await hear(socket))["rejected"]]
        assert codes == ["ERR_LATITUDE_INVALID", "ERR_TIMESTAMP_INVALID", "ERR_POSITION_INVALID"]
        same = action("on_duty", NOON_S)
        await socket.send(msgspec.msgpack.encode({"type": "actions", "actions": [same]}))
        assert (await hear(socket))["actions"][0]["success"]
        await socket.send(json.dumps({"type": "actions", "actions": [same]}))
        assert (await hear(socket))["actions"][0]["duplicate"]
    assert len(track(company, phone)) == 1


ODD_FRAMES = [
    ("", "ERR_MALFORMED", None),
    ("hello", "ERR_MALFORMED", None),
    ('{"type": "positions", "id": "a", "positions": [NaN]}', "ERR_MALFORMED", None),
    ('{"type": "positions"', "ERR_MALFORMED", None),
    ("[" * 100_000, "ERR_MALFORMED", None),
    ('{"a":' * 100_000, "ERR_MALFORMED", None),
    ("[]", "ERR_INVALID", None),
    ("null", "ERR_INVALID", None),
    ("3", "ERR_INVALID", None),
    ("{}", "ERR_TYPE_UNKNOWN", None),
    ('{"type": null, "id": "a"}', "ERR_TYPE_UNKNOWN", "a"),
    ('{"type": "dance", "id": "a"}', "ERR_TYPE_UNKNOWN", "a"),
    ('{"type": {"a": 1}, "id": "a"}', "ERR_TYPE_UNKNOWN", "a"),
    ('{"type": "positions", "id": "a"}', "ERR_INVALID", "a"),
    ('{"type": "positions", "id": "a", "positions": []}', "ERR_INVALID", "a"),
    ('{"type": "positions", "id": "a", "positions": 3}', "ERR_INVALID", "a"),
    ('{"type": "actions", "id": "a", "actions": {}}', "ERR_INVALID", "a"),
    ('{"type": "actions", "id": 7, "actions": []}', "ERR_INVALID", None),
    ('{"type": "message", "id": "a"}', "ERR_INVALID", "a"),
    ('{"type": "message", "text": "a"}', "ERR_INVALID", None),
    ('{"type": "message", "id": "a", "text": "a\\u0000"}', "ERR_INVALID", "a"),
    (b"\x81\xa4type\xa1x", "ERR_MALFORMED", None),
]  # fmt: skip


async def test_a_malformed_frame_gets_an_error_and_the_connection_stays(same_phone: Phone):
    async with line(same_phone) as socket:
        for frame, code, id in ODD_FRAMES:
            await socket.send(frame)
            told = await hear(socket)
            assert (told["type"], told["code"], told.get("id")) == ("error", code, id), frame[:80]
            assert told["message"]
        assert (await ask(socket, type="positions", id="z", positions=[fix(NOON_S)]))["type"] == "ack"


async def test_a_bad_position_in_a_frame_is_rejected_alone(same_phone: Phone):
    async with line(same_phone) as socket:
        batch = [fix(NOON_S + 100 + n) for n in range(500)]
        batch[77]["timestamp"] = 1e13
        told = await ask(socket, type="positions", id="a", positions=batch)
        assert (told["accepted"], [each["index"] for each in told["rejected"]]) == (499, [77])


async def test_without_a_good_token_the_socket_closes_with_4401(server: Server, company: Company, phone: Phone):
    for headers in ({}, bearer("wrong"), bearer(company.key)):
        async with line(phone, additional_headers=headers) as socket:
            assert await closed(socket) == 4401


async def test_a_browser_gives_its_token_as_a_subprotocol(phone: Phone):
    async with line(phone, "codriver.v1.json", f"bearer.{phone.token}", additional_headers={}) as socket:
        assert socket.subprotocol == "codriver.v1.json"
        assert (await ask(socket, type="positions", positions=[fix(NOON_S)]))["accepted"] == 1
    async with line(phone, "codriver.v1.json", "bearer.wrong", additional_headers={}) as socket:
        assert await closed(socket) == 4401


async def test_a_revoked_token_closes_the_socket_soon(company: Company, phone: Phone):
    async with line(phone) as socket:
        assert (await ask(socket, type="positions", positions=[fix(NOON_S)]))["accepted"] == 1
        [device] = company.client.get(f"/api/drivers/{phone.driver_id}/devices").json()["items"]
        began = time.monotonic()
        company.client.delete(f"/api/devices/{device['id']}")
        assert await closed(socket) in (4401, 4409)
        assert time.monotonic() - began < WAIT_S
    async with line(phone) as socket:
        assert await closed(socket) == 4401


async def test_over_a_mebibyte_closes_with_1009(same_phone: Phone):
    async with line(same_phone) as socket:
        padded = {"type": "positions", "positions": [fix(NOON_S + 700)], "x": "y" * 1_000_000}
        assert (await ask(socket, **padded))["type"] == "ack"
        with contextlib.suppress(ConnectionClosed):  # before all was sent
            await socket.send("x" * (1 << 20) + "x")
        assert await closed(socket) == 1009


async def test_text_that_is_no_utf8_closes_with_1007(same_phone: Phone):
    async with line(same_phone) as socket:
        await socket.send(b'{"type": "\xff"}', text=True)
        assert await closed(socket) == 1007


async def test_a_thousand_frames_at_once_are_all_answered_in_order(company: Company, phone: Phone):
    async with line(phone) as socket:
        for n in range(400):
            await socket.send(json.dumps({"type": "positions", "id": str(n), "positions": [fix(NOON_S + n)]}))
        answers = [await hear(socket) for _ in range(400)]
    assert [each["id"] for each in answers] == [str(n) for n in range(400)]
    assert all(each["accepted"] == 1 for each in answers)
    assert len(track(company, phone)) == 400


async def test_who_floods_is_slowed_down_and_harms_nobody_else(server: Server, same_phone: Phone, phone: Phone):
    async with line(same_phone) as flood, line(phone) as calm:

        async def pour() -> None:
            for _ in range(3000):
                await flood.send("x")

        pouring = asyncio.create_task(pour())
        drinking = asyncio.create_task(closed(flood))
        began = time.monotonic()
        for n in range(5):
            assert (await ask(calm, type="positions", positions=[fix(NOON_S + n)]))["accepted"] == 1
        assert time.monotonic() - began < WAIT_S
        for task in (pouring, drinking):
            task.cancel()


async def test_a_sent_plan_and_a_message_of_the_office_reach_the_phone(company: Company, phone: Phone):
    async with line(phone) as socket:
        await asyncio.to_thread(sent_day, company, phone, 1)
        told = await hear(socket)
        assert (told["type"], told["date"]) == ("route", DAY)
        assert told["version"] == phone.client.get(f"/driver/v1/route?date={DAY}").json()["version"] > 0
        company.client.post(f"/api/drivers/{phone.driver_id}/messages", json={"text": "come back"})
        told = await hear(socket)
        assert (told["type"], told["text"]) == ("message", "come back")
        assert told["id"] and told["at"].endswith("Z")


async def test_a_drivers_message_reaches_the_office_once(company: Company, phone: Phone):
    async with line(phone) as socket:
        assert await ask(socket, type="message", id="m1", text="flat tyre") == {"type": "ack", "id": "m1"}
        assert (await ask(socket, type="message", id="m1", text="flat tyre"))["duplicate"] is True
    items = company.client.get(f"/api/drivers/{phone.driver_id}/messages").json()["items"]
    assert [each["text"] for each in items] == ["flat tyre"]


async def test_a_newer_socket_of_the_same_device_takes_over(phone: Phone):
    async with line(phone) as old, line(phone) as new:
        assert await closed(old) == 4409
        assert (await ask(new, type="positions", positions=[fix(NOON_S)]))["accepted"] == 1


async def test_what_a_socket_acknowledged_survives_a_kill_in_the_middle(tmp_path):
    own = Server(tmp_path / "data").start()
    try:
        company = own.account()
        phone = company.driver("Ana", externalId="A")
        acknowledged: list[float] = []

        async def drive() -> None:
            async with line(phone) as socket:
                for n in range(100_000):
                    at_s = NOON_S + n
                    if (await ask(socket, type="positions", id=str(n), positions=[fix(at_s)]))["accepted"] == 1:
                        acknowledged.append(at_s)

        driving = asyncio.create_task(drive())
        async with asyncio.timeout(WAIT_S):
            while len(acknowledged) < 100:
                await asyncio.sleep(0.01)
        own.kill()
        await asyncio.gather(driving, return_exceptions=True)
        own.start()
        stored = [each["timestamp"] for each in track(company, phone)]
        assert set(acknowledged) <= set(stored)
        assert len(stored) == len(set(stored)) <= len(acknowledged) + 1
    finally:
        own.kill()
