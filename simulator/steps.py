"""What a simulated day consists of, and whose day it is."""

from __future__ import annotations

from random import Random
from uuid import UUID, uuid5

from msgspec import Struct

from simulator.wire import Message, encode

IDS = UUID("6f1d7b0e-8f0a-5a53-9a52-0d5f9d3c1c11")
"""The name space of everything a simulated app numbers: the same content has the same id."""


class Wait(Struct, frozen=True):
    """Nothing happens until this time."""

    until: float


class Send(Struct, frozen=True):
    """The app hands this message to the network: so many of its answers never arrive (each time it is sent again), and
    it may be sent once more after it was acknowledged.
    """

    message: Message
    lost: int = 0
    twice: bool = False


class Look(Struct, frozen=True):
    """The driver looks at the app before the next stop, for the so manieth time: where the route has changed, this is
    when the driver sees it.
    """

    number: int


class Expect(Struct, frozen=True):
    """From this time on the order has this status, once everything sent so far has arrived and this action was not
    refused.
    """

    order_id: str
    status: str
    action_id: str
    at: float = 0.0


class Signal(Struct, frozen=True):
    """The phone loses or finds its network."""

    up: bool


class Restart(Struct, frozen=True):
    """The app is killed and comes back after so many seconds; its outbox is on disk and survives."""

    away_s: float


Step = Wait | Send | Look | Expect | Signal | Restart


class Who(Struct, frozen=True):
    """Whose day it is: the key that seeds everything about this driver on this date."""

    key: str
    date: str
    seed: int

    def rng(self, purpose: str) -> Random:
        """A stream of chance for one purpose, independent of the others."""
        return Random(f"{self.seed}/{self.date}/{self.key}/{purpose}")

    def numbered(self, content: object) -> str:
        """The id this driver's app gives to something: a UUID of its content."""
        return str(uuid5(IDS, f"{self.seed}/{self.date}/{self.key}/{encode(content).decode()}"))
