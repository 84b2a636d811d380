"""What the simulator asks in the office's name of a server that is slow, gone, or in the midst of a plan."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from simulator import account
from simulator.account import PATIENCE_S, Account, SetupFailed
from simulator.wire import encode

HELD_S = 30.0


class Client:
    """Answers as the function says, and notes what it was asked."""

    def __init__(self, answer: Callable[[str], dict[str, Any]]) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def request(self, verb: str, address: str, **request: Any) -> httpx.Response:
        method = address.partition("?")[0].removeprefix("/v1/")
        self.asked.append(method)
        await asyncio.sleep(0)  # whoever asks for ever can be ended
        return httpx.Response(200, content=encode({"success": True, **self.answer(method)}))


def office(client: Any) -> Account:
    return Account(client, "a key")


async def test_a_planning_that_nobody_waits_for_any_more_is_ended():
    polled = asyncio.Event()

    def planning(method: str) -> dict[str, Any]:
        if method == "get_planning_status":
            polled.set()
        return {"planningId": 12, "status": "R"}

    client = Client(planning)
    work = asyncio.create_task(office(client).plan("2026-03-02"))
    async with asyncio.timeout(20):
        await polled.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
    assert client.asked[0] == "start_planning" and client.asked[-1] == "stop_planning"


async def test_a_planning_whose_server_is_gone_is_left_where_it_is(monkeypatch: pytest.MonkeyPatch):
    polled = asyncio.Event()

    def planning(method: str) -> dict[str, Any]:
        if method == "stop_planning":
            monkeypatch.setattr(account, "PATIENCE_S", 0.0)
            raise httpx.ConnectError("refused")
        if method == "get_planning_status":
            polled.set()
        return {"planningId": 12, "status": "R"}

    work = asyncio.create_task(office(Client(planning)).plan("2026-03-02"))
    async with asyncio.timeout(20):
        await polled.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work


async def test_a_server_that_does_not_answer_is_not_asked_for_ever(monkeypatch: pytest.MonkeyPatch):
    now = [100.0]

    def held(method: str) -> dict[str, Any]:
        now[0] += HELD_S
        raise httpx.ReadTimeout("no answer")

    async def wait(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(account, "monotonic", lambda: now[0])
    monkeypatch.setattr(account.asyncio, "sleep", wait)
    client = Client(held)
    with pytest.raises(SetupFailed, match=r"GET /v1/get_events: ReadTimeout no answer"):
        await office(client).events()
    assert len(client.asked) == 2 and now[0] - 100.0 < PATIENCE_S + 2 * HELD_S


@pytest.mark.parametrize("what", ["events", "track", "drivers"])
async def test_a_server_that_gives_the_same_page_again_and_again_is_not_asked_for_ever(what: str):
    fix = {"timestamp": 1_772_434_800, "latitude": 45.8, "longitude": 16.0}
    page = {"events": [{}], "remainingEvents": 1, "tag": "a", "items": [fix], "cursor": "a"}
    client = Client(lambda _method: page)
    async with asyncio.timeout(20):
        with pytest.raises(SetupFailed, match="again and again"):
            match what:
                case "events":
                    await office(client).events()
                case "track":
                    await office(client).track("d", "2026-03-02", "2026-03-03")
                case _:
                    [driver async for driver in office(client).drivers()]
    assert len(client.asked) == 2


async def test_a_server_that_restarts_is_asked_again():
    failing = iter([True, True, False])

    def restarting(method: str) -> dict[str, Any]:
        if next(failing):
            raise httpx.ConnectError("refused")
        return {"events": [], "remainingEvents": 0}

    assert await office(Client(restarting)).events() == []
