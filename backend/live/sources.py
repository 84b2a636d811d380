"""The hub's interface to the store, implemented by ``service.watch``."""

from collections.abc import Collection
from typing import Protocol

from backend.domain.positions import Position
from backend.live.audience import Page
from backend.live.board import Roll
from backend.live.parcels import Parcel
from backend.live.phones import Message


class Sources(Protocol):
    """Reads for the hub. ``clock_speed`` is how many of the server's seconds go by in one."""

    clock_speed: float

    def now_s(self) -> float: ...

    async def roll(self, account_id: str, doubtful: bool) -> tuple[Roll, dict[str, Position]]:
        """Every driver of the account, and the stored position of those the board has none of; of all where what it
        has is ``doubtful``."""
        ...

    async def events(self, account_id: str, after: int, limit: int) -> Page: ...

    async def parcel(self, tracking: str) -> Parcel | None: ...

    # For those who may not have been told everything

    async def revoked(self, credentials: Collection[str]) -> set[str]:
        """Those that are good no longer."""
        ...

    async def route_versions(self, account_id: str) -> dict[str, dict[str, int]]:
        """By driver and date the routes that drivers were sent for yesterday and later, and how often each changed."""
        ...

    async def messages(self, account_id: str, since_s: float) -> list[tuple[str, Message]]:
        """What the office wrote since, with the driver."""
        ...
