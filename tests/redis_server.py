"""A real Redis for tests: on a free port, with nothing on the disk, in a process that may be frozen and killed."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Self

import pytest

from tests.serving import held_port

PROGRAM = shutil.which("redis-server")


class RedisServer:
    """``url`` stays the same over kills and starts."""

    def __init__(self, *options: str, password: str = "") -> None:
        self.options = (*options, *(("--requirepass", password) if password else ()))
        self._held = held_port()
        self.port: int = self._held.getsockname()[1]
        self.url = f"redis://{f':{password}@' if password else ''}127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, within_s: float = 60.0) -> Self:
        assert PROGRAM is not None
        listening = ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
        self.process = subprocess.Popen(
            [PROGRAM, *listening, "--daemonize", "no", *self.options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd=os.path.dirname(PROGRAM),
        )
        deadline = time.monotonic() + within_s
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=10):
                return self
            assert time.monotonic() < deadline and self.process.poll() is None, "redis-server does not start"
            time.sleep(0.02)

    def command(self, line: str) -> bytes:
        """Say something to it as any client would; the beginning of its answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=40) as client:
            client.sendall(line.encode() + b"\r\n")
            return client.recv(4096)

    def freeze(self) -> None:
        """It keeps its connections, and takes new ones, and says nothing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(60)
            self.process = None


@contextlib.contextmanager
def running(*options: str, password: str = "") -> Iterator[RedisServer]:
    """Skips the test where there is no Redis on this machine."""
    if PROGRAM is None:
        pytest.skip("redis-server is not on this machine")
    server = RedisServer(*options, password=password).start()
    try:
        yield server
    finally:
        server.kill()
