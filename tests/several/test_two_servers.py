"""What is done at one of two servers holds at the other."""

import asyncio
import itertools
import threading
import time
import uuid
from contextlib import ExitStack

import httpx

from tests.api import days
from tests.api.days import DAY, sent_day
from tests.api.files import noise
from tests.api.test_driver_socket import ask, closed, hear, line
from tests.api.test_uploads import begin, far, go_on
from tests.api.watching import drive, fix, watching
from tests.optimoroute.halfway import Wire
from tests.serving import Company, Phone, codriver, eventually
from tests.several.conftest import Several

HEALED_S = 40.0


def elsewhere(phone: Phone, company: Company) -> Phone:
    """The same phone at the company's server."""
    return Phone(company.server, phone.driver_id, phone.token)


async def test_what_a_phone_sends_here_is_seen_there(companies: tuple[Company, Company]) -> None:
    here, there = companies
    phone = here.driver("Ana", externalId="D1")
    async with watching(there) as map_:
        snapshot = await map_.subscribe(events=True)
        assert [each["externalId"] for each in snapshot["drivers"]] == ["D1"]
        drive(phone, fix(20), fix(10, 45.81))
        await map_.until(lambda: map_.moves(phone.driver_id))
        done = {"id": str(uuid.uuid4()), "action": "on_duty", "timestamp": time.time() - 30}
        phone.client.post("/driver/v1/actions", json={"actions": [done]})
        await map_.until(lambda: map_.of("event"))
        assert map_.of("event")[0]["event"]["event"] == "on_duty"


async def test_what_is_taken_back_here_is_good_nowhere(companies: tuple[Company, Company]) -> None:
    here, there = companies
    phone = elsewhere(here.driver(), there)
    viewer = here.client.post("/api/keys", json={"role": "viewer", "name": "wall"}).json()
    device = here.client.get(f"/api/drivers/{phone.driver_id}/devices").json()["items"][0]
    async with line(phone) as socket, watching(there, key=viewer["key"]) as map_:
        assert (await ask(socket, type="positions", id="m1", positions=[fix(1)]))["accepted"] == 1
        await map_.subscribe()
        here.client.delete(f"/api/devices/{device['id']}")
        here.client.delete(f"/api/keys/{viewer['id']}")
        assert await closed(socket) == 4409 and await map_.code() == 4409
    assert phone.client.get("/driver/v1/route").status_code == 401


async def test_a_phone_that_comes_back_elsewhere_has_one_line(companies: tuple[Company, Company]) -> None:
    here, there = companies
    phone = here.driver()
    async with watching(there) as map_, line(phone) as older:
        await map_.subscribe()
        await ask(older, type="positions", id="m1", positions=[fix(1)])
        await map_.until(lambda: map_.moves(phone.driver_id))  # by then the other server knows of this line too
        await asyncio.sleep(0.5)  # of two that come within the time that a letter takes nobody can tell the order
        async with line(elsewhere(phone, there)) as newer:
            assert await closed(older) == 4409
            here.client.post(f"/api/drivers/{phone.driver_id}/messages", json={"text": "hello"})
            assert (await hear(newer))["text"] == "hello"


async def test_a_plan_that_is_sent_here_reaches_the_phone_there(companies: tuple[Company, Company]) -> None:
    here, there = companies
    phone = here.driver("Ana", externalId="D1", workTime={"from": "08:00", "to": "17:00"})
    async with line(elsewhere(phone, there)) as socket:
        sent_day(here, phone)
        assert (await hear(socket))["type"] == "route"


def test_settings_that_are_changed_here_hold_there(companies: tuple[Company, Company]) -> None:
    here, there = companies
    assert there.client.get("/api/settings").json()["timeZone"] == "UTC"
    assert here.client.patch("/api/settings", json={"timeZone": "Europe/Zagreb"}).status_code == 200
    assert there.client.get("/api/settings").json()["timeZone"] == "Europe/Zagreb"


def test_a_plan_is_seen_and_stopped_from_the_other_server(companies: tuple[Company, Company]) -> None:
    here, there = companies
    here.client.patch("/api/settings", json={"planningSeconds": 60})
    here.driver("Ana", externalId="D1", workTime={"from": "08:00", "to": "17:00"})
    place = {"locationName": "x", "latitude": 45.8, "longitude": 16.0}
    orders = [
        {"orderNo": str(number), "date": DAY, "type": "D", "duration": 5, "location": place} for number in range(20)
    ]
    assert here.v1("create_or_update_orders", {"orders": orders})["success"]
    planning_id = here.v1("start_planning", {"date": DAY})["planningId"]
    assert there.v1("get_planning_status", planningId=planning_id)["status"] in ("N", "R")
    eventually(lambda: there.v1("get_planning_status", planningId=planning_id)["percentageComplete"] > 0, within_s=60)
    assert there.v1("stop_planning", {"planningId": planning_id})["success"]
    assert here.v1("get_planning_status", planningId=planning_id)["status"] == "C"


def refused(company: Company) -> bool:
    return bool(company.v1("get_events").get("code") == "ERR_TOO_MANY_CONNECTIONS")


def test_the_sixth_request_at_the_same_time_is_refused_wherever_it_comes(companies: tuple[Company, Company]) -> None:
    here, there = companies
    with ExitStack() as held:

        def began(company: Company) -> Wire:
            wire = Wire(company)
            held.callback(wire.close)
            wire.send(3)
            return wire

        def full() -> bool:
            """One that came while the question was asked was refused, and is begun anew."""
            for number, company in enumerate(places):
                if wires[number].answered():
                    wires[number] = began(company)
            return refused(here) and refused(there)

        places = (here, there, here, there, here)
        wires = [began(company) for company in places]
        eventually(full)
    eventually(lambda: not refused(here) and not refused(there))


def test_wrong_codes_count_together(companies: tuple[Company, Company]) -> None:
    """Who guessed ten times here has to wait there too, where it takes ten to be sent away. Where a process was stopped
    for seconds a letter may be lost, and each counts its own: then somebody else guesses."""
    here, there = companies
    device = {"platform": "android", "model": "test", "appVersion": "1"}

    def guess(stranger: httpx.Client, company: Company) -> int:
        body = {"code": uuid.uuid4().hex[:10], "device": device}
        return stranger.post(f"{company.server.url}/driver/v1/pair", json=body).status_code

    def counted_together(number: int) -> bool:
        with httpx.Client(transport=httpx.HTTPTransport(local_address=f"127.0.0.{number}")) as stranger:
            assert [guess(stranger, here) for _ in range(11)] == [400] * 10 + [429]
            for _ in range(5):
                time.sleep(0.1)
                if guess(stranger, there) == 429:
                    return True
        return False

    strangers = itertools.count(9)
    eventually(lambda: counted_together(next(strangers)), within_s=HEALED_S)


def test_an_upload_goes_on_at_the_other_server_also_while_this_one_still_waits(
    companies: tuple[Company, Company],
) -> None:
    here, there = companies
    phone = here.driver()
    file = noise((300, 300))
    url = begin(phone, len(file)).headers["location"]
    path = url.removeprefix(here.server.url)

    ended = threading.Event()

    def trickle():
        yield file[:20_000]
        ended.wait(60)
        yield file[20_000:]

    answers: list[int] = []
    waiting = threading.Thread(target=lambda: answers.append(go_on(phone, url, 0, trickle()).status_code), daemon=True)
    waiting.start()
    other = elsewhere(phone, there)
    lock = here.server.data / "uploads" / f"{path.rpartition('/')[2]}.lock"
    eventually(lock.exists, what="the beginning of the upload")

    def taken_over() -> httpx.Response | None:
        """A phone that is told that the other request goes on comes again."""
        answer = far(other, path)
        return answer if answer.status_code != 423 else None

    came = int(eventually(taken_over, within_s=60).headers["upload-offset"])
    done = go_on(other, path, came, file[came:])
    assert done.status_code == 204, done.text
    ended.set()
    waiting.join(60)
    assert answers != [204]
    assert int(far(phone, url).headers["upload-offset"]) == len(file)


def test_the_operators_commands_work_beside_the_servers(several: Several) -> None:
    here = several.here
    made = codriver("account", "create", "Beside", "--data", here.data, **here.environment)
    assert made.returncode == 0, made.stderr
    answer = httpx.get(f"{several.there.url}/api/settings", headers={"X-API-Key": made.stdout.strip()})
    assert answer.status_code == 200


async def test_without_redis_phones_are_served_and_maps_come_after(
    several: Several, companies: tuple[Company, Company]
) -> None:
    here, there = companies
    phone = here.driver()
    try:
        async with watching(there) as map_:
            await map_.subscribe(events=True)
            several.redis.kill()
            began = time.monotonic()
            drive(phone, fix(20))
            phone.client.post("/driver/v1/actions", json={"actions": [days.action("on_duty", time.time() - 5)]})
            assert time.monotonic() - began < 20
            await map_.until(lambda: map_.moves(phone.driver_id) and map_.of("event"), HEALED_S)
            several.redis.start()
            await map_.until(lambda: _joined(several), HEALED_S)
            drive(phone, fix(1))
            await map_.until(lambda: len(map_.moves(phone.driver_id)) >= 2, HEALED_S)
    finally:
        if several.redis.process is None:
            several.redis.start()


def _joined(several: Several) -> bool:
    return all("codriver_joined 1.0" in httpx.get(f"{each.url}/metrics").text for each in several[:2])
