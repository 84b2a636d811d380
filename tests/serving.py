"""Real servers for tests: ``codriver serve`` in a process of its own, on a free port, on a data folder of its own."""

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx

from backend.service.identity import operator_token
from tests.processes import children

T = TypeVar("T")
START_S = 120.0
STOP_S = 60.0
ROOT = Path(__file__).resolve().parents[1]
# Everything here is plain HTTP to this machine. Each client would else load all authorities' certificates, for 40 to
# 100 ms, and thousands are made. One there must be, or the client of cloud stores refuses to work; its key is lost.
os.environ.update(SSL_CERT_DIR=str(ROOT / "tests"), SSL_CERT_FILE=str(ROOT / "tests/nobody.pem"))


def eventually(find: Callable[[], T], *, within_s: float = 60.0, what: str = "what was awaited") -> T:
    """The first true answer of ``find``, asked again and again. Fails at the deadline, showing the last answer."""
    deadline = time.monotonic() + within_s
    while True:
        last = time.monotonic() > deadline  # before it looks: whoever got no processor until then looks once more
        found = find()
        if found:
            return found
        if last:
            raise AssertionError(f"{what} did not come within {within_s} s; last seen: {found!r}")
        time.sleep(0.02)


def held_port() -> socket.socket:
    """A free port that stays free for one of our programs, also between its end and its next start.

    It is bound and never listens, and whoever binds with SO_REUSEADDR, as servers do, may have it beside us; nobody who
    asks for any free port is given it.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held


class Server:
    """A server that can be stopped, killed and started again on the same port and data folder."""

    def __init__(
        self, data: Path, *options: str, environment: dict[str, str] | None = None, program: str = "backend.cli"
    ) -> None:
        self.data = data
        self.program = program
        self.options = options
        self.environment = environment or {}
        self._held = held_port()
        self.port: int = self._held.getsockname()[1]
        self.process: subprocess.Popen[str] | None = None
        self.log = data.with_name(data.name + ".log")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def start(self, within_s: float = START_S) -> Self:
        process = self.launch()
        lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=_forward, args=(process.stdout, lines), daemon=True).start()
        line = lines.get(timeout=within_s)
        assert line.startswith("Codriver serves on http://"), f"the server did not start: {line!r}\n{self.tail()}"
        return self

    def launch(self) -> "subprocess.Popen[str]":
        """Begin to start, without waiting until it serves."""
        command = [sys.executable, "-m", self.program, "serve", "--port", str(self.port), "--data", str(self.data)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *self.options],
                stdout=subprocess.PIPE,
                stderr=log,
                stdin=subprocess.DEVNULL,
                text=True,
                cwd=ROOT,
                env={**os.environ, **self.environment},
            )
        return self.process

    def kill(self) -> None:
        """Like a power cut: nothing is finished."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(STOP_S)
            self.process = None

    def stop(self) -> int:
        """In order; the exit code."""
        assert self.process is not None, "the server does not run"
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(STOP_S)
        self.process = None
        return code

    def workers(self) -> list[int]:
        """The processes of one that was started with ``--workers``, by number."""
        assert self.process is not None, "the server does not run"
        return children(self.process.pid, b"spawn_main")

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]

    def account(self, name: str | None = None) -> "Company":
        """A new company with its first key."""
        secret = self.environment.get("CODRIVER_SECRET_KEY")
        token = operator_token(secret.encode() if secret else (self.data / "secret").read_bytes())
        name = name or f"Company {uuid.uuid4().hex[:8]}"
        answer = httpx.post(f"{self.url}/operator/accounts", json={"name": name}, headers=bearer(token), timeout=100)
        assert answer.status_code == 201, answer.text
        return Company(self, answer.json()["key"])


class Company:
    """An account on a server, as its office uses it. ``client`` speaks with the key of the tenant."""

    def __init__(self, server: Server, key: str) -> None:
        self.server = server
        self.key = key
        self.client = plain_client(server, key)

    def driver(self, name: str = "Ana", **fields: Any) -> "Phone":
        """One more driver, whose phone is paired."""
        made = self.client.post("/api/drivers", json={"name": name, **fields})
        assert made.status_code == 201, made.text
        return self.phone(made.json()["id"])

    def phone(self, driver_id: str) -> "Phone":
        """One more phone of a driver."""
        code = self.client.post(f"/api/drivers/{driver_id}/pairing").json()["code"]
        device = {"platform": "android", "model": "test", "appVersion": "1"}
        answer = httpx.post(f"{self.server.url}/driver/v1/pair", json={"code": code, "device": device}, timeout=100)
        assert answer.status_code == 200, answer.text
        return Phone(self.server, driver_id, answer.json()["token"])

    def v1(self, method: str, body: Any = None, **query: Any) -> dict[str, Any]:
        """A call of the OptimoRoute-compatible API: POST with a body, else GET."""
        params = {"key": self.key, **query}
        answer = (
            self.client.get(f"/v1/{method}", params=params, timeout=100)
            if body is None
            else self.client.post(f"/v1/{method}", params={"key": self.key}, json=body, timeout=100)
        )
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told


class Phone:
    """A driver's phone that was paired."""

    def __init__(self, server: Server, driver_id: str, token: str) -> None:
        self.server = server
        self.driver_id = driver_id
        self.token = token
        self.client = plain_client(server, token)


def plain_client(server: Server, secret: str) -> httpx.Client:
    """HTTP to a server on this machine, with a key or a token."""
    return httpx.Client(base_url=server.url, headers=bearer(secret), timeout=100, trust_env=False, verify=False)


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def codriver(*arguments: object, **environment: str) -> "subprocess.CompletedProcess[str]":
    """A command of ours that has ended, with all it said."""
    command = [sys.executable, "-m", "backend.cli", *map(str, arguments)]
    settings = {**os.environ, **environment}
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False, env=settings)


def _forward(stream: Any, lines: "queue.Queue[str]") -> None:
    for line in stream:
        lines.put(line.strip())
    lines.put("(the server ended)")
