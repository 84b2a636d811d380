"""The latest position and state of every driver, as a map shows them."""

import time

import msgspec

from backend.domain.positions import Position


class Card(msgspec.Struct, frozen=True):
    """One entry of the roll: who a driver is and what the driver is doing. The position is kept apart."""

    driver_id: str
    name: str
    external_id: str | None = None
    serial: str = ""
    on_duty: bool = False
    route_id: str | None = None
    order_id: str | None = None
    status: str | None = None


class Roll(msgspec.Struct, frozen=True):
    """Every driver of an account, by the log of facts up to ``sequence``."""

    sequence: int
    cards: dict[str, Card]


class Fleet:
    """The present of one account. Keyed by driver; the newest timestamp wins, and the same one twice is harmless."""

    __slots__ = ("doubtful", "encoded", "positions", "roll", "roll_at", "roll_is_old")

    def __init__(self) -> None:
        self.positions: dict[str, Position] = {}
        self.roll: Roll | None = None
        self.roll_at = 0.0  # monotonic seconds
        self.roll_is_old = True  # something has happened since it was read
        self.doubtful = False  # the store may have newer positions
        self.encoded: dict[str, bytes] = {}  # by driver: the JSON of the last move, once it was needed

    def offer(self, driver_id: str, position: Position) -> bool:
        """True where this is news: nothing known yet, or only what is older."""
        known = self.positions.get(driver_id)
        if known is not None and known.timestamp >= position.timestamp:
            return False
        self.positions[driver_id] = position
        self.encoded.pop(driver_id, None)
        return True

    def enrol(self, roll: Roll) -> None:
        """The roll as it was read just now."""
        self.roll, self.roll_at = roll, time.monotonic()
        self.encoded.clear()


class Board:
    """The present of every account. May be lost at any time: the store has it all."""

    def __init__(self) -> None:
        self._fleets: dict[str, Fleet] = {}

    def fleet(self, account_id: str) -> Fleet:
        fleet = self._fleets.get(account_id)
        if fleet is None:
            fleet = self._fleets[account_id] = Fleet()
        return fleet

    def doubt(self) -> None:
        """Not everything may have been told: what is here is read again before it is shown to anybody new."""
        for fleet in self._fleets.values():
            fleet.roll_is_old = fleet.doubtful = True

    def offer(self, account_id: str, driver_id: str, position: Position) -> bool:
        return self.fleet(account_id).offer(driver_id, position)

    def position(self, account_id: str, driver_id: str) -> Position | None:
        fleet = self._fleets.get(account_id)
        return fleet.positions.get(driver_id) if fleet else None
