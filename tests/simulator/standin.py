"""A stand-in for the server's driver API: it stores what comes, and drops, cuts and refuses answers by chance."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


class StandIn:
    """Stores by identity as the real server does. ``mischief`` is the share of requests that go wrong in some way."""

    def __init__(self, seed: int, mischief: float) -> None:
        self._rng = random.Random(seed)
        self._mischief = mischief
        self.positions: dict[int, dict[str, Any]] = {}
        self.actions: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.requests = self.repeats = 0
        self.port = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator["StandIn"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(
                    int(line[15:]) for line in head.lower().split("\r\n") if line.startswith("content-length:")
                )
                content = await reader.readexactly(length)
                self.requests += 1
                fate = self._rng.random() / self._mischief if self._mischief else 2.0
                if fate < 0.25:
                    break  # cut before anything is stored
                if fate < 0.5:
                    self._answer(writer, 503, {"code": "ERR_OVERLOADED"})
                    continue
                answer = self._store(head.split(" ")[1], content)
                if fate < 0.75:
                    break  # stored, and the answer never leaves
                if fate < 1.0:
                    await asyncio.sleep(0.02)
                self._answer(writer, 200, answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _store(self, path: str, content: bytes) -> dict[str, Any]:
        if path == "/driver/v1/positions":
            fixes = json.loads(content)["positions"]
            new = [(round(fix["timestamp"] * 1000), fix) for fix in fixes]
            fresh = [(at, fix) for at, fix in new if at not in self.positions]
            self.repeats += len(new) - len(fresh)
            self.positions.update(fresh)
            return {"accepted": len(fresh), "duplicates": len(new) - len(fresh), "rejected": []}
        if path == "/driver/v1/actions":
            answers = []
            for action in json.loads(content)["actions"]:
                answers.append({"id": action["id"], "success": True, "duplicate": action["id"] in self.actions})
                self.repeats += action["id"] in self.actions
                self.actions[action["id"]] = action
            return {"actions": answers}
        name = content.partition(b'name="id"')[2].split(b"\r\n")[2].decode()
        self.repeats += name in self.files
        self.files[name] = content
        return {"id": name}

    @staticmethod
    def _answer(writer: asyncio.StreamWriter, status: int, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
