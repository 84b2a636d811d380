"""The phones of ``overload.py``, a process of their own: an open arrival of requests, cheap enough to share two cores.

One thread, one epoll, one request at a time on each connection. Requests come at their times whether or not others have
been answered: each takes a connection that is idle, and where all wait for their answers it counts as not sent. Heads
are built once for each phone and bodies once for all phones, and the kernel puts them together. ``Retry-After`` is not
heeded: the worst of clients come again at once.
"""

import contextlib
import json
import math
import os
import select
import socket
import sys
import time
from collections import Counter, deque

SLICE_S = 0.1
"""What is told over time is told in slices of this length."""
BEFORE_S = 7000
"""Positions begin so long ago, and go on a second with each body: older ones would be merged in the background."""
DIGITS = "@@@@@@@@@@"  # of the timestamp's seconds, filled in for each body
PING, PONG = 0x89, b"\x8a\x84\0\0\0\0"
TAKEN_IN_S = 0.0005  # for each connection, which the kernel has long made when the server takes it in
PATIENCE_S = 30.0  # for answers, when all is sent


class Offer:
    """``rate`` requests a second for ``seconds``, from ``phones``; 0: each phone as soon as it is answered."""

    def __init__(self, port: int, tokens: list[str], size: int, rate: float, seconds: float, moment: int) -> None:
        self.address = ("127.0.0.1", port)
        self.tokens, self.size, self.rate, self.seconds, self.moment = tokens, size, rate, seconds, moment
        self.template, self.first_s = template(size), int(time.time()) - BEFORE_S
        self.length = len(self.template)
        self.poll = select.epoll()
        self.sockets: dict[int, socket.socket] = {}
        self.heads: dict[int, bytes] = {}
        self.whose: dict[int, str] = {}
        self.sent_at: dict[int, float] = {}
        self.used: dict[int, int] = {}
        self.parts: dict[int, bytes] = {}
        self.idle: deque[int] = deque()
        self.waiting = 0
        self.statuses: Counter[str] = Counter()
        self.without_retry_after = self.sent = self.unsent = self.broken = 0
        self.took: dict[str, list[float]] = {"200": [], "503": []}
        self.slices: dict[str, Counter[int]] = {"200": Counter(), "503": Counter()}
        self.example = ""

    def run(self) -> dict[str, object]:
        for token in self.tokens:
            self.connect(token)
        time.sleep(TAKEN_IN_S * len(self.tokens))
        self.renew()
        self.began = began = time.perf_counter()
        end = began + self.seconds
        clock, rate = time.perf_counter, self.rate
        while (now := clock()) < end:
            due = int((now - began) * rate) if rate else sys.maxsize
            while self.sent + self.unsent < due:
                if not self.idle:
                    if not rate:
                        break
                    self.unsent = due - self.sent
                    break
                self.send(self.idle.popleft())
                if not self.sent % 64:
                    break  # and read, so that answers are noted when they come
            self.hear(0.0 if self.sent + self.unsent < due and self.idle else 0.0005)
        self.took_s = clock() - began
        deadline = clock() + PATIENCE_S
        while self.waiting and clock() < deadline:
            self.hear(0.05)
        for one in self.sockets.values():
            one.close()
        return self.told()

    def connect(self, token: str) -> None:
        one = socket.create_connection(self.address)
        one.setblocking(False)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number = one.fileno()
        self.sockets[number] = one
        self.whose[number] = token
        self.heads[number] = (
            f"POST /driver/v1/positions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {self.length}\r\n\r\n"
        ).encode()
        self.used[number] = -1
        self.poll.register(number, select.EPOLLIN)
        self.idle.append(number)

    def renew(self) -> None:
        """Another body for all, of the next moment."""
        self.moment += 1
        self.body = self.template.replace(DIGITS, f"{self.first_s + self.moment:010d}").encode()

    def send(self, number: int) -> None:
        if self.used[number] == self.moment:
            self.renew()
        self.used[number] = self.moment
        self.sent += 1
        self.sent_at[number] = time.perf_counter()
        try:
            whole = self.sockets[number].sendmsg((self.heads[number], self.body))
        except OSError:
            self.lost(number)
            return
        if whole != len(self.heads[number]) + len(self.body):
            self.lost(number)  # the kernel has room for a batch, unless the server does not read
            return
        self.waiting += 1

    def hear(self, patience_s: float) -> None:
        for number, _ in self.poll.poll(patience_s, 512):
            try:
                data = self.sockets[number].recv(8192)
            except OSError:
                data = b""
            if not data:
                self.waiting -= number in self.sent_at
                self.lost(number)
                continue
            if data[0] == PING:
                self.sockets[number].send(PONG + data[2:6])
                data = data[6:]
            data = self.parts.pop(number, b"") + data
            if not data.endswith(b"}"):
                self.parts[number] = data
            elif number in self.sent_at:
                self.note(number, data)

    def status(self, data: bytes) -> str:
        return data[9:12].decode()

    def note(self, number: int, data: bytes) -> None:
        now = time.perf_counter()
        status = self.status(data)
        self.statuses[status] += 1
        self.waiting -= 1
        if status in self.took:
            self.took[status].append(now - self.sent_at[number])
            self.slices[status][int((now - self.began) / SLICE_S)] += 1
        elif not self.example:
            self.example = data[:500].decode(errors="replace")
        if status == "503" and b"retry-after: " not in data:
            self.without_retry_after += 1
        del self.sent_at[number]
        if b"connection: close" in data:
            self.lost(number)
        else:
            self.idle.append(number)

    def lost(self, number: int) -> None:
        """A connection that ended: its phone makes another."""
        self.broken += number in self.sent_at
        self.sent_at.pop(number, None)
        self.parts.pop(number, None)
        del self.heads[number]
        self.sockets.pop(number).close()
        if number in self.idle:
            self.idle.remove(number)
        self.connect(self.whose.pop(number))

    def told(self) -> dict[str, object]:
        slices = range(math.ceil(self.took_s / SLICE_S))
        return {
            "seconds": self.took_s,
            "sent": self.sent,
            "unsent": self.unsent,
            "broken": self.broken,
            "unanswered": self.waiting,
            "statuses": dict(self.statuses),
            "without_retry_after": self.without_retry_after,
            "example": self.example,
            "moment": self.moment,
            "accepted_ms": spread(self.took["200"]),
            "refused_ms": spread(self.took["503"]),
            "slices": {status: [counts[n] for n in slices] for status, counts in self.slices.items()},
        }


class SocketOffer(Offer):
    """The same over the phones' websocket: a frame, and its ``ack`` or ``error``. An error has no ``Retry-After``."""

    def connect(self, token: str) -> None:
        super().connect(token)
        number = self.idle.pop()
        one = self.sockets[number]
        one.setblocking(True)
        one.sendall(
            b"GET /driver/v1/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Authorization: Bearer %b\r\n\r\n" % token.encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += one.recv(1)
        one.setblocking(False)
        self.heads[number] = b""
        self.idle.append(number)

    def renew(self) -> None:
        super().renew()
        payload = b'{"type":"positions","id":"m",' + self.body[1:]
        self.body = b"\x81\xff" + len(payload).to_bytes(8, "big") + b"\0\0\0\0" + payload

    def status(self, data: bytes) -> str:
        return "200" if b'"ack"' in data else "503" if b'"ERR_OVERLOADED"' in data else "error"


def template(size: int) -> str:
    """A body with places for the digits of its moment."""
    fixes = ",".join(
        f'{{"timestamp":{DIGITS}.{number * 10 % 1000:03d},"latitude":{45.8 + number * 0.000123:.6f},'
        f'"longitude":{15.98 + number * 0.000231:.6f},"accuracy":{4 + number % 7}.5,"speed":{number % 20}.25,'
        f'"heading":{number * 3 + 1}.5}}'
        for number in range(size)
    )
    return f'{{"positions":[{fixes}]}}'


def spread(took_s: list[float]) -> dict[str, float]:
    """Median, 99th percentile and the longest, in milliseconds; empty of nothing."""
    if not took_s:
        return {}
    ordered = sorted(took_s)
    places = {"p50": len(ordered) // 2, "p99": len(ordered) * 99 // 100, "most": len(ordered) - 1}
    return {name: round(ordered[place] * 1000, 2) for name, place in places.items()}


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    with contextlib.suppress(OSError):  # who may not go first does not
        os.nice(asked.pop("nice", 0))
    offer = SocketOffer if asked.pop("sockets", False) else Offer
    print(json.dumps(offer(**asked).run()))
