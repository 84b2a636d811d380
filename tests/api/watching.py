"""A socket of a watcher, as a test holds it: frames by kind, each wait with a deadline."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.serving import Company, Phone

PATIENCE_S = 60.0


class Watching:
    """Reads all the time, but while it is paused."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.frames: list[dict[str, Any]] = []
        self._reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        try:
            async for text in self.connection:
                self.frames.append(json.loads(text))
        except ConnectionClosed:
            pass

    async def send(self, **frame: Any) -> None:
        await self.connection.send(json.dumps(frame))

    async def subscribe(self, id_: str = "a", **wish: Any) -> dict[str, Any]:
        """The snapshot."""
        before = len(self.of("snapshot", id_))
        await self.send(type="subscribe", id=id_, **wish)
        await self.until(lambda: len(self.of("snapshot", id_)) > before)
        return self.of("snapshot", id_)[-1]

    def of(self, kind: str, id_: str | None = None) -> list[dict[str, Any]]:
        return [each for each in self.frames if each["type"] == kind and (id_ is None or each.get("id") == id_)]

    def moves(self, driver_id: str, id_: str | None = None) -> list[dict[str, Any]]:
        """What was told of a driver, in the order in which it came."""
        moved = [each for frame in self.of("positions", id_) for each in frame["drivers"]]
        return [each for each in moved if each["driverId"] == driver_id]

    def trail(self, driver_id: str) -> list[float]:
        return [each["timestamp"] for each in self.moves(driver_id)]

    async def until(self, condition: Callable[[], Any], within_s: float = PATIENCE_S) -> Any:
        deadline = time.monotonic() + within_s
        while not (found := condition()):
            assert time.monotonic() < deadline, f"it did not come; the last frames: {self.frames[-3:]}"
            await asyncio.sleep(0.01)
        return found

    async def code(self, within_s: float = PATIENCE_S) -> int:
        """How the server closed it."""
        async with asyncio.timeout(within_s):
            await self.connection.wait_closed()
        assert self.connection.close_code is not None
        return self.connection.close_code

    def pause(self) -> None:
        """Read nothing: once the buffers on the way are full, the server cannot write."""
        self._reading.cancel()

    def resume(self) -> None:
        self._reading = asyncio.ensure_future(self._read())

    async def stop(self) -> None:
        self._reading.cancel()


@asynccontextmanager
async def watching(company: Company, key: str | None = None, **options: Any) -> AsyncIterator[Watching]:
    """A socket on the company's live map."""
    headers = {"Authorization": f"Bearer {key or company.key}"}
    options = {"max_size": None, "compression": None, "additional_headers": headers, "proxy": None} | options
    async with connect(f"{company.server.ws_url}/live", **options) as connection:
        watcher = Watching(connection)
        try:
            yield watcher
        finally:
            await watcher.stop()


def narrow(company: Company) -> dict[str, Any]:
    """Options of a socket on which little can be on its way, so that a pause is felt by the server soon."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", company.server.port))
    raw.setblocking(False)
    return {"sock": raw, "max_queue": 1, "ping_interval": None}


def fix(seconds_ago: float, latitude: float = 45.8, longitude: float = 16.0, **more: float) -> dict[str, float]:
    return {"timestamp": round(time.time() - seconds_ago, 3), "latitude": latitude, "longitude": longitude, **more}


def drive(phone: Phone, *fixes: dict[str, float]) -> None:
    answer = phone.client.post("/driver/v1/positions", json={"positions": list(fixes)})
    assert answer.status_code == 200 and not answer.json()["rejected"], answer.text
