"""The server: reached, brought up to date, and read."""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, delete, text
from sqlalchemy.exc import DBAPIError, PendingRollbackError

from backend.domain.errors import Refusal
from backend.store.migrations import migrate
from backend.store.postgresql import connect
from backend.store.postgresql.errors import is_full, is_lost, passes, refusal_of, said, state_of
from backend.store.postgresql.places import Places
from backend.store.postgresql.session import Session
from backend.store.postgresql.writers import TURN, Changes, Positions
from backend.store.tables import writers

T = TypeVar("T")
log = logging.getLogger(__name__)

OLDEST = 150_000
START_S = 10.0  # for a server that is just being started beside us
PATIENCE_S = 2.0  # for a server that was there a moment ago
AWAY_S = 0.5  # after which a server that was away is looked for again
FORGOTTEN_MS = 90 * 86_400_000
LEAD = 0x0C0D_1EAD  # the advisory lock of the process that leads
MIGRATIONS = 0x0C0D_0001  # the advisory lock under which the tables are brought up to date


class Postgresql:
    """What ``Database`` and ``Journal`` need of an engine, with PostgreSQL behind it."""

    readers = 8
    alone = False
    log_bytes = 0

    def __init__(self, url: URL) -> None:
        self._url = url
        self._readers = connect.readers(url, self.readers)
        self._places = Places(self.readers)
        self._sessions: list[Session] = []
        self._away_until = 0.0
        self._lead: Connection | None = None
        self._leading = threading.Lock()

    @classmethod
    def open(cls, where: str) -> "Postgresql":
        """Reach the server and bring the tables up to date; many processes may do so at once.

        Refusals: ``ERR_UNAVAILABLE`` where it cannot be reached, ``ERR_STORAGE_UNKNOWN`` where it does not suit,
        ``ERR_STORAGE_DAMAGED`` where its tables are not ours, ``ERR_STORAGE`` where the user may not make them.
        """
        url = connect.url_of(where)
        place = url.render_as_string(hide_password=True).replace("postgresql+psycopg:", "postgresql:")
        deadline = time.monotonic() + START_S
        while True:
            try:
                _bring_up_to_date(url, place)
                return cls(url)
            except DBAPIError as error:
                if is_lost(error) and time.monotonic() < deadline and _may_come(error):
                    time.sleep(0.2)
                    continue
                raise _refused(error, place) from error

    def read(self, fn: Callable[[Connection], T], *, long: bool = False) -> T:
        """What ``fn`` finds in one consistent snapshot; it is run again where the connection is lost."""
        deadline = time.monotonic() + PATIENCE_S
        pause_s = 0.02
        while True:
            if time.monotonic() < self._away_until:
                raise Refusal("ERR_UNAVAILABLE", "The database cannot be reached; try again in a moment.")
            try:
                with self._places.one(connect.READ_S):
                    return self._read(fn, connect.LONG_READ_S if long else connect.READ_S)
            except (DBAPIError, PendingRollbackError) as error:
                if not passes(error):
                    if refusal := refusal_of(error):
                        raise refusal from error
                    raise
                if time.monotonic() + pause_s > deadline:
                    if not is_full(error):
                        self._away_until = time.monotonic() + AWAY_S  # whoever waits behind us need not find out again
                    raise refusal_of(error) or error from error
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, 0.3)

    def _read(self, fn: Callable[[Connection], T], within_s: float) -> T:
        try:
            connection = self._readers.connect()
        except DBAPIError as error:
            if is_full(error):
                self._fewer()
            raise
        with connection, connection.begin():
            connection.info[connect.DEADLINE] = time.monotonic() + within_s
            if within_s != connect.READ_S:
                connection.exec_driver_sql(f"SET LOCAL statement_timeout = {round(within_s * 1000)}")
            return fn(connection)

    def writers(self) -> tuple[Positions, Changes]:
        """Who commits positions, and who commits all other changes."""
        process = uuid.uuid4().hex[:24]
        positions = Session(self._url, f"{process}p", "positions", self._make_room)
        changes = Session(self._url, f"{process}c", "changes", self._make_room)
        self._sessions += [positions, changes]
        return Positions(positions), Changes(changes)

    def _make_room(self) -> None:
        """A writer got no connection: those of readers that are idle are given back, and one fewer is taken."""
        self._fewer()
        self._readers.pool.dispose()

    def _fewer(self) -> None:
        log.warning("PostgreSQL gives no more connections: %d read at once for now", self._places.fewer())

    def leads(self) -> bool:
        """A lock of a connection that is kept for it: the server gives it to another when the connection ends."""
        with self._leading:
            try:
                if self._lead is None:
                    self._lead = connect.keeper(self._url).connect().execution_options(isolation_level="AUTOCOMMIT")
                    taken = self._lead.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": LEAD})
                else:
                    taken = self._lead.scalar(text("SELECT true"))
            except DBAPIError as error:
                log.info("it is not known who leads: %s", said(error))
                taken = False
            if not taken:
                self._resign()
            return bool(taken)

    def _resign(self) -> None:
        if self._lead is not None:
            self._lead.invalidate()
            self._lead.close()
            self._lead = None

    @contextmanager
    def exclusively(self) -> Iterator[Connection]:
        """One long transaction in which nobody else changes anything."""
        engine = connect.keeper(self._url)
        try:
            with engine.connect() as connection, connection.begin():
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": TURN})
                connection.execute(text("LOCK TABLE tails IN EXCLUSIVE MODE"))  # for positions have no turns
                yield connection
        finally:
            engine.dispose()

    def close(self) -> None:
        with self._leading:
            self._resign()
        for session in self._sessions:
            session.close()
        self._readers.dispose()


def _bring_up_to_date(url: URL, place: str) -> None:
    engine = connect.keeper(url)
    try:
        _refuse_a_pool_of_transactions(engine, place)
        with engine.connect() as connection, connection.begin():
            _inspect(connection, place)
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATIONS})
            migrate(connection)
            connection.execute(delete(writers).where(writers.c.started_ms < connect.now_ms() - FORGOTTEN_MS))
    except CommandError as error:
        what = f"{place} holds tables of a newer version, or of another program ({error})."
        raise Refusal("ERR_STORAGE_DAMAGED", what) from error
    finally:
        engine.dispose()


def _refuse_a_pool_of_transactions(engine: Engine, place: str) -> None:
    """Where a program between us and the server gives each transaction whichever connection is free, two of ours that
    are both open are served by the same one in turn. What we tell a connection, and the lock of who leads, would come
    to be another's."""
    with engine.connect() as one, engine.connect() as other:
        served: list[set[int]] = []
        for connection in (one, other):
            connection.execution_options(isolation_level="AUTOCOMMIT")  # each a transaction of its own
            served.append({connection.scalar(text("SELECT pg_backend_pid()")) for _ in range(3)})
    if served[0] & served[1] or len(served[0] | served[1]) > 2:
        what = f"{place} is reached through a pool that gives connections to transactions"
        raise Refusal("ERR_STORAGE_UNKNOWN", f"{what}; it takes one that gives them to sessions: pool_mode = session.")


def _inspect(connection: Connection, place: str) -> None:
    asked = ("server_version_num", "server_version", "server_encoding", "fsync")
    statement = text("SELECT current_setting(name) FROM unnest(CAST(:names AS text[])) AS asked (name)")
    number, version, encoding, fsync = connection.scalars(statement, {"names": list(asked)})
    if int(number) < OLDEST:
        raise Refusal("ERR_STORAGE_UNKNOWN", f"{place} is PostgreSQL {version}; it takes 15 or newer.")
    if encoding != "UTF8":
        raise Refusal("ERR_STORAGE_UNKNOWN", f"{place} has the encoding {encoding}; it takes UTF8.")
    if fsync != "on":
        log.warning("%s runs with fsync off: what is acknowledged may be lost with the power", place)


def _may_come(error: DBAPIError) -> bool:
    """Whether waiting may help: not for a wrong password or a name that nothing has."""
    told = str(error.orig)
    lasting = ("authentication", "does not exist", "could not translate", "no pg_hba", "pooling mode")
    return not any(words in told for words in lasting)


def _refused(error: DBAPIError, place: str) -> Refusal:
    reason = said(error)
    match state_of(error):
        case "42P07":
            return Refusal("ERR_STORAGE_DAMAGED", f"{place} holds tables of another program: {reason}")
        case "42501":
            return Refusal("ERR_STORAGE", f"The user may not make tables in {place}: {reason}")
    if is_lost(error):
        return Refusal("ERR_UNAVAILABLE", f"PostgreSQL cannot be reached at {place}: {reason}")
    return refusal_of(error) or Refusal("ERR_STORAGE", f"{place} cannot be used: {reason}")
