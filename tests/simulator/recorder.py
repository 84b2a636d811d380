"""A stand-in for a whole server that answers at once and the same every time, and writes down what phones send."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

import msgspec
import uvicorn

from simulator.wire import Route, encode
from tests.simulator.days import DATE, LEAVES, route

Scope = dict[str, Any]


class Recorder:
    """``sent`` holds, by device and path, the bytes of every request and frame in the order of their arrival. Maps are
    shown what comes, each thing once.
    """

    def __init__(self, drivers: int, stops: int) -> None:
        self._drivers = [f"DRV{number + 1:03}" for number in range(drivers)]
        self._stops = stops
        self._uploads: dict[str, int] = {}
        self.sent: dict[tuple[str, str], list[bytes]] = defaultdict(list)
        self.url = ""
        self._shown: list[bytes] = []
        self._told: set[str] = set()
        self._newest: dict[str, float] = {}
        self._news = asyncio.Condition()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Recorder"]:
        quiet = {"log_level": "error", "lifespan": "off", "interface": "asgi3", "ws_ping_interval": None}
        server = uvicorn.Server(uvicorn.Config(self._app, port=0, ws="websockets-sansio", **quiet))
        serving = asyncio.create_task(server.serve())
        try:
            async with asyncio.timeout(120):
                while not server.started:
                    await asyncio.sleep(0.01)
            self.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
            yield self
        finally:
            server.should_exit = True
            await serving

    def route(self, driver: str) -> Route:
        stops = tuple(
            msgspec.structs.replace(stop, orderId=f"{driver}-{stop.orderId}") for stop in route(self._stops).stops
        )
        return msgspec.structs.replace(route(self._stops), driverId=driver, externalId=driver, stops=stops)

    async def _app(self, scope: Scope, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Any]) -> None:
        if scope["type"] == "websocket":
            await (self._map if scope["path"] == "/live" else self._phone)(scope, receive, send)
            return
        content = b""
        while (part := await receive()).get("type") == "http.request":
            content += part.get("body", b"")
            if not part.get("more_body"):
                break
        status, headers, told = self._answer(scope, _headers(scope), content)
        if scope["path"] in ("/driver/v1/positions", "/driver/v1/actions") and status == 200:
            await self._show(_headers(scope)["authorization"].removeprefix("Bearer "), json.loads(content))
        head = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": told})

    def _answer(self, scope: Scope, headers: dict[str, str], content: bytes) -> tuple[int, dict[str, str], bytes]:
        method, path = scope["method"], scope["path"]
        device = headers.get("authorization", "").removeprefix("Bearer ")
        if path.startswith("/driver/v1/") and path not in ("/driver/v1/pair", "/driver/v1/route"):
            kept = {name: headers[name] for name in sorted(headers) if name not in ("host", "authorization")}
            place = path if method == "POST" else f"{method} upload"
            self.sent[device, place].append(encode([method, path, kept]) + content)
            if path.startswith("/driver/v1/uploads"):
                return self._upload(method, path, headers, content)
            return 200, {}, encode(_stored(json.loads(content)) if "json" in headers["content-type"] else {"id": "x"})
        match path.removeprefix("/api/").split("/"):
            case ["routes"]:
                return 200, {}, encode({"items": [self.route(driver) for driver in self._drivers]})
            case ["drivers"]:
                each = [{"id": driver, "externalId": driver, "name": driver} for driver in self._drivers]
                return 200, {}, encode({"items": each})
            case ["drivers", paired, "pairing"]:
                return 200, {}, encode({"code": paired})
            case ["drivers", _, "track"]:
                return 200, {}, b'{"items": []}'
            case ["plans", _]:
                return 200, {}, b'{"unscheduled": []}'
        if path == "/driver/v1/pair":
            asked = json.loads(content)
            return 200, {}, encode({"token": f"{asked['code']}/{asked['device']['model']}"})
        if path == "/driver/v1/route":
            assert parse_qs(scope["query_string"].decode())["date"] == [DATE]
            return 200, {}, encode({"route": self.route(device.partition("/")[0]), "version": 1})
        return 200, {}, encode({"success": True, "events": [], "orders": []})

    def _upload(
        self, method: str, path: str, headers: dict[str, str], content: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        if method == "POST":
            place = f"/driver/v1/uploads/{headers['upload-metadata'].split(',')[0].split()[1].strip('=')}"
            self._uploads[place] = 0
            return 201, {"Location": place}, b""
        self._uploads[path] += len(content)
        return 204, {"Upload-Offset": str(self._uploads[path])}, b""

    async def _phone(self, scope: Scope, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Any]) -> None:
        device = _headers(scope)["authorization"].removeprefix("Bearer ")
        await receive()
        await send({"type": "websocket.accept", "subprotocol": scope["subprotocols"][0]})
        while (message := await receive())["type"] == "websocket.receive":
            data = message.get("bytes") or message["text"].encode()
            self.sent[device, "socket"].append(data)
            packed = message.get("bytes") is not None
            frame = msgspec.msgpack.decode(data) if packed else json.loads(data)
            answer = {"type": "ack", "id": frame["id"], **_stored(frame)}
            content = {"bytes": msgspec.msgpack.encode(answer)} if packed else {"text": encode(answer).decode()}
            await send({"type": "websocket.send", **content})
            await self._show(device, frame)

    async def _show(self, device: str, told: dict[str, Any]) -> None:
        """Let the maps see what a device told."""
        driver = device.partition("/")[0]
        for action in told.get("actions", ()):
            if action["id"] not in self._told:
                self._told.add(action["id"])
                known = {"driverExternalId": driver, "event": action["action"], "orderId": action.get("orderId")}
                event = known | {"unixTimestamp": int(action["timestamp"]), "sequence": len(self._told)}
                self._shown.append(encode({"type": "event", "event": event}))
        newest = max(told.get("positions", ()), key=lambda fix: fix["timestamp"], default=None)
        if newest is not None and newest["timestamp"] > self._newest.get(driver, 0.0):
            self._newest[driver] = newest["timestamp"]
            place = {name: newest[name] for name in ("timestamp", "latitude", "longitude")}
            self._shown.append(encode({"type": "positions", "drivers": [{"driverId": driver, **place}]}))
        async with self._news:
            self._news.notify_all()

    async def _map(self, scope: Scope, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Any]) -> None:
        await receive()
        await send({"type": "websocket.accept", "subprotocol": scope["subprotocols"][0]})
        snapshot = {"type": "snapshot", "id": "sim", "drivers": [], "now": LEAVES, "clockSpeed": 1}
        await send({"type": "websocket.send", "text": encode(snapshot).decode()})
        left = asyncio.create_task(_left(receive))
        showing = asyncio.create_task(self._show_all(send))
        await asyncio.wait({left, showing}, return_when=asyncio.FIRST_COMPLETED)
        left.cancel()
        showing.cancel()
        await asyncio.wait({left, showing})

    async def _show_all(self, send: Callable[[Any], Awaitable[None]]) -> None:
        shown = 0
        while True:
            while shown < len(self._shown):
                await send({"type": "websocket.send", "text": self._shown[shown].decode()})
                shown += 1
            async with self._news:
                if shown == len(self._shown):
                    await self._news.wait()


async def _left(receive: Callable[[], Awaitable[Any]]) -> None:
    while (await receive())["type"] != "websocket.disconnect":
        pass


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in scope["headers"]}


def _stored(told: dict[str, Any]) -> dict[str, Any]:
    if "positions" in told:
        return {"accepted": len(told["positions"]), "duplicates": 0, "rejected": []}
    return {"actions": [{"id": action["id"], "success": True} for action in told["actions"]]}
