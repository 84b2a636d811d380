"""Thread pools for blocking work, one for each kind of work.

Work that hangs or piles up delays only its own kind. asyncio's own pool (``to_thread``) is shared by everything, also
by look-ups of host names.
"""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class Threads:
    """``most`` threads at a time; each is started when there is work for it."""

    def __init__(self, kind: str, most: int) -> None:
        self._pool = ThreadPoolExecutor(most, thread_name_prefix=kind)

    async def run(self, work: Callable[..., T], *given: Any) -> T:
        """What ``work`` returns or raises; it goes on where the caller is cancelled."""
        context = contextvars.copy_context()  # so that what it logs names the caller's request
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: context.run(work, *given))

    def close(self) -> None:
        """Wait for what is under way; what has not begun is cancelled."""
        self._pool.shutdown(wait=True, cancel_futures=True)
