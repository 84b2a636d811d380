"""How many connections read at once: fewer while the server has none left for those who write.

Readers come in crowds and keep what they have, so that after a restart of the server they could take every connection
it gives, and no position would be stored any more. Whoever is refused one takes a place from the readers.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from backend.domain.errors import Refusal

AGAIN_S = 60.0  # after a shortage, until there is one place more


class Places:
    """Taken by the threads that read."""

    def __init__(self, most: int) -> None:
        self._most = self._now = most
        self._taken = 0
        self._short_at = 0.0
        self._changed = threading.Condition()

    @property
    def now(self) -> int:
        """How many there are."""
        return self._now

    @contextmanager
    def one(self, within_s: float) -> Iterator[None]:
        """A place, waited for. Refuses with ``ERR_OVERLOADED`` where none became free in time."""
        with self._changed:
            if self._now < self._most and time.monotonic() - self._short_at > AGAIN_S:
                self._now, self._short_at = self._now + 1, time.monotonic()
            if not self._changed.wait_for(lambda: self._taken < self._now, within_s):
                raise Refusal(
                    "ERR_OVERLOADED", "Too many requests are waiting for the database; try again in a moment."
                )
            self._taken += 1
        try:
            yield
        finally:
            with self._changed:
                self._taken -= 1
                self._changed.notify()

    def fewer(self) -> None:
        """The server refused somebody a connection."""
        with self._changed:
            self._now, self._short_at = max(1, self._now - 1), time.monotonic()
