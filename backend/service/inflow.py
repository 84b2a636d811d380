"""How much of what phones send is in hand, and whether there is room for more."""

from collections.abc import Iterator
from contextlib import contextmanager

from backend.domain.errors import Refusal
from backend.service.tally import Tally
from backend.store.journal import Journal

CODE = "ERR_OVERLOADED"
TEXT = "Too much waits to be stored; try again in a moment."


class Inflow:
    """Counts what was let in and is not yet answered; whoever lets in counts up, and down.

    Two things may be short: the event loop, and the disk. What waits for the disk costs the loop nothing and does not
    count, up to as many as the disk takes soon.
    """

    __slots__ = ("_journal", "_tally", "under_way")

    def __init__(self) -> None:
        self.under_way = 0
        self._journal: Journal | None = None
        self._tally: Tally | None = None

    def open(self, journal: Journal, tally: Tally) -> None:
        self._journal, self._tally = journal, tally

    def full(self, most: int) -> bool:
        """Whether one more would be more than ``most`` that wait for the loop, or for longer than soon for the disk; or
        the journal is half full.
        """
        journal = self._journal
        if journal is None:
            return False
        if self.under_way >= most and self.under_way - min(journal.waiting, journal.room) >= most:
            return True
        return journal.crowded

    @contextmanager
    def let_in(self, most: int) -> Iterator[None]:
        """Counts what is done within; refuses with ``ERR_OVERLOADED`` where it is full."""
        if self.full(most):
            raise Refusal(CODE, TEXT)
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1

    def turned_away(self) -> None:
        """One was refused before anything else was done with it."""
        if self._tally is not None:
            self._tally.refuse(CODE)
