"""Threads for what would hold up the event loop, a few for each kind of work.

What stands still of one kind, or piles up, keeps only its own kind waiting: asyncio's own threads (``to_thread``) are
shared by everything, also by looking up a name on the network.
"""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class Threads:
    """``most`` at a time, which come with the first work and go with the process, or with this."""

    def __init__(self, kind: str, most: int) -> None:
        self._pool = ThreadPoolExecutor(most, thread_name_prefix=kind)

    async def run(self, work: Callable[..., T], *given: Any) -> T:
        """What ``work`` returns or raises; it goes on where the caller is cancelled."""
        context = contextvars.copy_context()  # so that what it logs names the caller's request
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: context.run(work, *given))
