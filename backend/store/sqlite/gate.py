"""A gate for those who read.

Whoever reads holds a snapshot, and while anybody holds one that is older than the newest commit the log cannot begin
anew. Where reads follow one another without a gap, as short as they may be, it would grow without end.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """Open, but for moments."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._shut = False

    @contextmanager
    def passing(self) -> Iterator[None]:
        """For as long as something is read; waits at the gate before."""
        with self._changed:
            while self._shut:
                self._changed.wait()
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                if self._shut and not self._inside:
                    self._changed.notify_all()

    @contextmanager
    def shut(self, within_s: float) -> Iterator[bool]:
        """Let nobody in; True where all who were inside have left within so many seconds."""
        deadline = time.monotonic() + within_s
        with self._changed:
            self._shut = True
            while self._inside and (left_s := deadline - time.monotonic()) > 0:
                self._changed.wait(left_s)
            empty = not self._inside
        try:
            yield empty
        finally:
            with self._changed:
                self._shut = False
                self._changed.notify_all()
