"""The hub's background tasks: started from plain functions, and cancelled when the hub closes."""

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from backend.domain.errors import Refusal

T = TypeVar("T")
log = logging.getLogger("codriver.live")

AGAIN_S = 0.5
TURN_S = 0.002  # of work before others may run: phones are answered by the same loop


class Turn:
    """Cooperative scheduling of a long loop: other tasks get their turn every few milliseconds."""

    def __init__(self) -> None:
        self._ends_at = time.monotonic() + TURN_S

    async def next(self) -> None:
        """Let other tasks run where this turn has lasted long enough."""
        if time.monotonic() >= self._ends_at:
            await asyncio.sleep(0)
            self._ends_at = time.monotonic() + TURN_S


class Tasks:
    """Keeps a reference to each task until it ends, and logs failures."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self) -> None:
        """End them all. Asked again where one goes on: ``asyncio.wait_for`` of Python 3.11, which the client of Redis
        uses, forgets that it was cancelled where what it waits for ends in the same moment."""
        running = set(self._running)
        while running:
            for task in running:
                task.cancel()
            _, running = await asyncio.wait(running, timeout=AGAIN_S)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            trace = None if isinstance(error, Refusal) else error
            log.error("a task of the hub failed: %s", error, exc_info=trace)
