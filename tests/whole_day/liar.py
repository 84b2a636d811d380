"""A server in front of a faithful one that lies: it acknowledges what it drops, and tells what was not so."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from websockets.asyncio.client import connect

Scope = dict[str, Any]
PASSED_ON = ("authorization", "content-type", "if-none-match", "upload-offset", "upload-length", "upload-metadata")
NOT_PASSED_BACK = ("content-length", "transfer-encoding", "connection", "content-encoding", "date", "server")


def listening() -> socket.socket:
    """On a port of its own from now on."""
    return socket.create_server(("127.0.0.1", 0))


def _bytes(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data


class Liar:
    """Faithful until a lie is switched on; ``told`` counts the lies by name."""

    def __init__(self, real: str, listener: socket.socket, *lies: str) -> None:
        self._real, self._lies = real, frozenset(lies)
        self._client = httpx.AsyncClient(base_url=real, timeout=60, trust_env=False, verify=False)
        self._fixes = 0
        self._ended: set[str] = set()
        self._late: set[asyncio.Task[Any]] = set()
        self._looked_for = asyncio.Event()
        self._unheard: bytes | None = None
        self.told: dict[str, int] = {}
        self._listener = listener
        self.port = int(listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def lying(self) -> AsyncIterator["Liar"]:
        quiet = {"log_level": "error", "lifespan": "off"}
        settings = uvicorn.Config(self._app, ws="websockets-sansio", interface="asgi3", **quiet)
        server = uvicorn.Server(settings)
        serving = asyncio.create_task(server.serve(sockets=[self._listener]))
        try:
            async with asyncio.timeout(60):
                while not server.started:
                    await asyncio.sleep(0.01)
            yield self
        finally:
            server.should_exit = True
            self._looked_for.set()
            await asyncio.gather(*self._late, return_exceptions=True)
            await serving
            await self._client.aclose()

    async def _app(self, scope: Scope, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Any]) -> None:
        if scope["type"] == "websocket":
            await self._pass_socket(scope, receive, send)
            return
        body = b""
        while (part := await receive())["type"] == "http.request":
            body += part.get("body", b"")
            if not part.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        status, told, content = await self._answer(scope, headers, body)
        await send({"type": "http.response.start", "status": status, "headers": told})
        await send({"type": "http.response.body", "body": content})

    async def _answer(
        self, scope: Scope, headers: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        path, address = scope["path"], scope["path"] + "?" + scope["query_string"].decode()
        kept = {name: value for name, value in headers.items() if name in PASSED_ON or name.startswith("tus-")}
        sent, dropped = self._on_the_way_in(path, headers.get("authorization", ""), body)
        if sent is None:
            return self._pretend(address, kept, body)
        if path == "/driver/v1/attachments" and "deaf" in self._lies and self._unheard in (None, body):
            self._unheard = body  # the first file, each time it comes
            self._tell("deaf")
            return 503, [(b"content-length", b"0")], b""
        if path == "/v1/get_completion_details" and self._late:  # asked by whoever compares, after all positions
            self._looked_for.set()
            await asyncio.gather(*self._late)
        answer = await self._client.request(scope["method"], address, headers=kept, content=sent)
        content = answer.content
        if dropped:
            told = json.loads(content)
            content = json.dumps(told | {"accepted": told["accepted"] + dropped}).encode()
        back = [(k.encode(), v.encode()) for k, v in answer.headers.items() if k.lower() not in NOT_PASSED_BACK]
        content = self._on_the_way_out(path, content)
        return answer.status_code, [*back, (b"content-length", str(len(content)).encode())], content

    def _on_the_way_in(self, path: str, token: str, body: bytes) -> tuple[bytes | None, int]:
        """What is passed on (None: nothing for now), and how many fixes of it were kept back for good."""
        if path == "/driver/v1/actions" and b'"end_route"' in body:
            self._ended.add(token)
        if path != "/driver/v1/positions":
            return body, 0
        if "late" in self._lies and token in self._ended:
            return None, 0
        fixes = json.loads(body)["positions"]
        kept = [
            fix for number, fix in enumerate(fixes, self._fixes) if number % 1000 != 500 or "drop" not in self._lies
        ]
        self._fixes += len(fixes)
        if len(kept) == len(fixes) or not kept:
            return body, 0
        self._tell("drop", len(fixes) - len(kept))
        return json.dumps({"positions": kept}).encode(), len(fixes) - len(kept)

    def _pretend(self, address: str, headers: dict[str, str], body: bytes) -> tuple[int, list[Any], bytes]:
        """Acknowledge at once what is only passed on when somebody has looked for it."""

        async def later() -> None:
            await self._looked_for.wait()
            await self._client.post(address, headers=headers, content=body)

        self._late.add(asyncio.create_task(later()))
        self._tell("late")
        content = json.dumps({"accepted": len(json.loads(body)["positions"]), "duplicates": 0, "rejected": []}).encode()
        return 200, [(b"content-type", b"application/json")], content

    def _on_the_way_out(self, path: str, content: bytes) -> bytes:
        told = json.loads(content) if path in ("/v1/get_events", "/v1/get_completion_details") else {}
        if "double" in self._lies and len(told.get("events", [])) > 5:
            told["events"].insert(3, told["events"][2])
            self._tell("double")
            return json.dumps(told).encode()
        orders = [each["data"] for each in told.get("orders", []) if each.get("data")]
        if "swap" in self._lies:
            shown = [data["form"]["images"] for data in orders if data.get("form", {}).get("images")]
            if len(shown) >= 2:
                shown[0][0], shown[1][0] = shown[1][0], shown[0][0]
                self._tell("swap")
        if "misapply" in self._lies:
            for data in [data for data in orders if data["status"] == "success"][:1]:
                data["status"] = "servicing"
                self._tell("misapply")
        return json.dumps(told).encode() if orders else content

    def _tell(self, lie: str, count: int = 1) -> None:
        self.told[lie] = self.told.get(lie, 0) + count

    async def _pass_socket(
        self, scope: Scope, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Any]
    ) -> None:
        await receive()
        kept = {k.decode(): v.decode() for k, v in scope["headers"] if k == b"authorization"}
        address, spoken = self._real.replace("http", "ws") + scope["path"], scope["subprotocols"] or None
        async with connect(address, additional_headers=kept, subprotocols=spoken, proxy=None, open_timeout=60) as real:
            await send({"type": "websocket.accept", "subprotocol": real.subprotocol})

            async def up() -> None:
                while (message := await receive())["type"] == "websocket.receive":
                    await real.send(message.get("text") or message["bytes"])
                await real.close()

            going = asyncio.create_task(up())
            earlier = None
            async for data in real:
                if "rewind" in self._lies and b'"positions"' in (frame := _bytes(data)):
                    if earlier is None:
                        earlier = data
                    elif "rewind" not in self.told and len(frame) > 200:
                        self._tell("rewind")
                        await send({"type": "websocket.send", "text": data})
                        data = earlier
                kind = "text" if isinstance(data, str) else "bytes"
                with contextlib.suppress(Exception):
                    await send({"type": "websocket.send", kind: data})
            going.cancel()
