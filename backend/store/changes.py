"""One caller's change on its way through the journal, and its outcome."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection

from backend.store.batches import Batch

T = TypeVar("T")


Ended = Callable[[float, float, int, BaseException | None], None]
"""Called when a change has been committed or has failed, with: when its commit began (monotonic), the seconds it took,
how many changes it held, and the error or None."""


class Entry:
    """A change that waits: a function that runs in a savepoint of its own, or a batch of positions."""

    __slots__ = ("failure", "future", "outcome", "size", "trace", "work")

    def __init__(
        self,
        work: Callable[[Connection], Any] | Batch,
        size: int,
        future: "asyncio.Future[Any]",
        trace: Ended | None = None,
    ) -> None:
        self.work = work
        self.size = size
        self.future = future
        self.outcome: Any = None
        self.failure: BaseException | None = None
        self.trace = trace


class Writer(Protocol):
    """The engine's part of the journal: commits what waits. Used by a single thread."""

    most: int
    """How many changes one commit may hold."""

    @property
    def restless(self) -> bool:
        """Whether ``tend`` has something to do when the journal is idle."""

    def commit(self, entries: list[Entry]) -> None:
        """One transaction for all entries. Raises nothing: sets the outcome or the failure of each entry."""

    def tend(self, *, idle: bool) -> None:
        """Maintenance, such as checkpoints: called after each commit, and when the journal is idle."""


def attempt(
    conn: Connection, work: Callable[[Connection], T], breaks: Callable[[Exception], bool]
) -> tuple[T, None] | tuple[Any, Exception]:
    """Run a function in a savepoint: an exception rolls back only the function's own changes, and is returned.

    Raises an exception that ``breaks`` the whole commit: a fault of the disk, or one that ended the transaction.
    """
    conn.exec_driver_sql("SAVEPOINT one")
    try:
        outcome = work(conn)
    except Exception as error:
        if breaks(error):
            raise
        conn.exec_driver_sql("ROLLBACK TO SAVEPOINT one")
        conn.exec_driver_sql("RELEASE SAVEPOINT one")
        return None, error
    conn.exec_driver_sql("RELEASE SAVEPOINT one")
    return outcome, None
