"""The real server in a process of its own."""

import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest


class Serving:
    """The process, and what it prints."""

    def __init__(self, program: str = "tests.server.app", *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", program, *options],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: queue.Queue[str] = queue.Queue()
        self.seen: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()
        self.address = self.says("Codriver serves on", within=40).split()[-1]
        self.port = int(self.address.rpartition(":")[2])

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line.rstrip())

    def says(self, words: str, within: float = 40) -> str:
        """The next line that holds these words."""
        end = time.monotonic() + within
        while True:
            try:
                line = self.lines.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {words!r} within {within} s of {self.seen}") from None
            self.seen.append(line)
            if words in line:
                return line

    def connect(self, receive_buffer: int | None = None) -> socket.socket:
        one = socket.socket()
        if receive_buffer is not None:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        one.settimeout(40)
        one.connect(("127.0.0.1", self.port))
        return one

    def stop(self) -> tuple[int, float]:
        """SIGTERM; the exit code, and the seconds it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60), time.monotonic() - began


@pytest.fixture
def serving() -> Iterator[Serving]:
    one = Serving()
    yield one
    one.process.kill()
    one.process.wait()


def everything(one: socket.socket) -> bytes:
    """What comes until the other side ends."""
    data = b""
    while chunk := one.recv(65536):
        data += chunk
    return data
