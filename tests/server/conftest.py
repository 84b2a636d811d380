"""The real server in a process of its own."""

import contextlib
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

    def __init__(self, program: str, *options: str) -> None:
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
        self.address = self.says("Codriver serves on", within=100).split()[-1]
        self.port = int(self.address.rpartition(":")[2])

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line.rstrip())

    def says(self, words: str, within: float = 100) -> str:
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
        one.settimeout(100)
        one.connect(("127.0.0.1", self.port))
        return one

    def stop(self) -> tuple[int, float]:
        """SIGTERM; the exit code, and the seconds it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=100), time.monotonic() - began


@contextlib.contextmanager
def started(program: str, *options: str) -> Iterator[Serving]:
    one = Serving(program, *options)
    try:
        yield one
    finally:
        one.process.kill()
        one.process.wait()


def started_with(*constants: str) -> contextlib.AbstractContextManager[Serving]:
    """The small application, behind a server of which some constants are other than usual."""
    return started("tests.server.app", *constants)


@pytest.fixture
def serving() -> Iterator[Serving]:
    with started_with() as one:
        yield one


def everything(one: socket.socket) -> bytes:
    """What comes until the other side ends."""
    data = b""
    while chunk := one.recv(65536):
        data += chunk
    return data
