"""Connections to the server: what every one of them is told before it is used."""

import re
import time
from typing import Any

import psycopg
from psycopg.types.string import StrDumperUnknown
from sqlalchemy import URL, Connection, Engine, NullPool, QueuePool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from backend.domain.errors import Refusal

# A peer that is gone is noticed within seconds, also amid a statement.
_WIRE = {
    "connect_timeout": 4,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
DEADLINE = "deadline"  # in a reading connection's info: of the read that it is used for
ATTRIBUTES = "target_session_attrs"
READ_S = 5.0  # a read, and any statement of it; a longer one holds back the cleaning of what is no longer needed
LONG_READ_S = 20.0  # one that may last longer, as it is rare: all orders of a day that is planned
WRITE_S = 40.0  # a statement that writes, waiting for its turn included
TURN_S = 20.0  # for a lock
STUCK_S = 15.0  # between two statements of one transaction: a process that hangs must not hold up the others


class _Text(StrDumperUnknown):
    """PostgreSQL's text holds every character but NUL; the documents beside it hold that one too."""

    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace("\x00", "\ufffd"))


def url_of(where: str) -> URL:
    """The URL with the driver that is used; of several hosts, with the one that writes.

    Refuses one that cannot be read, without repeating it.
    """
    try:
        given = make_url(_with_hosts(where))
        if given.get_backend_name() not in ("postgresql", "postgres"):
            raise ValueError
    except (ArgumentError, ValueError):
        text = "The address of the database cannot be read; it is postgresql://user:password@host:port/name."
        raise Refusal("ERR_STORAGE_UNKNOWN", text) from None
    hosts = given.query.get("host", ())
    if len(hosts.split(",") if isinstance(hosts, str) else hosts) > 1 and ATTRIBUTES not in given.query:
        given = given.update_query_dict({ATTRIBUTES: "read-write"})
    return given.set(drivername="postgresql+psycopg")


def _with_hosts(where: str) -> str:
    """Several hosts, as the server's own programs take them (``host1:5432,host2:5432``), said as SQLAlchemy does."""
    said = re.fullmatch(r"(\w+://)((?:.*@)?)([^/?@]*,[^/?@]*)([^?]*)\??(.*)", where, re.DOTALL)
    if said is None:
        return where
    scheme, user, hosts, name, query = said.groups()
    return f"{scheme}{user}{name}?" + "&".join([*(f"host={host}" for host in hosts.split(",")), *filter(None, [query])])


def readers(url: URL, count: int) -> Engine:
    """Connections that cannot write and see one snapshot in each transaction."""
    engine = create_engine(
        url, poolclass=QueuePool, pool_size=count, max_overflow=4, pool_use_lifo=True, connect_args=_wire(url, "reader")
    )

    def tell(driver: psycopg.Connection[Any]) -> None:
        driver.read_only = True
        driver.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ

    def look(connection: Connection, *_: Any) -> None:
        if time.monotonic() > connection.info[DEADLINE]:
            raise Refusal("ERR_OVERLOADED", "The database took too long to answer; try again in a moment.")

    event.listen(engine, "before_cursor_execute", look)
    return _told(engine, tell, statement=READ_S, lock=READ_S, idle=STUCK_S)


def writer(url: URL, name: str) -> Engine:
    """Connections whose commits have reached the disk when they return, and whose statements see what others
    committed before them: who has waited for a lock must see what was done under it."""
    engine = create_engine(url, poolclass=NullPool, connect_args=_wire(url, name))

    def tell(driver: psycopg.Connection[Any]) -> None:
        driver.isolation_level = psycopg.IsolationLevel.READ_COMMITTED

    return _told(engine, tell, statement=WRITE_S, lock=TURN_S, idle=STUCK_S)


def keeper(url: URL) -> Engine:
    """Connections for what may last: migrations, and waiting for somebody else's."""
    engine = create_engine(url, poolclass=NullPool, connect_args=_wire(url, "keeper"))
    return _told(engine, lambda driver: None, statement=0, lock=120, idle=0)


def _wire(url: URL, name: str) -> dict[str, Any]:
    given = _WIRE | {"application_name": f"codriver {name}"}
    return {key: value for key, value in given.items() if key not in url.query}


def _told(engine: Engine, tell: Any, *, statement: float, lock: float, idle: float) -> Engine:
    def connected(driver: psycopg.Connection[Any], record: Any) -> None:
        driver.adapters.register_dumper(str, _Text)
        driver.autocommit = True
        driver.execute(
            f"SET statement_timeout = {round(statement * 1000)};"
            f" SET lock_timeout = {round(lock * 1000)};"
            f" SET idle_in_transaction_session_timeout = {round(idle * 1000)};"
            " SET client_min_messages = warning;"
            " SELECT set_config('synchronous_commit', 'on', false)"
            " WHERE current_setting('synchronous_commit') = 'off'"
        )
        driver.autocommit = False
        tell(driver)

    event.listen(engine, "connect", connected)
    return engine


def now_ms() -> int:
    return round(time.time() * 1000)
