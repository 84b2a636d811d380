"""Where the hub reads what it was not told: somebody who knows the store."""

from typing import Protocol

from backend.domain.positions import Position
from backend.live.audience import Page
from backend.live.board import Roll
from backend.live.parcels import Parcel


class Sources(Protocol):
    """Reads for the hub. ``clock_speed`` is how many of the server's seconds go by in one."""

    clock_speed: float

    def now_s(self) -> float: ...

    async def roll(self, account_id: str) -> tuple[Roll, dict[str, Position]]:
        """Every driver of the account, and the stored position of those the board has none of."""
        ...

    async def events(self, account_id: str, after: int, limit: int) -> Page: ...

    async def parcel(self, tracking: str) -> Parcel | None: ...
