"""A connection that writes, made anew where it was lost; its transactions are run until they are done, once each."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import URL, Connection, delete, insert, select, update

from backend.store.postgresql import connect
from backend.store.postgresql.errors import STANDBY, is_full, is_lost, passes, said, state_of
from backend.store.tables import writers

T = TypeVar("T")
log = logging.getLogger(__name__)

PATIENCE_S = 4.0  # for a server that was there a moment ago
FATE_S = 15.0  # to learn whether a commit was made whose answer did not come
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 0.5


class Session:
    """Used by one thread alone. ``id`` names it in the table ``writers``, where each commit leaves its number.

    That number answers what became of a commit whose answer was lost, however the server ended: the server's own
    word on a transaction's number does not, as a crash lets a number that was never written be given out again.
    """

    def __init__(self, url: URL, id: str, name: str, make_room: Callable[[], None] = lambda: None) -> None:
        """``make_room`` is called where the server has no connection left for it."""
        self.id = id
        self._make_room = make_room
        self._engine = connect.writer(url, name)
        self._connection: Connection | None = None
        self._number = 0
        self._away = False

    def run(self, work: Callable[[Connection], T]) -> T:
        """What ``work`` returned, once its transaction is on the disk.

        It is run again where the connection was lost before the commit or a deadlock undid it, for some seconds; at
        once it gives up where the server was away the last time already.
        """
        deadline = time.monotonic() + (0 if self._away else PATIENCE_S)
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                outcome = self._once(work)
                self._away = False
                return outcome
            except Exception as error:
                standby = state_of(error) == STANDBY
                if standby:
                    self._drop()
                elif is_full(error):
                    self._make_room()
                if not standby and not passes(error):
                    raise
                if time.monotonic() + pause_s > deadline:
                    self._away = standby or is_lost(error)
                    raise
                if pause_s == FIRST_PAUSE_S:
                    log.warning("a commit is tried again: %s", said(error))
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    def close(self) -> None:
        try:
            if self._connection is not None:
                with self._connection.begin():
                    self._connection.execute(delete(writers).where(writers.c.id == self.id))
        except Exception as error:
            log.info("a writer's row stays behind: %s", said(error))
        self._drop()
        self._engine.dispose()

    def _once(self, work: Callable[[Connection], T]) -> T:
        try:
            connection = self._connected()
            transaction = connection.begin()
            self._number += 1
            self._mark(connection)
            outcome = work(connection)
        except BaseException:
            self._undo()
            raise
        try:
            transaction.commit()
        except Exception as error:
            self._undo()
            if not is_lost(error) or not self._made():
                raise
            log.warning("a commit was made although its answer was lost: %s", said(error))
        return outcome

    def _mark(self, connection: Connection) -> None:
        mine = writers.c.id == self.id
        if not connection.execute(update(writers).where(mine).values(number=self._number)).rowcount:
            connection.execute(insert(writers).values(id=self.id, number=self._number, started_ms=connect.now_ms()))

    def _made(self) -> bool:
        """Whether the last commit was made. Raises where the server does not come back in time to tell."""
        deadline = time.monotonic() + FATE_S
        while True:
            try:
                with self._connected().begin():
                    # The lock waits for the end of the transaction, where the server still works on it.
                    last = select(writers.c.number).where(writers.c.id == self.id).with_for_update()
                    return self._connected().scalar(last) == self._number
            except Exception as error:
                self._undo()
                standby = state_of(error) == STANDBY  # which is to take over, and cannot tell before it has
                if standby:
                    self._drop()
                if not (standby or passes(error)) or time.monotonic() > deadline:
                    raise
            time.sleep(LONGEST_PAUSE_S)

    def _connected(self) -> Connection:
        if self._connection is None:
            connection = self._engine.connect()
            try:
                with connection.begin():
                    known = connection.scalar(select(writers.c.id).where(writers.c.id == self.id))
                    if known is None:  # so that there is a row to wait for, also while the first commit is under way
                        connection.execute(insert(writers).values(id=self.id, number=0, started_ms=connect.now_ms()))
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _undo(self) -> None:
        """Leave no transaction open; a connection that is not sound is given up."""
        connection = self._connection
        if connection is None:
            return
        try:
            sound = not connection.invalidated
            connection.rollback()
        except Exception:
            sound = False
        if not sound:
            self._drop()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.invalidate()
                connection.close()
            except Exception as error:
                log.info("a connection that was lost does not close: %s", error)
