"""The server's processor time for each frame that arrives, over that of a bare server's.

The bare server writes one prebuilt frame of the same size to as many sockets and does nothing else. Both serve the same
counting clients at the same pace. What storing the fleet's positions takes is measured before anybody watches, and
taken off.
"""

import asyncio
import base64
import hashlib
import http.client
import json
import re
import subprocess
import sys
import time
from pathlib import Path

from benchmarks._servers import processor_s
from benchmarks.watching.served import Served
from benchmarks.watching.sockets import Client, connect

PROGRAM = Path(__file__).resolve().parents[1] / "watchers.py"
HZ = 10
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


async def frames(served: Served, count: int, seconds: float) -> None:
    await _traffic(served, 2)
    storing, stored_s = await _traffic(served, seconds)
    arrived = size = 0

    def heard(client: Client, peek: bytes, length: int) -> None:
        nonlocal arrived, size
        arrived, size = arrived + 1, length

    clients = await connect(served.port, lambda: Client("/live", served.key, heard), 20, count, 20)
    for client in clients:
        client.say(json.dumps({"type": "subscribe", "id": "a", "maxHz": HZ}).encode())
    await _traffic(served, 2)
    arrived = 0
    spent, wall_s = await _traffic(served, seconds)
    here, length = arrived, size
    for client in clients:
        client.transport.abort()
    ours = (spent - storing / stored_s * wall_s) / here

    bare, port = await asyncio.to_thread(_start_bare, length)
    try:
        clients = await connect(port, lambda: Client("/live", "", heard), 20, count, 20)
        await asyncio.sleep(1)
        arrived, spent = 0, processor_s(bare.pid)
        await asyncio.sleep(seconds)
        theirs = (processor_s(bare.pid) - spent) / arrived
        for client in clients:
            client.transport.abort()
    finally:
        bare.kill()
        bare.wait()
    moving = len(served.names)
    print(f"frames delivered to {count} watchers of {moving} moving drivers: {here / wall_s:,.0f} a second")
    print(f"processor time a frame of {length:,} bytes: {ours * 1e6:.0f} µs, {ours / theirs:.2f} of a bare server's")


async def _traffic(served: Served, seconds: float) -> tuple[float, float]:
    """Moves the fleet at the pace of the frames; processor seconds and wall seconds."""
    began, spent = time.monotonic(), processor_s(served.pid)
    while (now := time.monotonic()) - began < seconds:
        await asyncio.to_thread(_move, served)
        await asyncio.sleep(max(0.0, 1 / HZ - (time.monotonic() - now)))
    return processor_s(served.pid) - spent, time.monotonic() - began


def _move(served: Served) -> None:
    fix = {"timestamp": round(time.time(), 3), "latitude": 45.8, "longitude": 16.0, "speed": 9.5, "heading": 90.0}
    updates = [{"driver": {"externalId": each}, "positions": [fix]} for each in served.names]
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    connection.request("POST", f"/v1/update_drivers_positions?key={served.key}", json.dumps({"updates": updates}))
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status == 200 and json.loads(content)["success"], content


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
        await asyncio.sleep(1 / HZ)
        for writer in writers:
            if writer.transport.get_write_buffer_size() < 65536:
                writer.transport.write(frame)


def _start_bare(size: int) -> tuple["subprocess.Popen[str]", int]:
    process = subprocess.Popen([sys.executable, str(PROGRAM), "--bare", str(size)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, int(process.stdout.readline())
