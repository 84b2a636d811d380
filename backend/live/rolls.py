"""Keeps the rolls (lists of drivers) fresh: read when somebody subscribes, once for all who subscribe meanwhile."""

import asyncio
import time
from collections.abc import Callable

from backend.domain.positions import Position
from backend.live.board import Board, Roll
from backend.live.sources import Sources
from backend.live.tasks import Tasks

ROLL_S = 5.0  # how old a roll may be where no change was told
PAUSE_S = 0.2  # between two reads: a busy fleet makes every roll old at once, and new subscribers share a read


class Rolls:
    """The rolls on the board, kept fresh."""

    def __init__(self, board: Board, tasks: Tasks, tell: Callable[[str, str, Position], object]) -> None:
        self._board = board
        self._tasks = tasks
        self._tell = tell  # of the stored positions of drivers of whom the board has none
        self._reading: dict[str, asyncio.Task[Roll]] = {}
        self._begun: set[str] = set()  # accounts whose reading no longer waits for its turn

    async def fresh(self, account_id: str, sources: Sources) -> Roll:
        """The roll as of now or later. One read serves all who ask before it begins."""
        fleet = self._board.fleet(account_id)
        if fleet.roll is not None and not fleet.roll_is_old and time.monotonic() - fleet.roll_at < ROLL_S:
            return fleet.roll
        if account_id in self._begun and fleet.roll_is_old:  # what happened since is not in it
            await asyncio.wait({self._reading[account_id]})
        reading = self._reading.get(account_id)
        if reading is None:
            reading = self._reading[account_id] = self._tasks.start(self._read(account_id, sources))
        return await asyncio.shield(reading)

    async def fresher(self, account_id: str, sources: Sources) -> Roll:
        """A roll that is read after this call: a read that is under way may miss what the caller knows."""
        self._board.fleet(account_id).roll_is_old = True
        return await self.fresh(account_id, sources)

    async def _read(self, account_id: str, sources: Sources) -> Roll:
        fleet = self._board.fleet(account_id)
        try:
            await asyncio.sleep(max(0.0, fleet.roll_at + PAUSE_S - time.monotonic()))
            self._begun.add(account_id)
            doubtful = fleet.doubtful
            fleet.roll_is_old = fleet.doubtful = False
            try:
                roll, positions = await sources.roll(account_id, doubtful)
            except BaseException:
                fleet.roll_is_old, fleet.doubtful = True, fleet.doubtful or doubtful
                raise
        finally:
            self._begun.discard(account_id)
            del self._reading[account_id]
        fleet.enrol(roll)
        for driver_id, position in positions.items():
            self._tell(account_id, driver_id, position)
        return roll
