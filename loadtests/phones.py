"""Drivers' phones: each runs ``simulator.day`` some times as fast as a real day, with an outbox, over HTTP or one
websocket.
"""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections import deque
from datetime import timedelta
from functools import lru_cache
from typing import Any

import gevent
import websocket
from gevent.event import Event
from locust import FastHttpUser, events, task
from locust.exception import StopUser

from loadtests.world import World
from simulator.day import day
from simulator.drawing import draw
from simulator.rounds import around
from simulator.scenario import Scenario, read
from simulator.steps import Restart, Send, Signal, Wait, Who
from simulator.wire import Attachment, Message, Positions, Route, body, decode_route, encode

UNANSWERED = 8
"""Messages of one socket that are under way at the same time."""
ANSWER_WITHIN_S = 30
SLOWEST_RETRY_S = 5.0
SPREAD_S = 5.0
STOPS = 13


class Phone(FastHttpUser):
    """Drives day after day. The network takes and gives back as the scenario and the shape of the load have it."""

    abstract = True
    network_timeout = connection_timeout = ANSWER_WITHIN_S

    def on_start(self) -> None:
        """Log in, and switch on the sending."""
        self.world: World = self.environment.world
        self.driver_id, self.name, self.number = self.world.driver()
        self.headers = {"Authorization": f"Bearer {self.world.pair(self.driver_id)}"}
        self.rng = random.Random(self.name)
        self.outbox: deque[Message] = deque()
        self.signal, self.filled = Event(), Event()
        self.signal.set()
        self.on = True
        self.sender = gevent.spawn(self._send)

    def on_stop(self) -> None:
        """Switch off."""
        self.on = False
        self.sender.kill()

    @task
    def drive(self) -> None:
        """One day after the other."""
        gevent.sleep(self.rng.uniform(0, SPREAD_S))
        date, scenario = self.world.first_date, read("")
        for later in range(27):
            self._day(date + timedelta(days=later), scenario)
        raise StopUser

    def deliver(self, message: Message) -> bool:
        """Hand in one message; whether the server has it or never will. Over HTTP, where nobody says otherwise."""
        return self.post(message)

    def _day(self, date: Any, scenario: Scenario) -> None:
        who = Who(self.name, date.isoformat(), 1)
        route, begun, started = self._route(who), None, time.monotonic()
        for step in day(route, who, scenario):
            match step:
                case Wait(until=t):
                    begun = begun or t
                    gevent.sleep(max(0.0, (t - begun) / self.world.pace - (time.monotonic() - started)))
                case Send(message=message):
                    self.outbox.append(message)
                    self.filled.set()
                case Signal(up=up):
                    (self.signal.set if up else self.signal.clear)()
                case Restart():
                    self.restart()

    def _route(self, who: Who) -> Route:
        """The planned route, where there is one; a round of its own, where not."""
        answer = self.client.get("/driver/v1/route", params={"date": who.date}, headers=self.headers, name="route")
        planned = decode_route(answer.content).route if answer.status_code == 200 else None
        return planned or around(1, who.date, self.number, STOPS, ordered=False)

    def _send(self) -> None:
        """Bring what is in the outbox, in order, while there is a network; what fails stays in it."""
        pause = 0.2
        while self.on:
            self.filled.wait()
            self.signal.wait()
            self.world.light.wait()
            if not self.outbox:
                self.filled.clear()
                continue
            message = self.outbox.popleft()  # before it is delivered: a line that breaks meanwhile refills the front
            if self.deliver(message):
                pause = 0.2
            else:
                self.outbox.appendleft(message)
                gevent.sleep(self.rng.uniform(0.5, 1.0) * pause)
                pause = min(SLOWEST_RETRY_S, pause * 2)

    def restart(self) -> None:
        """The app is killed and comes back."""

    def post(self, message: Message) -> bool:
        """Over HTTP. A refusal is an answer; only what says nothing about the message is tried again."""
        if isinstance(message, Attachment):
            return self.attach(message)
        kind = "positions" if isinstance(message, Positions) else "actions"
        with self.client.post(
            f"/driver/v1/{kind}",
            data=encode(body(message)),
            headers={**self.headers, "Content-Type": "application/json"},
            name=f"phone {kind}",
            catch_response=True,
        ) as answer:
            return _settled(answer)

    def attach(self, file: Attachment) -> bool:
        """A photo or signature, in one request."""
        data = _drawn(file.drawing)
        kind = "image/png" if file.kind == "signature" else "image/jpeg"
        fields = {"id": file.id, "kind": file.kind, "sha256": hashlib.sha256(data).hexdigest()}
        content, boundary = multipart(fields, data, kind)
        with self.client.post(
            "/driver/v1/attachments",
            data=content,
            headers={**self.headers, "Content-Type": f"multipart/form-data; boundary={boundary}"},
            name="phone attachments",
            catch_response=True,
        ) as answer:
            return _settled(answer)


class HttpPhone(Phone):
    """Each message is one request."""

    weight = 5


class SocketPhone(Phone):
    """One websocket; files over HTTP beside it."""

    weight = 10

    def on_start(self) -> None:
        """Log in, without a socket yet: it is opened when something is to be sent."""
        self.socket: websocket.WebSocket | None = None
        self.unanswered: dict[str, tuple[Message, float]] = {}
        self.room = Event()
        super().on_start()
        self.world.in_the_dark.add(self.lose)

    def on_stop(self) -> None:
        """Hang up."""
        super().on_stop()
        self.world.in_the_dark.discard(self.lose)
        self.restart()

    def deliver(self, message: Message) -> bool:
        """Hand over one message; its answer comes later, and what is not answered is handed over again."""
        if isinstance(message, Attachment):
            return self.post(message)
        if self.socket is None and not self._connect():
            return False
        while len(self.unanswered) >= UNANSWERED and self.socket is not None:
            self.room.clear()
            self.room.wait(ANSWER_WITHIN_S)
        name, kind = str(message.n), "positions" if isinstance(message, Positions) else "actions"
        self.unanswered[name] = (message, time.monotonic())
        try:
            if self.socket is None:
                raise OSError("hung up")
            self.socket.send(encode({"type": kind, "id": name, **body(message)}).decode())
        except (OSError, websocket.WebSocketException):
            self.unanswered.pop(name, None)
            return False
        return True

    def restart(self) -> None:
        """Hang up; what was not answered goes back into the outbox."""
        socket, self.socket = self.socket, None
        if socket is not None and socket.connected:
            socket.close(timeout=0)
        for message, _ in reversed(list(self.unanswered.values())):
            self.outbox.appendleft(message)
        self.unanswered.clear()
        self.room.set()
        self.filled.set()

    def lose(self) -> None:
        """The line is gone, and nobody said so."""
        if self.socket is not None:
            self.socket.shutdown()
            self.restart()

    def _connect(self) -> bool:
        begun = time.monotonic()
        try:
            self.socket = websocket.create_connection(
                self.world.url.replace("http", "ws", 1) + "/driver/v1/ws",
                header=[f"Authorization: {self.headers['Authorization']}"],
                subprotocols=["codriver.v1.json"],
                timeout=ANSWER_WITHIN_S,
            )
        except (OSError, websocket.WebSocketException) as error:
            fire("WS", "phone connect", begun, error)
            return False
        fire("WS", "phone connect", begun)
        self.socket.settimeout(None)
        gevent.spawn(self._read, self.socket)
        return True

    def _read(self, socket: websocket.WebSocket) -> None:
        """Answers find their message by its id."""
        try:
            while data := socket.recv():
                frame = json.loads(data)
                message, begun = self.unanswered.pop(frame.get("id"), (None, 0.0))
                if message is not None:
                    kind = "positions" if isinstance(message, Positions) else "actions"
                    refused = None if frame["type"] == "ack" else RuntimeError(f"{frame.get('code')}")
                    fire("WS", f"phone {kind}", begun, refused)
                    self.room.set()
        except (OSError, websocket.WebSocketException, ValueError):
            pass
        if self.on and self.socket is socket:
            self.restart()


class ProofPhone(Phone):
    """Waits for the burst of proofs, and then hands in photos as fast as it can."""

    weight = 3

    @task
    def drive(self) -> None:
        """Photos, while the shape asks for them."""
        number = 0
        while True:
            if not self.world.shape.proofs(self.world.elapsed):
                gevent.sleep(0.2)
                continue
            number += 1
            seed = random.Random(f"{self.name}/{number}").getrandbits(128)
            text = f"{seed:032x}"
            name = "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
            self.attach(Attachment(0, name, "image", f"photo {self.name} {number % 3}", ""))


@lru_cache(maxsize=64)
def _drawn(drawing: str) -> bytes:
    """Those that hand in the same few photos again and again shall not wait for a drawing."""
    return draw(drawing)


def multipart(fields: dict[str, str], data: bytes, kind: str) -> tuple[bytes, str]:
    """A form with these fields and one file, and its boundary."""
    boundary = hashlib.sha256(data).hexdigest()[:32]
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items()]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="p"\r\nContent-Type: {kind}\r\n\r\n'
    return "".join(parts).encode() + head.encode() + data + f"\r\n--{boundary}--\r\n".encode(), boundary


def fire(kind: str, name: str, begun: float, error: Exception | None = None, length: int = 0) -> None:
    """Count something that is not a request of locust's own client; ``begun`` is of ``time.monotonic``."""
    events.request.fire(
        request_type=kind,
        name=name,
        response_time=(time.monotonic() - begun) * 1000,
        response_length=length,
        exception=error,
        context={},
    )


def _settled(answer: Any) -> bool:
    """Whether the message need not be sent again."""
    if answer.status_code in (0, 408, 425, 429, 500, 502, 503, 504, 507):
        answer.failure(f"HTTP {answer.status_code}")
        return False
    if answer.status_code >= 400:
        answer.failure(f"HTTP {answer.status_code} {answer.text[:200] if answer.text else ''}")
    return True
