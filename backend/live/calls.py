"""The limit on concurrent requests of one API key."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Calls:
    """Counts the requests of this process."""

    def __init__(self) -> None:
        self._here: Counter[str] = Counter()

    @asynccontextmanager
    async def place(self, key: str, limit: int) -> AsyncIterator[bool]:
        """Hold one of ``limit`` places of the key, 0 being no limit; False where all are taken."""
        if limit and self._here[key] >= limit:
            yield False
            return
        self._here[key] += 1
        try:
            yield True
        finally:
            self._here[key] -= 1
            if not self._here[key]:
                del self._here[key]

    async def close(self) -> None:
        """Nothing is held any more."""
