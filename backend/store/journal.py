"""The journal: all changes go through a writer thread, with group commit.

Invariants: an awaited call returns after the fsync of the commit that holds its change, never before; a change that
fails rolls back alone; a commit that fails fails all its changes, and each caller gets the error. There is no timer:
whatever is waiting when the thread becomes free goes into one commit, so a lone change is as quick as the disk.

The engine decides how many lanes there are: one if a single connection writes, or one for positions and one for all
other changes. The event loop and the thread synchronise twice for each commit: when a list of changes is handed over,
and when it is done. More often would be slow, because each time one of them waits for the interpreter lock.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection

from backend.domain.errors import Refusal
from backend.domain.positions import Position
from backend.store.batches import Appended, Batch, prepare
from backend.store.changes import Ended, Entry, Writer
from backend.store.database import Database
from backend.store.durations import COMMIT_BOUNDS_S, Durations

T = TypeVar("T")
log = logging.getLogger(__name__)

MOST_WAITING = 20_000
MOST_WAITING_BYTES = 64 << 20
IDLE_S = 0.5
COMMITS = 3  # there is room for as many as are committed in the time that so many of the last commits took,
LONG_S = 0.25  # but in no longer than this;
STALLED_S = 0.05  # and where the one at hand takes so long, which is then no matter of how many they are,
MANY = 256  # for so many
CHANGE_BYTES = 16_384  # what a change that is not positions is counted as
SLOW_S = 1.0


class Journal:
    """The only way to write. All callers share one event loop.

    ``trace`` is called for each change, and returns a function to call at its end, or None.
    """

    def __init__(self, database: Database, trace: Callable[[], Ended | None] | None = None) -> None:
        positions, changes = database.engine.writers()
        self._positions = _Lane(positions, "journal of positions", trace)
        self._changes = self._positions if changes is positions else _Lane(changes, "journal", trace)
        self._lanes = list({id(lane): lane for lane in (self._positions, self._changes)}.values())
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many changes are waiting or being committed."""
        return sum(lane.waiting for lane in self._lanes)

    @property
    def took(self) -> Durations:
        """How long the commits took so far, including their fsync."""
        return sum((lane.took for lane in self._lanes), start=Durations(COMMIT_BOUNDS_S))

    @property
    def commits(self) -> int:
        return self.took.count

    @property
    def crowded(self) -> bool:
        """Whether the queue is so long that requests whose bodies were not read yet should be refused."""
        return any(lane.waiting >= MOST_WAITING // 2 or lane.bytes >= MOST_WAITING_BYTES // 2 for lane in self._lanes)

    @property
    def room(self) -> int:
        """How many batches of positions may wait so that none of them waits for long."""
        return self._positions.room

    async def transact(self, fn: Callable[[Connection], T]) -> T:
        """Run ``fn`` on a writer thread and return its result, once its changes are on the disk.

        What ``fn`` raises rolls back its own changes only, and is raised here. It must not commit or wait for anything,
        and may be run again if a commit was undone. Refusals: ``ERR_OVERLOADED`` at once where too much
        waits; ``ERR_STORAGE_FULL``, ``ERR_STORAGE``; ``ERR_UNAVAILABLE`` where the database cannot be reached.
        """
        outcome: T = await self._enter(self._changes, fn, CHANGE_BYTES)
        return outcome

    async def append(self, driver_id: str, fixes: list[Position], packed: bytes | None = None) -> Appended:
        """Store positions that ``sift`` accepted and perhaps packed, each once however often it is sent.

        Refusals as for ``transact``.
        """
        batch = prepare(driver_id, fixes, packed)
        del fixes  # hundreds of batches wait at once: what is packed need not stay beside it
        appended: Appended = await self._enter(self._positions, batch, len(batch.body))
        return appended

    async def close(self) -> None:
        """Commit everything that is waiting, then end the threads; later calls are refused."""
        self._closed = True
        for lane in self._lanes:
            await lane.close()

    def _enter(self, lane: "_Lane", work: Callable[[Connection], Any] | Batch, size: int) -> "asyncio.Future[Any]":
        if self._closed:
            raise Refusal("ERR_OVERLOADED", "The server is stopping; try again in a moment.")
        if lane.waiting >= MOST_WAITING or lane.bytes + size > MOST_WAITING_BYTES:
            raise Refusal("ERR_OVERLOADED", "Too much waits to be stored; try again in a moment.")
        return lane.enter(work, size)


class _Lane:
    """The queue of one writer, and the thread on which it works."""

    def __init__(self, writer: Writer, name: str, trace: Callable[[], Ended | None] | None) -> None:
        self._writer = writer
        self._trace = trace
        self._queue: SimpleQueue[list[Entry] | None] = SimpleQueue()
        # On the event loop alone:
        self.waiting = 0
        self.bytes = 0
        self._pending: deque[Entry] = deque()
        self._busy = False  # a list is with the thread, or is about to go
        self._emptied: asyncio.Event | None = None
        self._handed_at = 0.0
        self._spent_s = self._done = 0.0  # in the last commits and on the ways there and back; older ones weigh less
        self._commit_s = 0.0  # what one of them took by itself
        # Written by the thread, for whoever asks:
        self.took = Durations(COMMIT_BOUNDS_S)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def room(self) -> int:
        if not self._spent_s:
            return MANY
        stalled = self._busy and time.monotonic() - self._handed_at > STALLED_S
        soon_s = min(LONG_S, COMMITS * self._commit_s)
        return max(MANY if stalled else 0, int(soon_s * self._done / self._spent_s))

    def enter(self, work: Callable[[Connection], Any] | Batch, size: int) -> "asyncio.Future[Any]":
        loop = asyncio.get_running_loop()
        entry = Entry(work, size, loop.create_future(), self._trace and self._trace())
        self.waiting += 1
        self.bytes += size
        self._pending.append(entry)
        if not self._busy:
            self._busy = True
            self._handed_at = time.monotonic()
            loop.call_soon(self._hand_over)  # with what else this turn of the loop brings
        return entry.future  # a caller who is cancelled leaves the entry behind: it is committed all the same

    async def close(self) -> None:
        if self.waiting:
            self._emptied = asyncio.Event()
            await self._emptied.wait()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _hand_over(self) -> None:
        pending = self._pending
        self._busy = bool(pending)
        if pending:
            self._handed_at = time.monotonic()
            self._queue.put([pending.popleft() for _ in range(min(len(pending), self._writer.most))])

    def _committed(self, entries: list[Entry], began: float, took_s: float) -> None:
        """On the event loop, after a commit: first give the thread its next list, then wake the callers."""
        self._spent_s = 0.8 * self._spent_s + time.monotonic() - self._handed_at
        self._done = 0.8 * self._done + len(entries)
        self._commit_s = 0.8 * self._commit_s + 0.2 * took_s
        self._hand_over()
        for entry in entries:
            self.waiting -= 1
            self.bytes -= entry.size
            if entry.future.done():
                continue
            if isinstance(entry.failure, StopIteration):  # which no future takes: who comes after would wait for ever
                entry.future.set_exception(RuntimeError("a change raised StopIteration"))
            elif entry.failure is not None:
                entry.future.set_exception(entry.failure)
            else:
                entry.future.set_result(entry.outcome)
        if self._emptied is not None and not self.waiting:
            self._emptied.set()
        for entry in entries:  # last, so that nobody waits for ever where a trace fails
            if entry.trace is not None:
                entry.trace(began, took_s, len(entries), entry.failure)

    def _run(self) -> None:
        while (entries := self._next()) is not None:
            if not entries:
                self._writer.tend(idle=True)
                continue
            started = time.monotonic()
            self._writer.commit(entries)
            took_s = time.monotonic() - started
            self.took.note(took_s)
            if took_s > SLOW_S:
                log.warning("a commit of %d changes took %.1f s", len(entries), took_s)
            try:
                entries[0].future.get_loop().call_soon_threadsafe(self._committed, entries, started, took_s)
            except RuntimeError:
                log.warning("%d changes were stored after their callers' loop had ended", len(entries))
            self._writer.tend(idle=False)

    def _next(self) -> list[Entry] | None:
        """The next list to commit. Empty: the journal is idle. None: it is closing."""
        try:
            return self._queue.get(timeout=IDLE_S if self._writer.restless else None)
        except Empty:
            return []
