"""A driver's positions on their way into the store: prepared without a database; and the outcome of storing them."""

from collections.abc import Iterable

import msgspec

from backend.domain import positions
from backend.domain.positions import Position

RECENT = 6  # fixes that `newest_plausible` is given; it needs three that are no null island


class Appended(msgspec.Struct, frozen=True):
    """The outcome of a batch. ``newest`` is the driver's current position, where it is in this batch."""

    accepted: int
    duplicates: int
    newest: Position | None


class Batch(msgspec.Struct, frozen=True):
    """Fixes of one driver ready to be stored: in order of time, no two at one millisecond or of one id.

    ``body`` is the fixes packed and ``recent`` the last few of them. ``given`` are the fixes in the order they came,
    which decides between repeats, and ``ids`` what some of them are named; where the batch had no repeats and no ids
    they are left out, as hundreds of batches wait at once and their memory is better used again while it is warm.
    """

    driver_id: str
    body: bytes
    count: int
    first_ms: int
    recent: list[Position]
    given: list[Position] | None = None
    ids: list[str] = []


class Tail(msgspec.Struct, frozen=True):
    """The end of what is stored of a driver: a batch that begins after it cannot hold duplicates."""

    last_ms: int
    recent: tuple[Position, ...]


NOTHING = Tail(-1, ())
Row = tuple[str, int, int, int, bytes]  # a chunk: driver, first and last millisecond, how many fixes, packed


def prepare(driver_id: str, fixes: list[Position], packed: bytes | None = None) -> Batch:
    """Sort a batch and drop its duplicates; the first one wins. Needs no database, so it runs before the commit.

    ``packed``: as ``positions.sift`` returns it; then there is nothing left to do.
    """
    if packed is not None:
        return Batch(driver_id, packed, len(fixes), fixes[0].at_ms, fixes[-RECENT:])
    kept = without(fixes, set(), set())
    ids = [fix.id for fix in fixes if fix.id is not None]
    first_ms = kept[0].at_ms if kept else 0
    return Batch(driver_id, positions.pack(kept), len(kept), first_ms, kept[-RECENT:], fixes, ids)


def without(given: Iterable[Position], times_ms: set[int], ids: set[str]) -> list[Position]:
    """Fixes in order of time without repeats and without what is known; the sets grow by what is taken."""
    kept = {}
    for fix in given:
        at_ms = fix.at_ms
        if at_ms in times_ms or fix.id in ids:
            continue
        times_ms.add(at_ms)
        if fix.id is not None:
            ids.add(fix.id)
        kept[at_ms] = fix
    return [kept[at_ms] for at_ms in sorted(kept)]
