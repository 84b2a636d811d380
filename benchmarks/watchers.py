"""How many frames reach 500 watchers of a moving fleet, and what an idle watcher costs. Prints ratios of one run.

Frames: the server's processor time for each frame that arrived, over that of a bare server that writes one prebuilt
frame of the same size to as many sockets and does nothing else. Both serve the same counting client at the same pace.
The time that storing the fleet's positions takes is measured before anybody watches, and taken off.

Memory: the growth of the server's resident memory over as many watchers that have a snapshot and hear nothing more.
"""

import argparse
import asyncio
import base64
import hashlib
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
HZ = 10
PACE_S = 1 / HZ
ENOUGH_KB = 64
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Counting(asyncio.Protocol):
    """A websocket client that counts frames and bytes, and keeps the size of the last one."""

    def __init__(self, path: str, headers: str, first: bytes) -> None:
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n"
        )
        self._first = first
        self._buffer = b""
        self._skip = -1  # of the frame at hand; -1 before the handshake
        self.frames = 0
        self.size = 0
        self.opened = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self._request.encode())

    def data_received(self, data: bytes) -> None:
        if self._skip > len(data):
            self._skip -= len(data)
            return
        if self._skip > 0:
            data = data[self._skip :]
        data = self._buffer + data if self._buffer else data
        if self._skip < 0:
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                self._buffer = head
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self.transport.write(_masked(self._first))
            self.opened.set_result(None)
        self._skip, at = 0, 0
        while len(data) - at >= 10:
            size, head_size = data[at + 1], 2
            if size == 126:
                size, head_size = int.from_bytes(data[at + 2 : at + 4], "big"), 4
            elif size == 127:
                size, head_size = int.from_bytes(data[at + 2 : at + 10], "big"), 10
            if data[at] == 0x81:
                self.frames += 1
                self.size = size
            at += head_size + size
        self._buffer = data[at:]
        self._skip = max(0, at - len(data))


def _masked(payload: bytes) -> bytes:
    """A text frame with a mask of zeros."""
    return b"\x81" + bytes((0x80 | 126,)) + len(payload).to_bytes(2, "big") + bytes(4) + payload


@asynccontextmanager
async def watchers(port: int, count: int, headers: str, first: bytes) -> AsyncIterator[list[Counting]]:
    loop = asyncio.get_running_loop()
    clients: list[Counting] = []
    for _ in range(count):
        _, client = await loop.create_connection(lambda: Counting("/live", headers, first), "127.0.0.1", port)
        await asyncio.wait_for(client.opened, 20)
        clients.append(client)
    yield clients
    for client in clients:
        client.transport.abort()


async def until(condition: Any, within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("the server did not do its part in time")
        await asyncio.sleep(0.05)


def processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_kb(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1])


class Served:
    """`codriver serve` with a fleet of its own."""

    def __init__(self, data: Path, drivers: int) -> None:
        command = [sys.executable, "-m", "backend.cli", "serve", "--port", "0", "--data", str(data)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT)
        assert self.process.stdout
        self.port = int(self.process.stdout.readline().rsplit(":", 1)[1])
        told = subprocess.run(
            [sys.executable, "-m", "backend.cli", "account", "create", "Bench", "--data", str(data)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=True,
        )
        self.key = told.stdout.split()[-1]
        self.names = [f"D{number}" for number in range(drivers)]
        self.call("PUT", "/api/fleet", {"drivers": [{"externalId": each, "name": each} for each in self.names]})

    def call(self, verb: str, path: str, body: Any) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(verb, path, json.dumps(body), {"Authorization": f"Bearer {self.key}"})
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content
        return json.loads(content)

    def move(self) -> None:
        fix = {"timestamp": round(time.time(), 3), "latitude": 45.8, "longitude": 16.0, "speed": 9.5, "heading": 90.0}
        updates = [{"driver": {"externalId": each}, "positions": [fix]} for each in self.names]
        assert self.call("POST", "/v1/update_drivers_positions", {"updates": updates})["success"]

    async def traffic(self, seconds: float) -> tuple[float, float]:
        """Moves the fleet at the pace of the frames; processor seconds and wall seconds."""
        began, spent = time.monotonic(), processor_s(self.process.pid)
        while (now := time.monotonic()) - began < seconds:
            await asyncio.to_thread(self.move)
            await asyncio.sleep(max(0.0, PACE_S - (time.monotonic() - now)))
        return processor_s(self.process.pid) - spent, time.monotonic() - began


async def bare(size: int) -> None:
    """Writes one prebuilt frame to every socket, at the pace of the frames."""
    frame = b"\x81\x7f" + size.to_bytes(8, "big") + b"x" * size
    writers: list[asyncio.StreamWriter] = []

    async def shake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        key = re.search(rb"Sec-WebSocket-Key: (\S+)", head)
        assert key
        accept = base64.b64encode(hashlib.sha1(key[1] + _MAGIC).digest())
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        writers.append(writer)
        await reader.read()

    server = await asyncio.start_server(shake, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    while True:
        await asyncio.sleep(PACE_S)
        for writer in writers:
            if writer.transport.get_write_buffer_size() < 65536:
                writer.transport.write(frame)


def _bare_process(size: int) -> tuple[subprocess.Popen[str], int]:
    command = [sys.executable, __file__, "--bare", str(size)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, int(process.stdout.readline())


async def frames(served: Served, count: int, seconds: float) -> None:
    headers = f"Authorization: Bearer {served.key}\r\n"
    wish = json.dumps({"type": "subscribe", "id": "a", "maxHz": HZ}).encode()
    await served.traffic(2)
    storing, stored_s = await served.traffic(seconds)
    async with watchers(served.port, count, headers, wish) as clients:
        await until(lambda: all(client.frames for client in clients))
        await served.traffic(1)
        before = sum(client.frames for client in clients)
        spent, wall_s = await served.traffic(seconds)
        arrived, size = sum(client.frames for client in clients) - before, clients[0].size
    ours = (spent - storing / stored_s * wall_s) / arrived

    process, port = await asyncio.to_thread(_bare_process, size)
    try:
        async with watchers(port, count, "", wish) as clients:
            await asyncio.sleep(1)
            before, spent = sum(client.frames for client in clients), processor_s(process.pid)
            await asyncio.sleep(seconds)
            theirs = (processor_s(process.pid) - spent) / (sum(client.frames for client in clients) - before)
    finally:
        process.kill()
        process.wait()
    moving = len(served.names)
    print(f"frames delivered to {count} watchers of {moving} moving drivers: {arrived / wall_s:,.0f} a second")
    print(f"processor time a frame of {size:,} bytes: {ours * 1e6:.0f} µs, {ours / theirs:.2f} of a bare server's")


async def memory(served: Served, count: int) -> None:
    headers = f"Authorization: Bearer {served.key}\r\n"
    wish = json.dumps({"type": "subscribe", "id": "a", "events": True}).encode()
    async with watchers(served.port, 50, headers, wish) as clients:  # what is made once is not counted
        await until(lambda: all(client.frames for client in clients))
        before = resident_kb(served.process.pid)
        async with watchers(served.port, count, headers, wish) as more:
            await until(lambda: all(client.frames for client in more))
            await asyncio.sleep(1)
            each = (resident_kb(served.process.pid) - before) / count
    print(f"memory of an idle watcher: {each:.0f} KB over {count}, {each / ENOUGH_KB:.2f} of {ENOUGH_KB} KB")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--watchers", type=int, default=500)
    parser.add_argument("--drivers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--bare", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare:
        await bare(options.bare)
        return
    with tempfile.TemporaryDirectory() as folder:
        served = await asyncio.to_thread(Served, Path(folder) / "data", options.drivers)
        try:
            await memory(served, options.watchers)
            await frames(served, options.watchers, options.seconds)
        finally:
            served.process.terminate()
            served.process.wait(15)


if __name__ == "__main__":
    asyncio.run(main())
