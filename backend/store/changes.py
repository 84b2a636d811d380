"""One caller's change on its way through the journal, and what became of it."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection

from backend.store.batches import Batch

T = TypeVar("T")


Ended = Callable[[float, float, int, BaseException | None], None]
"""Told of a change: when its commit began (monotonic), the seconds it took, how many changes it held, what failed."""


class Entry:
    """A function for a savepoint of its own, or a batch of positions."""

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
    """Who commits what waits. Used by one thread alone."""

    most: int
    """How many changes one commit may hold."""

    @property
    def restless(self) -> bool:
        """Whether there is something to tend to when nothing else is to be done."""

    def commit(self, entries: list[Entry]) -> None:
        """One transaction for all; raises nothing, but leaves each entry its outcome or its failure."""

    def tend(self, *, idle: bool) -> None:
        """Called after each commit, when its callers are told, and when nothing came for a while."""


def attempt(
    conn: Connection, work: Callable[[Connection], T], breaks: Callable[[Exception], bool]
) -> tuple[T, None] | tuple[Any, Exception]:
    """Run a function in a savepoint: what it raises undoes nothing but its own.

    Raises what ``breaks`` the whole commit: the disk's faults, and whatever the engine gave up the transaction for.
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
