"""The websocket side of a phone, against a stand-in that answers out of order, late, twice, and hangs up."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from simulator.clock import SimClock
from simulator.day import day
from simulator.phone import Phone
from simulator.scenario import read
from simulator.steps import Send
from simulator.transport import Turned, Unreachable, phone_client
from simulator.truth import Phone as Paired
from simulator.truth import Run, Truth
from simulator.websocket import Socket
from simulator.wire import Actions, Position, Positions
from tests.simulator.days import DATE, LEAVES, WHO, route

SCENARIO = read(
    "proof = {signature = 0, photo = 0, most_photos = 0, barcode_trouble = 0}\nnetwork = {duplicates = 0.2}"
)
NOBODY = "http://127.0.0.1:9"
FIX = Positions(0, (Position(LEAVES, 45.8, 15.97),))


class Sockets:
    """Remembers what came; ``hang_up`` is the share of frames after which it closes before it answers."""

    def __init__(self, seed: int = 1, hang_up: float = 0.0) -> None:
        self.rng = random.Random(seed)
        self.hang_up = hang_up
        self.fixes: set[int] = set()
        self.actions: set[str] = set()
        self.protocols: set[str | None] = set()
        self.binary = self.connections = 0
        self.silent = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        protocols = [Subprotocol("codriver.v1.json"), Subprotocol("codriver.v1.msgpack")]
        async with serve(self.talk, "127.0.0.1", 0, subprotocols=protocols) as server:
            yield f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"

    async def talk(self, socket: ServerConnection) -> None:
        self.connections += 1
        self.protocols.add(socket.subprotocol)
        packed = socket.subprotocol == "codriver.v1.msgpack"
        held: list[Any] = []
        async for data in socket:
            self.binary += isinstance(data, bytes)
            frame = msgspec.msgpack.decode(data) if isinstance(data, bytes) else json.loads(data)
            answer = {"type": "ack", "id": frame["id"], **self.store(frame)}
            if self.rng.random() < self.hang_up or (self.hang_up and self.connections == 1 and len(self.fixes) > 20):
                socket.transport.abort()
                return
            held.append(msgspec.msgpack.encode(answer) if packed else json.dumps(answer))
            if len(held) > 1 or self.rng.random() < 0.7:
                for late in reversed(held):
                    await socket.send(late)
                held.clear()
            else:
                asyncio.get_running_loop().call_later(0.05, self.flush, socket, held)

    def flush(self, socket: ServerConnection, held: list[Any]) -> None:
        self.flushing = asyncio.gather(*(socket.send(late) for late in held), return_exceptions=True)
        held.clear()

    def store(self, frame: dict[str, Any]) -> dict[str, Any]:
        if frame["type"] == "positions":
            self.fixes |= {round(fix["timestamp"] * 1000) for fix in frame["positions"]}
            return {"accepted": len(frame["positions"]), "duplicates": 0, "rejected": []}
        self.actions |= {action["id"] for action in frame["actions"]}
        return {"actions": [{"id": action["id"], "success": True} for action in frame["actions"]]}


@pytest.mark.parametrize("packed", [False, True])
async def test_everything_arrives_over_a_socket_that_hangs_up_and_answers_out_of_order(seed: int, packed: bool):
    sockets = Sockets(seed, hang_up=0.1)
    truth = Truth.begin(Run("http://x", DATE, 7, "ws", "", None, 4), None)
    diary = truth.paired(Paired("D1", "DRV001", "DRV001", "token", route(4)))
    async with sockets.running() as url:
        socket = Socket(lambda: phone_client(url), url, "token", packed)
        phone = Phone(diary, truth, socket, SimClock(LEAVES - 600, 40_000.0), WHO.rng("phone"))
        async with asyncio.timeout(120):
            await phone.live(day(route(4), WHO, SCENARIO))
    done = [step.message for step in day(route(4), WHO, SCENARIO) if isinstance(step, Send)]
    assert phone.turned is None and all(diary.is_acknowledged(message.n) for message in done)
    assert sockets.fixes == {
        fix.at_ms for message in done if isinstance(message, Positions) for fix in message.positions
    }
    assert sockets.actions == {a.id for message in done if isinstance(message, Actions) for a in message.actions}
    assert sockets.protocols == {"codriver.v1.msgpack" if packed else "codriver.v1.json"}
    assert bool(sockets.binary) == packed and sockets.connections > 1


async def test_nobody_there_is_unreachable():
    socket = Socket(lambda: phone_client(NOBODY), NOBODY, "token", False)
    with pytest.raises(Unreachable):
        await socket.deliver(FIX)


@pytest.mark.parametrize("hears", [False, True])
async def test_a_phone_whose_token_is_not_known_any_more_does_not_come_back(hears: bool):
    """A server that takes the connection and closes it with 4401 was asked again and again."""

    async def talk(socket: ServerConnection) -> None:
        if hears:
            await socket.recv()
        await socket.close(4401, "unknown")

    async with serve(talk, "127.0.0.1", 0, subprotocols=[Subprotocol("codriver.v1.json")]) as server:
        url = f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        socket = Socket(lambda: phone_client(url), url, "token", False)
        async with asyncio.timeout(60):
            with pytest.raises(Turned):
                await socket.deliver(FIX)
