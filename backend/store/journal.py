"""The one writer: every change of a process goes through its thread, and what waits together is committed together.

Invariants: an awaited call returns after the fsync of the commit that holds its change, never before; a change that
fails rolls back alone; a commit that fails takes all its changes with it, and each of their callers is told. There is
no timer: whatever waits when the thread is free goes in one commit, so a lone change is as quick as the disk.

Event loop and thread meet twice a commit, when a list of changes goes over and when its callers are told. More often
would be slow: they share the interpreter, and each meeting makes one wait for the other to let go of it.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection

from backend.domain.errors import Refusal
from backend.domain.positions import Position
from backend.store import tracks
from backend.store.database import Database, refusal_of
from backend.store.tracks import Appended, Batch, Tail

T = TypeVar("T")
log = logging.getLogger(__name__)

MOST_WAITING = 20_000
MOST_WAITING_BYTES = 64 << 20
MOST_PER_COMMIT = 1_000
IDLE_S = 0.5
LOG_GROWTH_BYTES = 16 << 20  # written since the last checkpoint; then one is made, busy or not
LOG_FILE_BYTES = 64 << 20  # a log file that large is cut once it is empty
TRANSACTION_BYTES = 16_384  # what a change is counted as, in the queue and in the log
DRIVERS_KNOWN = 20_000
SLOW_S = 1.0


class _Entry:
    """One caller's change: a function for a savepoint of its own, or a batch of positions."""

    __slots__ = ("failure", "future", "outcome", "size", "work")

    def __init__(self, work: Callable[[Connection], Any] | Batch, size: int, future: "asyncio.Future[Any]") -> None:
        self.work = work
        self.size = size
        self.future = future
        self.outcome: Any = None
        self.failure: BaseException | None = None


class Journal:
    """Opens with its database's writing connection; all callers share one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: SimpleQueue[list[_Entry] | None] = SimpleQueue()
        # On the event loop alone:
        self._pending: deque[_Entry] = deque()
        self._busy = False  # a list is with the thread, or is about to go
        self._waiting = 0
        self._bytes = 0
        self._closed = False
        self._emptied: asyncio.Event | None = None
        # On the thread alone:
        self._known: dict[str, Tail] = {}
        self._grown = 0
        # Written by the thread, for whoever asks:
        self.commits = 0
        self.commit_seconds = 0.0
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many changes wait or are being committed."""
        return self._waiting

    async def transact(self, fn: Callable[[Connection], T]) -> T:
        """Run ``fn`` on the writer's thread and return what it returned, once that is on the disk.

        Whatever ``fn`` raises undoes its own changes only and is raised here. It must not commit, and not wait for
        anything. Refusals: ``ERR_OVERLOADED`` at once where too much waits; ``ERR_STORAGE_FULL``, ``ERR_STORAGE``.
        """
        outcome: T = await self._enter(fn, TRANSACTION_BYTES)
        return outcome

    async def append(self, driver_id: str, fixes: list[Position], packed: bytes | None = None) -> Appended:
        """Store fixes that ``sift`` accepted and maybe packed, each once however often it comes.

        Refusals as of ``transact``.
        """
        batch = tracks.prepare(driver_id, fixes, packed)
        del fixes  # hundreds of batches wait at once: what is packed need not stay beside it
        appended: Appended = await self._enter(batch, len(batch.body))
        return appended

    async def close(self) -> None:
        """Commit all that waits and end the thread; later calls are refused."""
        self._closed = True
        if self._waiting:
            self._emptied = asyncio.Event()
            await self._emptied.wait()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _enter(self, work: Callable[[Connection], Any] | Batch, size: int) -> "asyncio.Future[Any]":
        if self._closed:
            raise Refusal("ERR_OVERLOADED", "The server is stopping; try again in a moment.")
        if self._waiting >= MOST_WAITING or self._bytes + size > MOST_WAITING_BYTES:
            raise Refusal("ERR_OVERLOADED", "Too much waits to be stored; try again in a moment.")
        loop = asyncio.get_running_loop()
        entry = _Entry(work, size, loop.create_future())
        self._waiting += 1
        self._bytes += size
        self._pending.append(entry)
        if not self._busy:
            self._busy = True
            loop.call_soon(self._hand_over)  # with what else this turn of the loop brings
        return entry.future  # a caller who is cancelled leaves the entry behind: it is committed all the same

    def _hand_over(self) -> None:
        pending = self._pending
        self._busy = bool(pending)
        if pending:
            self._queue.put([pending.popleft() for _ in range(min(len(pending), MOST_PER_COMMIT))])

    def _told(self, entries: list[_Entry]) -> None:
        """Back on the event loop: first let the thread go on, then wake the callers."""
        self._hand_over()
        for entry in entries:
            self._waiting -= 1
            self._bytes -= entry.size
            if entry.future.done():
                continue
            if entry.failure is not None:
                entry.future.set_exception(entry.failure)
            else:
                entry.future.set_result(entry.outcome)
        if self._emptied is not None and not self._waiting:
            self._emptied.set()

    def _run(self) -> None:
        while (entries := self._next()) is not None:
            if not entries:
                self._checkpoint()
                continue
            started = time.monotonic()
            self._commit(entries)
            took_s = time.monotonic() - started
            self.commits += 1
            self.commit_seconds += took_s
            if took_s > SLOW_S:
                log.warning("a commit of %d changes took %.1f s", len(entries), took_s)
            try:
                entries[0].future.get_loop().call_soon_threadsafe(self._told, entries)
            except RuntimeError:
                log.warning("%d changes were stored after their callers' loop had ended", len(entries))
            if self._grown > LOG_GROWTH_BYTES:
                self._checkpoint()

    def _next(self) -> list[_Entry] | None:
        """What to commit. Empty: nothing came for a while. None: the end."""
        try:
            return self._queue.get(timeout=IDLE_S if self._grown else None)
        except Empty:
            return []

    def _commit(self, entries: list[_Entry]) -> None:
        """One transaction for all. Where it cannot be completed every entry fails; the next commit begins anew.

        That also holds after a failed fsync: the frames that did not reach the disk belong to no commit, and the next
        one writes them again at the same place.
        """
        connection = self._database.writer
        changed: dict[str, Tail] = {}
        try:
            with connection.begin():
                self._store_positions(connection, entries, changed)
                for entry in entries:
                    if not isinstance(entry.work, Batch):
                        entry.outcome, entry.failure = _attempt(connection, entry.work)
        except BaseException as error:  # whatever it is, the thread lives on and every caller hears of it
            log.error("a commit of %d changes failed: %s", len(entries), error, exc_info=refusal_of(error) is None)
            self._known.clear()
            for entry in entries:
                entry.failure = refusal_of(error) or error
        else:
            self._known.update(changed)
            while len(self._known) > DRIVERS_KNOWN:
                del self._known[next(iter(self._known))]
        self._grown += sum(entry.size for entry in entries) + TRANSACTION_BYTES

    def _store_positions(self, connection: Connection, entries: list[_Entry], changed: dict[str, Tail]) -> None:
        """All batches at once; where that fails for one of them, each alone, so that it fails alone."""
        appends = [(entry, entry.work) for entry in entries if isinstance(entry.work, Batch)]
        try:
            outcomes = tracks.store(connection, [batch for _, batch in appends], self._known, changed)
        except Exception as error:
            if refusal_of(error) is not None:
                raise
            log.exception("one of %d batches of positions cannot be stored", len(appends))
            changed.clear()
            connection.exec_driver_sql("ROLLBACK")  # positions are the first in a commit: nothing else is undone
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            for entry, batch in appends:
                moved = dict(changed)
                alone = partial(tracks.store, batches=[batch], known=self._known, changed=moved)
                found, entry.failure = _attempt(connection, alone)
                if entry.failure is None:
                    changed.update(moved)
                    entry.outcome = found[0]
        else:
            for (entry, _), outcome in zip(appends, outcomes, strict=True):
                entry.outcome = outcome

    def _checkpoint(self) -> None:
        """Move the log into the database as far as no reader needs it; never waits for one."""
        try:
            driver = self._database.writer.connection.driver_connection
            assert driver is not None
            _, frames, moved = driver.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            self._grown = 0
            log_file = self._database.path.with_name(self._database.path.name + "-wal")
            if frames == moved and log_file.stat().st_size > LOG_FILE_BYTES:
                driver.execute("PRAGMA busy_timeout=0")
                driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                driver.execute("PRAGMA busy_timeout=2000")
            elif frames != moved and frames * 4096 > LOG_FILE_BYTES:
                log.warning("a long read holds back the log, which is at %d MiB", frames * 4096 >> 20)
        except Exception as error:
            self._grown = LOG_GROWTH_BYTES // 2  # tried again when idle, or when as much more has come
            log.error("a checkpoint failed: %s", error)


def _attempt(connection: Connection, work: Callable[[Connection], T]) -> tuple[T, None] | tuple[Any, Exception]:
    """Run a function in a savepoint: what it raises undoes nothing but its own. Raises what breaks the whole commit."""
    connection.exec_driver_sql("SAVEPOINT one")
    try:
        outcome = work(connection)
    except Exception as error:
        driver = connection.connection.driver_connection
        if refusal_of(error) is not None or driver is None or not driver.in_transaction:
            raise  # the disk is at fault, or the engine has given up the whole transaction
        connection.exec_driver_sql("ROLLBACK TO one")
        connection.exec_driver_sql("RELEASE one")
        return None, error
    connection.exec_driver_sql("RELEASE one")
    return outcome, None
