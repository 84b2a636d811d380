"""A whole server on a machine that dies at the worst moment, with a slow, failing or full disk, a clock that jumps."""

import asyncio
import base64
import errno
import hashlib
import json
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from tests.api import days
from tests.api.days import action
from tests.api.files import hand_in, picture
from tests.api.test_driver_socket import ask, hear, line
from tests.api.test_health import figure
from tests.api.test_uploads import begin, far, go_on
from tests.api.watching import watching
from tests.disks import ballast, small_disk
from tests.faults import Machine
from tests.serving import Company, Phone, Server, bearer, eventually

LOG = "codriver.db-wal"


class Failing:
    """A server and its machine."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.machine = Machine(folder / "data", folder / "machine")
        self.server = Server(folder / "data", environment=self.machine.environment | settings).start()

    def dead(self) -> bool:
        process = self.server.process
        return process is not None and process.poll() is not None

    def begin_again(self) -> None:
        self.machine.orders()
        self.server.kill()
        self.server.start()


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Failing]:
    made = Failing(tmp_path_factory.mktemp("machine"))
    try:
        yield made
    finally:
        made.server.kill()


@pytest.fixture
def at_any_time(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Failing]:
    """A server whose clock may jump, on each engine."""
    if engine == "sqlite":
        yield request.getfixturevalue("failing")
        return
    postgresql = request.getfixturevalue("postgresql")
    url = postgresql.fresh()
    made = Failing(tmp_path, CODRIVER_DATABASE_URL=url)
    try:
        yield made
    finally:
        made.server.kill()
        postgresql.drop(url)


@pytest.fixture(autouse=True)
def a_sound_machine(failing: Failing) -> Iterator[None]:
    yield
    failing.machine.orders()


@pytest.fixture
def company(failing: Failing) -> Company:
    return failing.server.account()


@pytest.fixture
def phone(company: Company) -> Phone:
    return company.driver("Ana", externalId=f"D{uuid.uuid4().hex[:8]}")


def fix(at_s: float) -> dict[str, Any]:
    return days.fix(round(at_s, 3))


def track(company: Company, phone: Phone) -> list[float]:
    """When the stored positions were."""
    items = company.client.get(f"/api/drivers/{phone.driver_id}/track").json()["items"]
    return [each["timestamp"] for each in items]


def post(phone: Phone, *fixes: dict[str, Any]) -> httpx.Response:
    return phone.client.post("/driver/v1/positions", json={"positions": fixes})


def by_http(phone: Phone) -> Callable[[], bool]:
    fixes = [fix(time.time() - 60 + n) for n in range(20)]

    def send() -> bool:
        told = post(phone, *fixes).json()
        assert told["accepted"] + told["duplicates"] == 20
        return told["duplicates"] == 20

    return send


def by_socket(phone: Phone) -> Callable[[], bool]:
    fixes = [fix(time.time() - 60 + n) for n in range(20)]

    def send() -> bool:
        url, headers = f"{phone.server.ws_url}/driver/v1/ws", bearer(phone.token)
        with connect(url, additional_headers=headers, proxy=None) as socket:
            socket.send(json.dumps({"type": "positions", "id": "1", "positions": fixes}))
            told = json.loads(socket.recv(40))
        assert told["accepted"] + told["duplicates"] == 20
        return told["duplicates"] == 20

    return send


def by_action(phone: Phone) -> Callable[[], bool]:
    once = action("on_duty", time.time() - 60)

    def send() -> bool:
        [told] = phone.client.post("/driver/v1/actions", json={"actions": [once]}).json()["actions"]
        assert told["success"]
        return told.get("duplicate", False)

    return send


def by_form(phone: Phone) -> Callable[[], bool]:
    file, id = picture(), str(uuid.uuid4())

    def send() -> bool:
        told = hand_in(phone, file, id)
        assert told.status_code in (200, 201), told.text
        return told.status_code == 200

    return send


def checksum(content: bytes) -> dict[str, str]:
    return {"Upload-Checksum": f"sha1 {base64.b64encode(hashlib.sha1(content).digest()).decode()}"}


def by_parts(phone: Phone) -> Callable[[], bool]:
    file, id = picture(size=(200, 100)), str(uuid.uuid4())
    at = begin(phone, len(file), id).headers["location"]
    half = len(file) // 2
    assert go_on(phone, at, 0, file[:half]).status_code == 204

    def send() -> bool:
        """As a client goes on: it asks how far it is."""
        offset = int(far(phone, at).headers["upload-offset"])
        if offset < len(file):
            assert go_on(phone, at, offset, file[offset:]).status_code == 204
        return offset == len(file)

    return send


@pytest.mark.parametrize("way", [by_http, by_socket, by_action, by_form, by_parts])
def test_what_was_committed_when_the_server_died_before_it_could_answer_is_known_when_it_comes_again(
    failing: Failing, phone: Phone, way: Callable[[Phone], Callable[[], bool]]
) -> None:
    """The kill comes right after the fsync of the log that makes the commit: nobody has heard of it yet."""
    for number in (1, 2) * 4:  # the first commit of a new log syncs the log's head before itself
        send = way(phone)
        failing.machine.orders(only=LOG, die_sync=number)
        try:
            send()
        except Exception:
            eventually(failing.dead, what="the kill")
            failing.begin_again()
            known = send()
            assert send(), "sent once more, it is a repeat"
            if known:
                return
        else:
            failing.machine.orders()
    raise AssertionError("no kill fell between a commit and its answer")


def test_an_fsync_that_hangs_delays_what_is_acknowledged_and_nothing_else(failing: Failing, phone: Phone) -> None:
    failing.machine.orders(only=LOG, sync_ms=60_000)
    with ThreadPoolExecutor(30) as pool:
        sending = [pool.submit(post, phone, fix(time.time() - 60 + n)) for n in range(30)]
        eventually(lambda: figure(failing.server, "codriver_changes_waiting") == 30, what="all thirty at the disk")
        assert httpx.get(f"{failing.server.url}/healthz").status_code == 200
        assert phone.client.get("/driver/v1/route").status_code == 200
        assert not any(each.done() for each in sending), "nothing is acknowledged before it is on the disk"
        failing.machine.orders(only=LOG)
        answers = [each.result(40) for each in sending]
    assert [answer.json()["accepted"] for answer in answers] == [1] * 30
    assert failing.machine.count("syncs") <= 5, "what waited together shares a commit"


def test_a_disk_that_fails_is_told_with_a_time_to_come_back_and_works_again_by_itself(
    failing: Failing, company: Company, phone: Phone
) -> None:
    fixes = [fix(time.time() - 60 + n) for n in range(10)]
    file, id, act = picture(), str(uuid.uuid4()), action("on_duty", time.time() - 60)
    assert post(phone, fixes[0]).json()["accepted"] == 1

    def everything() -> list[httpx.Response]:
        told = [post(phone, *fixes), phone.client.post("/driver/v1/actions", json={"actions": [act]})]
        return [*told, hand_in(phone, file, id)]

    begun, sum_of_it = begin(phone, len(file)).headers["location"], checksum(file)
    for fault in ({"fail_sync": 1}, {"fail_write": 1}, {"fail_write": 1, "error": errno.ENOSPC}):
        failing.machine.orders(**fault)
        expected = (507, "ERR_STORAGE_FULL") if "error" in fault else (503, "ERR_STORAGE")
        for answer in [*everything(), go_on(phone, begun, 0, file, **sum_of_it)]:
            assert (answer.status_code, answer.json()["code"]) == expected, answer.text
            assert int(answer.headers["retry-after"]) > 0
        assert len(track(company, phone)) == 1, "reads go on"
        assert httpx.get(f"{failing.server.url}/healthz").status_code == 200
    asyncio.run(refused_by_socket(phone, fixes))
    failing.machine.orders()
    assert go_on(phone, begun, 0, file, **sum_of_it).status_code == 204
    positions, actions, photo = everything()
    assert (positions.json()["accepted"], positions.json()["duplicates"]) == (9, 1)
    assert actions.json()["actions"][0]["success"] and photo.status_code == 201
    failing.begin_again()
    positions, actions, photo = everything()
    assert positions.json()["duplicates"] == 10 and actions.json()["actions"][0]["duplicate"]
    assert photo.status_code == 200
    assert "Traceback" not in failing.server.log.read_text()


async def refused_by_socket(phone: Phone, fixes: list[dict[str, Any]]) -> None:
    async with line(phone) as socket:
        await socket.send(json.dumps({"type": "positions", "id": "m1", "positions": fixes}))
        told = await hear(socket)
        assert (told["type"], told.get("code")) == ("error", "ERR_STORAGE_FULL"), told


@pytest.mark.parametrize("jump_s", [-3600, 86_400], ids=["an hour back", "a day forward"])
async def test_a_clock_that_jumps_closes_no_socket_refuses_no_phone_and_forgets_nothing(
    at_any_time: Failing, jump_s: int
) -> None:
    """The phones' clocks are right all the time."""
    failing, company = at_any_time, at_any_time.server.account()
    phone = company.driver("Ana")
    company.client.patch("/api/settings", json={"driverPositionRetentionDays": 1})
    sent = [fix(time.time() - 82_000 + n) for n in range(5)]
    assert post(phone, *sent).json()["accepted"] == 5
    file, id = picture(), str(uuid.uuid4())
    assert hand_in(phone, file, id).status_code == 201
    async with line(phone) as socket, watching(company) as watcher:
        await watcher.subscribe(drivers="all", maxHz=10)
        failing.machine.orders(clock_ms=jump_s * 1000)
        for number in range(3):
            now = fix(time.time() - 3 + number)
            told = await ask(socket, type="positions", id=str(number), positions=[now])
            assert (told["type"], told["accepted"], told["rejected"]) == ("ack", 1, []), told
            sent.append(now)
            await watcher.until(lambda at=now["timestamp"]: at in watcher.trail(phone.driver_id))
        told = await ask(socket, type="actions", id="a", actions=[action("on_duty", time.time())])
        assert told["actions"][0]["success"], told
        again = company.driver("Ivo", externalId="ivo")  # pairs with a code that was made after the jump
        assert post(again, fix(time.time())).json()["accepted"] == 1
        update = {"driver": {"externalId": "ivo"}, "positions": [fix(time.time())]}
        assert company.v1("update_drivers_positions", {"updates": [update]})["success"]
        assert hand_in(phone, file, id).status_code == 200
        figures = httpx.get(f"{failing.server.url}/metrics").text.splitlines()
        values = [float(each.split()[-1]) for each in figures if not each.startswith("#")]
        assert min(values) >= 0
        failing.machine.orders()
        last = fix(time.time())
        assert (await ask(socket, type="positions", id="z", positions=[last]))["accepted"] == 1
        await watcher.until(lambda: last["timestamp"] in watcher.trail(phone.driver_id))
        assert socket.close_code is None and watcher.connection.close_code is None
    assert track(company, phone) == [each["timestamp"] for each in [*sent, last]]
    assert "Traceback" not in failing.server.log.read_text()


def test_a_disk_without_a_byte_left_takes_nothing_shows_everything_and_works_again_once_there_is_room(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path / "disk", 96 << 20) as disk:
        server = Server(disk / "data").start()
        try:
            company = server.account()
            phone = company.driver("Ana")
            fixes = [fix(time.time() - 600 + n) for n in range(500)]
            assert post(phone, *fixes[:10]).json()["accepted"] == 10
            with ballast(disk):
                taken = 10
                for number in range(10, 500):
                    answer = post(phone, fixes[number])
                    if answer.status_code == 507:
                        assert int(answer.headers["retry-after"]) > 0
                    else:  # there was room in the log, as each time that it was moved in a pause, or in its last page
                        assert answer.json()["accepted"] == 1, answer.text
                        taken += 1
                    if (refused := number + 1 - taken) > 60:
                        break
                assert refused > 60
                photo = hand_in(phone, picture())
                assert (photo.status_code, photo.json()["code"]) == (507, "ERR_STORAGE_FULL")
                begun = begin(phone, 10_000)
                assert (begun.status_code, begun.json()["code"]) == (507, "ERR_STORAGE_FULL")
                assert len(track(company, phone)) == taken
                assert httpx.get(f"{server.url}/healthz").status_code == 200
                server.kill()
                server.start()  # also with a full disk, though there is room again for as much as the log took
                assert len(track(company, phone)) == taken
            told = post(phone, *fixes).json()
            assert (told["accepted"], told["duplicates"]) == (500 - taken, taken)
            assert hand_in(phone, picture()).status_code == 201
            assert not list((disk / "data" / "uploads").glob("*.part"))
            assert "Traceback" not in server.log.read_text()
        finally:
            server.kill()
