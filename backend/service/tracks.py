"""The stored positions of a driver."""

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from backend.domain.accounts import Office
from backend.domain.errors import Refusal
from backend.domain.positions import Position
from backend.service import fleet
from backend.service.desk import Desk
from backend.store import tracks
from backend.store.threads import Threads

T = TypeVar("T")

PAGE = 10_000
_TEXTS = Threads("texts", 1)
"""They compute: two would be done no sooner than one after the other, and phones wait for the interpreter longer."""


async def page(
    desk: Desk, caller: Office, driver_id: str, from_ms: int, to_ms: int, after_ms: int | None = None, limit: int = PAGE
) -> list[Position]:
    """Up to ``limit`` positions from ``from_ms`` (inclusive) to ``to_ms`` (exclusive), in time order, no duplicates;
    those behind ``after_ms`` only, where it is given. Refuses a driver that is not the caller's."""
    if from_ms > to_ms:
        raise Refusal("ERR_INVALID", "from must not be later than to.", "from")
    await fleet.driver(desk, caller, driver_id)
    return await desk.database.read(
        lambda conn: tracks.track(conn, driver_id, from_ms, to_ms, after_ms=after_ms, limit=limit)
    )


async def pages(desk: Desk, caller: Office, driver_id: str, from_ms: int, to_ms: int) -> AsyncIterator[list[Position]]:
    """All of them, page by page, so that a year fits in little memory."""
    after_ms: int | None = None
    while True:
        found = await page(desk, caller, driver_id, from_ms, to_ms, after_ms)
        if found:
            yield found
        if len(found) < PAGE:
            return
        after_ms = found[-1].at_ms


async def text(write: Callable[[list[Position]], T], found: list[Position]) -> T:
    """What ``write`` makes of a page, on a thread: it takes tens of milliseconds, which phones would else wait for."""
    return await _TEXTS.run(write, found)
