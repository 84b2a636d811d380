"""How many connections read at once: fewer while the server has none left for those who write.

Readers come in crowds and keep what they have, so that after a restart of the server they could take every connection
it gives, and no position would be stored any more. Each refusal takes one place from the readers; when nobody was
refused for a while they try twice as many, so that a server that was only starting soon has all of them again, and one
that stays short of connections is asked for more ever more seldom.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from backend.domain.errors import Refusal

FIRST_S, LONGEST_S = 1.0, 60.0  # after a shortage, until more are tried; doubled where that leads to the next one
CALM_S = 300.0  # without a shortage, after which one is the first again


class Places:
    """Taken by the threads that read."""

    def __init__(self, most: int) -> None:
        self._most = self._now = most
        self._taken = 0
        self._pause_s = FIRST_S
        self._short_at = self._tried_at = time.monotonic() - CALM_S
        self._changed = threading.Condition()

    @property
    def now(self) -> int:
        """How many there are."""
        return self._now

    @contextmanager
    def one(self, within_s: float) -> Iterator[None]:
        """A place, waited for. Refuses with ``ERR_OVERLOADED`` where none became free in time."""
        deadline = time.monotonic() + within_s
        with self._changed:
            while not self._is_free():
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise Refusal(
                        "ERR_OVERLOADED", "Too many requests are waiting for the database; try again in a moment."
                    )
                self._changed.wait(min(left_s, FIRST_S))  # others may be long; there may be more places before they end
            self._taken += 1
        try:
            yield
        finally:
            with self._changed:
                self._taken -= 1
                self._changed.notify()

    def fewer(self) -> int:
        """The server refused somebody a connection; how many places that leaves. A reader tells so before it gives its
        own place back, so that nobody takes that and is refused too."""
        with self._changed:
            now = time.monotonic()
            if now - self._short_at > CALM_S:
                self._pause_s = FIRST_S
            elif self._tried_at > self._short_at:  # and not one more of a crowd that was refused together
                self._pause_s = min(2 * self._pause_s, LONGEST_S)
            self._short_at = now
            self._now = max(1, self._now - 1)
            return self._now

    def _is_free(self) -> bool:
        now = time.monotonic()
        if self._now < self._most and now - max(self._short_at, self._tried_at) > self._pause_s:
            self._now, self._tried_at = min(2 * self._now, self._most), now
            self._changed.notify_all()
        return self._taken < self._now
