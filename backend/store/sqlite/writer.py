"""The one connection that writes: commits, and checkpoints when there is nothing better to do."""

import logging
import sqlite3
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from backend.store import tracks
from backend.store.batches import Batch, Tail
from backend.store.changes import Entry, attempt
from backend.store.sqlite import chunks
from backend.store.sqlite.errors import refusal_of
from backend.store.sqlite.gate import Gate

log = logging.getLogger(__name__)

LOG_GROWTH_BYTES = 4 << 20  # written since the last checkpoint; then one is made, and all that comes waits for it
LOG_FILE_BYTES = 64 << 20  # a log file that large is cut once it is empty, and new reads wait for that
PATIENCE_S = 0.1  # how long commits and new reads wait for running reads to end, for each LOG_FILE_BYTES of the log
MOST_PATIENCE_S = 2.0
BUSY_MS = 2000
CHANGE_BYTES = 8_192  # what a change takes in the log beside its own size: each driver's place in the index is a page
DRIVERS_KNOWN = 100_000  # of 1.7 KB each


class Writer:
    """See ``changes.Writer``."""

    most = 1_000

    def __init__(self, connection: Connection, log_file: Path, gate: Gate) -> None:
        self._connection = connection
        self._log_file = log_file
        self._gate = gate
        self._known: dict[str, Tail] = {}
        self._grown = 0

    @property
    def restless(self) -> bool:
        return bool(self._grown)

    def commit(self, entries: list[Entry]) -> None:
        """Where the transaction cannot be completed every entry fails; the next commit begins anew.

        That also holds after a failed fsync: the frames that did not reach the disk belong to no commit, and the next
        one writes them again at the same place.
        """
        changed: dict[str, Tail] = {}
        try:
            if not self._commit_alone(entries, changed):
                with self._connection.begin():
                    self._store_positions(entries, changed)
                    for entry in entries:
                        if not isinstance(entry.work, Batch):
                            entry.outcome, entry.failure = attempt(self._connection, entry.work, self._breaks)
        except BaseException as error:  # whatever it is, the thread lives on and every caller hears of it
            log.error("a commit of %d changes failed: %s", len(entries), error, exc_info=refusal_of(error) is None)
            self._known.clear()
            for entry in entries:
                entry.failure = refusal_of(error) or error
        else:
            self._known.update(changed)
            while len(self._known) > DRIVERS_KNOWN:
                del self._known[next(iter(self._known))]
        self._grown += sum(entry.size for entry in entries) + len(entries) * CHANGE_BYTES

    def tend(self, *, idle: bool) -> None:
        if idle or self._grown > LOG_GROWTH_BYTES:
            self._checkpoint()

    def _commit_alone(self, entries: list[Entry], changed: dict[str, Tail]) -> bool:
        """Whether one statement was all there was to do: nearly always there are positions alone, each driver's behind
        what is stored of theirs."""
        batches = [entry.work for entry in entries if isinstance(entry.work, Batch)]
        if len(batches) < len(entries) or len(batches) > chunks.ROWS_AT_ONCE:
            return False
        driver = self._driver()
        try:
            found = tracks.ahead(batches, self._known, changed)
            if found is None:
                return False
            chunks.insert_alone(driver, found.rows)
        except Exception as error:
            changed.clear()
            if driver.in_transaction:
                driver.rollback()
            if refusal_of(error) is not None:
                raise
            return False  # one of them cannot be stored, and is to fail alone
        for entry, outcome in zip(entries, found.outcomes, strict=True):
            entry.outcome = outcome
        return True

    def _store_positions(self, entries: list[Entry], changed: dict[str, Tail]) -> None:
        """All batches at once; where that fails for one of them, each alone, so that it fails alone."""
        connection = self._connection
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
                found, entry.failure = attempt(connection, alone, self._breaks)
                if entry.failure is None:
                    changed.update(moved)
                    entry.outcome = found[0]
        else:
            for (entry, _), outcome in zip(appends, outcomes, strict=True):
                entry.outcome = outcome

    def _breaks(self, error: Exception) -> bool:
        return refusal_of(error) is not None or not self._driver().in_transaction

    def _driver(self) -> sqlite3.Connection:
        driver = self._connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        return driver

    def _checkpoint(self) -> None:
        """Move the log into the database as far as no reader needs it; waits for readers only where it has grown too
        large, and the longer the larger it is.
        """
        try:
            _, frames, moved = self._driver().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            self._grown = 0
            if frames == moved:
                if self._log_file.stat().st_size > LOG_FILE_BYTES:
                    self._cut()
            elif frames * 4096 > LOG_FILE_BYTES:
                with self._gate.shut(min(MOST_PATIENCE_S, PATIENCE_S * frames * 4096 / LOG_FILE_BYTES)):
                    cut = self._cut()
                if not cut:
                    log.warning("a long read holds back the log, which is at %d MiB", frames * 4096 >> 20)
        except Exception as error:
            self._grown = LOG_GROWTH_BYTES // 2  # tried again when idle, or when as much more has come
            log.error("a checkpoint failed: %s", error)

    def _cut(self) -> bool:
        """All of the log into the database, and its file to nothing; False where somebody still reads."""
        driver = self._driver()
        driver.execute("PRAGMA busy_timeout=0")
        try:
            busy, _, _ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            driver.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        return not busy
