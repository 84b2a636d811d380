"""Those who commit: one for positions, one for all other changes."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import Connection, text

from backend.store import tracks
from backend.store.batches import Appended, Batch, Tail
from backend.store.changes import Entry, attempt
from backend.store.postgresql import chunks, partitions
from backend.store.postgresql.errors import NO_PARTITION, refusal_of, said, state_of
from backend.store.postgresql.session import Session

log = logging.getLogger(__name__)

DRIVERS_KNOWN = 100_000
TURN = 0x0C0D_F0C7  # the advisory lock under which all but positions is changed
_TAKE_TURN = text("SELECT pg_advisory_xact_lock(:key)")
Outcomes = list[tuple[Any, Exception | None]]


class Changes:
    """See ``changes.Writer``. Whoever commits changes takes turns with all others, in all processes.

    So a verb may read, decide and write as if it were alone; what it reads is what the one before it left. And facts
    are numbered in the order in which they become visible, so that nobody who reads on from a number skips one.
    """

    most = 200  # others wait for their turn as long as this lasts
    restless = False

    def __init__(self, session: Session) -> None:
        self._session = session

    def commit(self, entries: list[Entry]) -> None:
        works = [entry.work for entry in entries if not isinstance(entry.work, Batch)]  # which go to the other writer
        _settle(entries, lambda: self._session.run(partial(_change, works)))

    def tend(self, *, idle: bool) -> None:
        """There is nothing to tend to: the server does it."""


class Positions:
    """See ``changes.Writer``. Waits for nobody but for another process that stores positions of the same drivers."""

    most = 1_000
    restless = False

    def __init__(self, session: Session) -> None:
        self._session = session
        self._weeks: set[int] = set()
        self._begun: set[str] = set()

    def commit(self, entries: list[Entry]) -> None:
        batches = [entry.work for entry in entries if isinstance(entry.work, Batch)]
        _settle(entries, lambda: self._store(batches))

    def tend(self, *, idle: bool) -> None:
        """There is nothing to tend to: the server does it."""

    def _store(self, batches: list[Batch]) -> Outcomes:
        try:
            self._provide(batches)
            return self._session.run(partial(_store, batches))
        except Exception as error:
            if state_of(error) != NO_PARTITION:
                raise
        self._weeks.clear()  # a partition went because nothing was in it
        self._provide(batches)
        return self._session.run(partial(_store, batches))

    def _provide(self, batches: list[Batch]) -> None:
        """Partitions, and rows to lock, in transactions of their own: within one that holds other rows already, two
        processes that meet the same new drivers in another order would wait for each other."""
        if new := {batch.driver_id for batch in batches} - self._begun:
            self._session.run(lambda conn: chunks.begin(conn, new))
            self._begun = self._begun | new if len(self._begun) < DRIVERS_KNOWN else new
        if missing := partitions.weeks_of(batches) - self._weeks:
            self._session.run(lambda conn: partitions.provide(conn, missing))
            self._weeks |= missing


def _settle(entries: list[Entry], commit: Callable[[], Outcomes]) -> None:
    """Give each entry what became of it, once that is certain."""
    try:
        outcomes = commit()
    except BaseException as error:  # whatever it is, the thread lives on and every caller hears of it
        refusal = refusal_of(error)
        log.error("a commit of %d changes failed: %s", len(entries), said(error), exc_info=refusal is None)
        for entry in entries:
            entry.failure = refusal or error
    else:
        for entry, (outcome, failure) in zip(entries, outcomes, strict=True):
            entry.outcome = outcome
            entry.failure = failure and (refusal_of(failure) or failure)


def _change(works: list[Callable[[Connection], Any]], conn: Connection) -> Outcomes:
    conn.execute(_TAKE_TURN, {"key": TURN})
    return [attempt(conn, work, _breaks) for work in works]


def _store(batches: list[Batch], conn: Connection) -> Outcomes:
    """All batches at once; where that fails for one of them, each alone, so that it fails alone."""
    known = chunks.locked(conn, {batch.driver_id for batch in batches})
    changed: dict[str, Tail] = {}
    together = partial(tracks.store, batches=batches, known=known, changed=changed)
    found, failure = attempt(conn, together, _breaks)
    outcomes: Outcomes = []
    if failure is None:
        outcomes = [(appended, None) for appended in found]
    else:
        log.error("one of %d batches of positions cannot be stored", len(batches), exc_info=failure)
        changed.clear()
        for batch in batches:
            outcomes.append(_store_alone(conn, batch, known, changed))
    chunks.move(conn, changed)
    return outcomes


def _store_alone(
    conn: Connection, batch: Batch, known: dict[str, Tail], changed: dict[str, Tail]
) -> tuple[Appended | None, Exception | None]:
    moved = dict(changed)
    found, failure = attempt(conn, partial(tracks.store, batches=[batch], known=known, changed=moved), _breaks)
    if failure is not None:
        return None, failure
    changed.update(moved)
    return found[0], None


def _breaks(error: Exception) -> bool:
    refusal = refusal_of(error)
    away = refusal is not None and refusal.code in ("ERR_UNAVAILABLE", "ERR_STORAGE", "ERR_STORAGE_FULL")
    return away or state_of(error) == NO_PARTITION
