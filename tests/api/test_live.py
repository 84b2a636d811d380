"""The live map over a real server."""

import asyncio
import contextlib
import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.api.test_day import DATE, planned
from tests.api.watching import drive, fix, watching
from tests.serving import Company, Phone, Server


def act(phone: Phone, action: str, **more: Any) -> None:
    made = {"id": str(uuid.uuid4()), "action": action, "timestamp": time.time(), **more}
    answer = phone.client.post("/driver/v1/actions", json={"actions": [made]})
    assert answer.status_code == 200 and answer.json()["actions"][0]["success"], answer.text


def key_of(company: Company, role: str, **more: str) -> tuple[str, str]:
    made = company.client.post("/api/keys", json={"role": role, "name": role, **more})
    assert made.status_code == 201, made.text
    return made.json()["id"], made.json()["key"]


async def test_a_snapshot_and_what_follows_are_what_the_phones_sent(company: Company) -> None:
    ana = company.driver("Ana", externalId="DRV1", serial="001")
    bob = company.driver("Bob")
    drive(ana, fix(900), fix(600, 45.81, 16.01, speed=3.5, heading=90.0, accuracy=5.0))
    act(ana, "on_duty")
    async with watching(company) as watcher:
        asked_at = time.time()
        snapshot = await watcher.subscribe(drivers="all", maxHz=10)
        shown = {each["driverId"]: each for each in snapshot["drivers"]}
        assert shown.keys() == {ana.driver_id, bob.driver_id}
        seen = shown[ana.driver_id]
        assert (seen["externalId"], seen["serial"], seen["name"], seen["onDuty"]) == ("DRV1", "001", "Ana", True)
        assert (seen["position"]["latitude"], seen["position"]["speed"]) == (45.81, 3.5)
        assert shown[bob.driver_id]["position"] is None and shown[bob.driver_id]["onDuty"] is False
        assert asked_at - 5 < snapshot["now"] < time.time() + 5 and "clockSpeed" not in snapshot

        drive(ana, fix(300, 45.82, 16.02, speed=4.0, heading=80.0))
        await watcher.until(lambda: watcher.moves(ana.driver_id))
        moved = watcher.moves(ana.driver_id)[-1]
        assert (moved["latitude"], moved["longitude"], moved["speed"], moved["heading"]) == (45.82, 16.02, 4.0, 80.0)
        assert moved["externalId"] == "DRV1"
        drive(ana, fix(400, 45.815, 16.015))  # late
        drive(bob, fix(30))
        await watcher.until(lambda: watcher.moves(bob.driver_id))
        assert len(watcher.moves(ana.driver_id)) == 1


async def test_a_position_is_on_the_map_at_once(company: Company) -> None:
    ana = company.driver("Ana")
    async with watching(company) as watcher:
        await watcher.subscribe()
        drive(ana, fix(1))
        await watcher.until(lambda: watcher.moves(ana.driver_id))


async def test_after_a_restart_the_map_shows_what_is_stored(tmp_path: Any) -> None:
    server = Server(tmp_path / "data").start()
    try:
        company = server.account()
        ana = company.driver("Ana")
        newest = fix(5, 45.83, 16.03)
        drive(ana, newest)
        act(ana, "on_duty")
        server.kill()
        server.start()
        async with watching(company) as watcher:
            (seen,) = (await watcher.subscribe())["drivers"]
            assert seen["position"]["timestamp"] == newest["timestamp"] and seen["onDuty"] is True
    finally:
        server.kill()


async def test_events_come_in_order_and_none_is_missing(company: Company) -> None:
    phones = [company.driver(f"Driver {number}", serial=str(number)) for number in range(3)]
    async with watching(company) as one, watching(company) as other:
        await one.subscribe(events=True)
        await other.subscribe(id_="b", events=True)
        for turn in range(10):
            for phone in phones:
                await asyncio.to_thread(act, phone, "on_duty" if turn % 2 == 0 else "off_duty")
        for watcher in (one, other):
            await watcher.until(lambda watcher=watcher: len(watcher.of("event")) == 30)
        told = [each["event"] for each in one.of("event")]
        assert [each["event"] for each in other.of("event")] == told
        assert [each["sequence"] for each in told] == sorted({each["sequence"] for each in told})
        assert company.v1("get_events")["events"] == told
        assert told[0]["event"] == "on_duty" and told[0]["driverSerial"] == "0"


async def test_who_was_away_may_ask_for_the_events_in_between(company: Company) -> None:
    ana = company.driver("Ana")
    async with watching(company) as watcher:
        await watcher.subscribe(events=True)
        act(ana, "on_duty")
        await watcher.until(lambda: watcher.of("event"))
        last = watcher.of("event")[-1]["event"]["sequence"]
    act(ana, "off_duty")
    async with watching(company) as watcher:
        await watcher.subscribe(events=True, after=last)
        await watcher.until(lambda: watcher.of("event"))
        assert [each["event"]["event"] for each in watcher.of("event")] == ["off_duty"]


async def test_a_box_filters_and_tells_once_who_left(company: Company) -> None:
    ana, bob = company.driver("Ana"), company.driver("Bob")
    drive(ana, fix(40_000, 45.8, 16.0))
    drive(bob, fix(40_000, 48.0, 10.0))
    async with watching(company) as watcher:
        snapshot = await watcher.subscribe(bbox=[15.9, 45.7, 16.1, 45.9], maxHz=60)
        assert [each["driverId"] for each in snapshot["drivers"]] == [ana.driver_id]
        drive(ana, fix(20_000, 46.5, 16.0))
        await watcher.until(lambda: watcher.moves(ana.driver_id))
        assert watcher.moves(ana.driver_id)[-1]["left"] is True
        drive(ana, fix(40, 46.6, 16.0))
        drive(bob, fix(40, 45.85, 16.05))
        await watcher.until(lambda: watcher.moves(bob.driver_id))
        assert "left" not in watcher.moves(bob.driver_id)[-1]
        assert len(watcher.moves(ana.driver_id)) == 1


async def test_a_box_may_cross_the_antimeridian(company: Company) -> None:
    east, west, far = (company.driver(name) for name in ("East", "West", "Far"))
    drive(east, fix(9, -17.0, 179.9))
    drive(west, fix(9, -17.0, -179.9))
    drive(far, fix(9, -17.0, 0.0))
    async with watching(company) as watcher:
        snapshot = await watcher.subscribe(bbox=[179.0, -20.0, -179.0, -10.0])
        assert {each["driverId"] for each in snapshot["drivers"]} == {east.driver_id, west.driver_id}


async def test_each_subscription_of_a_socket_has_its_own_filter_and_pace(company: Company) -> None:
    ana, bob = company.driver("Ana", externalId="A"), company.driver("Bob", externalId="B")
    async with watching(company) as watcher:
        await watcher.subscribe("one", drivers=["A"], maxHz=1)
        await watcher.subscribe("both", maxHz=10)
        began = time.monotonic()
        for step in range(20, 0, -1):
            await asyncio.to_thread(drive, ana, fix(step))
            await asyncio.to_thread(drive, bob, fix(step))
        await watcher.until(lambda: watcher.moves(bob.driver_id, "both") and watcher.moves(ana.driver_id, "one"))
        await watcher.send(type="unsubscribe", id="both")
        elapsed = time.monotonic() - began
        assert len(watcher.of("positions", "one")) <= elapsed + 1
        assert len(watcher.of("positions", "both")) <= elapsed * 10 + 1
        assert watcher.moves(bob.driver_id, "one") == []


async def test_nothing_of_one_company_is_seen_by_another(server: Server, company: Company) -> None:
    ana, other = company.driver("Ana", externalId="SAME"), server.account()
    other.driver("Theirs", externalId="SAME")
    async with watching(other) as spy, watching(company) as watcher:
        snapshot = await spy.subscribe(drivers=["SAME", ana.driver_id], events=True)
        assert ana.driver_id not in json.dumps(snapshot)
        await watcher.subscribe(events=True)
        drive(ana, fix(1))
        act(ana, "on_duty")
        await watcher.until(lambda: watcher.of("event") and watcher.of("positions"))
        assert ana.driver_id not in json.dumps(spy.frames)


async def test_a_viewer_may_watch(company: Company) -> None:
    company.driver("Ana")
    _, key = key_of(company, "viewer")
    async with watching(company, key) as watcher:
        assert len((await watcher.subscribe())["drivers"]) == 1


@pytest.mark.parametrize(
    "role", [{"role": "customer", "customer": "Shop"}, {"role": "subcontractor", "subcontractor": "X"}]
)
async def test_other_roles_may_not(company: Company, role: dict[str, str]) -> None:
    _, key = key_of(company, **role)
    async with watching(company, key) as watcher:
        assert await watcher.code() == 4401


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"X-API-Key": "wrong"}])
async def test_nobody_else_may(company: Company, headers: dict[str, str]) -> None:
    async with watching(company, additional_headers=headers) as watcher:
        assert await watcher.code() == 4401


async def test_a_phones_token_is_no_key(company: Company) -> None:
    async with watching(company, company.driver("Ana").token) as watcher:
        assert await watcher.code() == 4401


async def test_a_key_comes_in_each_of_its_forms(company: Company) -> None:
    address = f"{company.server.ws_url}/live"
    for query, headers, subprotocols in (
        (f"?key={company.key}", {}, None),
        ("", {"X-API-Key": company.key}, None),
        ("", {}, ["codriver.v1.json", f"bearer.{company.key}"]),
    ):
        async with connect(
            address + query, additional_headers=headers, subprotocols=subprotocols, proxy=None
        ) as connection:
            assert connection.subprotocol == (subprotocols[0] if subprotocols else None)
            await connection.send('{"type":"subscribe","id":"a"}')
            async with asyncio.timeout(60):
                assert json.loads(await connection.recv())["type"] == "snapshot"


async def test_a_key_that_is_taken_back_closes_what_it_holds_open(company: Company) -> None:
    key_id, key = key_of(company, "viewer")
    async with watching(company, key) as revoked, watching(company) as kept:
        await revoked.subscribe()
        await kept.subscribe()
        assert company.client.delete(f"/api/keys/{key_id}").status_code in (200, 204)
        assert await revoked.code() == 4409
        await kept.subscribe("b")


GARBAGE = [
    ("", "ERR_MALFORMED"),
    ("no json", "ERR_MALFORMED"),
    ('{"type":"subscribe","x":' + "[" * 50_000, "ERR_MALFORMED"),
    ("[]", "ERR_INVALID"),
    ("{}", "ERR_TYPE_UNKNOWN"),
    ('{"type":"dance","id":"a"}', "ERR_TYPE_UNKNOWN"),
    ('{"type":["subscribe"],"id":"a"}', "ERR_TYPE_UNKNOWN"),
    ('{"type":"dance","id":"a"', "ERR_MALFORMED"),
    ('{"type":"subscribe"}', "ERR_INVALID"),
    ('{"type":"subscribe","id":""}', "ERR_INVALID"),
    ('{"type":"subscribe","id":"a","maxHz":0}', "ERR_INVALID"),
    ('{"type":"subscribe","id":"a","maxHz":1001}', "ERR_INVALID"),
    ('{"type":"subscribe","id":"a","drivers":"some"}', "ERR_INVALID"),
    ('{"type":"subscribe","id":"a","bbox":[1,2,3]}', "ERR_INVALID"),
    ('{"type":"subscribe","id":"a","bbox":[0,50,1,40]}', "ERR_INVALID"),
    ('{"type":"subscribe","id":"a","bbox":[0,-91,1,40]}', "ERR_INVALID"),
    ('{"type":"subscribe","id":"a","bbox":[NaN,0,1,40]}', "ERR_MALFORMED"),
    ('{"type":"unsubscribe","id":"never"}', "ERR_NOT_FOUND"),
    (b"\x00\xff", "ERR_MALFORMED"),
]


async def test_garbage_is_answered_by_name_and_the_socket_stays(company: Company) -> None:
    async with watching(company) as watcher:
        for number, (text, code) in enumerate(GARBAGE, 1):
            await watcher.connection.send(text)
            await watcher.until(lambda number=number: len(watcher.of("error")) == number)
            refused = watcher.of("error")[-1]
            assert refused["code"] == code and refused["message"], text[:100]
            if code != "ERR_MALFORMED" and '"id"' in text:
                assert refused["id"] == json.loads(text)["id"]
        await watcher.subscribe()


async def test_invalid_utf_8_and_a_frame_too_large_close_with_their_codes(company: Company) -> None:
    async with watching(company) as watcher:
        await watcher.connection.send(b"\xff\xfe", text=True)
        assert await watcher.code() == 1007
    async with watching(company) as watcher:
        with contextlib.suppress(ConnectionClosed):  # before all was sent
            await watcher.connection.send("x" * 70_000)
        assert await watcher.code() == 1009


async def test_more_subscriptions_than_allowed_are_refused_one_by_one(company: Company) -> None:
    async with watching(company) as watcher:
        for number in range(20):
            await watcher.subscribe(f"s{number}")
        await watcher.send(type="subscribe", id="one too many")
        await watcher.until(lambda: watcher.of("error"))
        assert watcher.of("error")[0]["code"] == "ERR_TOO_MANY_SUBSCRIPTIONS"
        assert watcher.of("error")[0]["id"] == "one too many"
        await watcher.send(type="unsubscribe", id="s0")
        await watcher.subscribe("now there is room")


async def test_a_flood_is_sent_away_and_the_others_do_not_notice(company: Company) -> None:
    async with watching(company) as calm, watching(company) as flood:
        await calm.subscribe()
        with contextlib.suppress(ConnectionClosed):
            for _ in range(10_000):
                await flood.send(type="unsubscribe", id="x")
        assert await flood.code() == 4429
        await calm.subscribe("b")


async def test_a_change_of_plan_is_told_to_those_who_want_events(company: Company) -> None:
    async with watching(company) as watcher, watching(company) as calm:
        await watcher.subscribe(events=True)
        await calm.subscribe()
        route = await asyncio.to_thread(planned, company)
        await watcher.until(lambda: watcher.of("plan"))
        assert watcher.of("plan")[0] == {"type": "plan", "id": "a", "date": DATE}
        before = len(watcher.of("plan"))
        order = {"orderNo": route["stops"][0]["orderNo"], "data": {"status": "failed"}}
        answer = await asyncio.to_thread(company.v1, "update_completion_details", {"updates": [order]})
        assert answer["success"], answer
        await watcher.until(lambda: len(watcher.of("plan")) > before)
        assert calm.of("plan") == []


async def test_a_clock_that_runs_fast_is_told(tmp_path: Any) -> None:
    server = Server(tmp_path / "data", "--clock", "2026-03-02T08:00:00Z@10").start()
    try:
        async with watching(server.account()) as watcher:
            snapshot = await watcher.subscribe()
            assert snapshot["clockSpeed"] == 10
            assert 0 <= snapshot["now"] - 1772438400 < 3600
    finally:
        server.kill()


async def test_a_restart_is_announced(tmp_path: Any) -> None:
    server = Server(tmp_path / "data").start()
    try:
        company = server.account()
        async with watching(company) as watcher:
            await watcher.subscribe()
            assert await asyncio.to_thread(server.stop) == 0
            assert await watcher.code() == 1012
            assert 1000 <= watcher.of("drain")[0]["retryInMs"] <= 5000
    finally:
        server.kill()


async def test_a_map_that_comes_while_the_disk_gives_nothing_back_is_sent_away_to_come_again(tmp_path: Path) -> None:
    """As where the database is away: a map that were told of an error would wait for its snapshot for ever."""
    server = Server(tmp_path / "data").start()
    try:
        company = server.account()
        async with watching(company) as watcher:
            with (tmp_path / "data" / "codriver.db").open("r+b") as database:
                size = database.seek(0, os.SEEK_END)
                database.seek(4096)
                database.write(b"\xff" * (size - 4096))
            await watcher.send(type="subscribe", id="a")
            assert await watcher.code() == 1013
    finally:
        server.kill()


async def test_the_document_of_the_websockets_names_every_message(server: Server) -> None:
    told = httpx.get(f"{server.url}/schema/asyncapi.json").json()
    assert told["asyncapi"] == "3.0.0" and told["channels"].keys() == {"live", "recipient", "driver"}

    def resolve(reference: str) -> Any:
        found: Any = told
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        return found

    def check(node: Any) -> None:
        match node:
            case {"$ref": reference}:
                resolve(reference)
            case dict():
                for each in node.values():
                    check(each)
            case list():
                for each in node:
                    check(each)

    check(told)
    names = {each["name"] for each in told["components"]["messages"].values()}
    assert names >= {"subscribe", "unsubscribe", "snapshot", "positions", "event", "plan", "alive", "drain", "error"}
    assert names >= {"state", "ack", "actions", "message", "route"}
