"""What one process tells the others: letters, and the box in which they are gathered.

A letter holds states wherever it can, so that what waits is conflated: of positions the newest of each driver, of
everything else that something changed, once. What it says may come late or twice without harm.
"""

import asyncio
import math
import time
from collections.abc import Iterable
from itertools import islice
from typing import TypeVar

import msgspec

from backend.domain.positions import Position
from backend.live.phones import Message

K = TypeVar("K")
V = TypeVar("V")

FORM = 1
"""The form of a letter. A process that meets another form reads the store instead."""
MOST_IN_LETTER = 500  # of each kind; of positions about 60 KB
MOST_WAITING = 100_000  # of all kinds; beyond, all is dropped and the others look in the store


class Letter(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """``number`` counts the letters of its ``sender``, also those that were never sent: a gap is something missed.

    ``mark`` is the installation's: two may share a Redis by mistake. ``connected`` are credentials of phones that came
    to the sender, and how many seconds ago, which needs no clocks that agree; ``notes`` a topic and a text. After a
    ``farewell`` nothing more comes.
    """

    form: int
    mark: str
    sender: str
    number: int
    positions: list[tuple[str, str, Position]] = []
    facts: list[tuple[str, str | None]] = []
    routes: list[tuple[str, str, list[str]]] = []
    fleets: list[str] = []
    revoked: list[str] = []
    messages: list[tuple[str, str, Message]] = []
    connected: list[tuple[str, float]] = []
    notes: list[tuple[str, str]] = []
    farewell: bool = False


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Letter).decode


class Box:
    """What is to be told to the others. Nothing in here waits or fails."""

    def __init__(self, mark: str, sender: str) -> None:
        self.sender = sender
        self.number = 0
        self.filled = asyncio.Event()
        self._mark = mark
        self._positions: dict[tuple[str, str], Position] = {}
        self._facts: dict[tuple[str, str | None], None] = {}
        self._routes: dict[tuple[str, str], set[str]] = {}
        self._fleets: dict[str, None] = {}
        self._revoked: dict[str, None] = {}
        self._messages: dict[str, tuple[str, str, Message]] = {}
        self._connected: dict[str, float] = {}
        self._notes: dict[tuple[str, str], None] = {}
        self._waiting = (
            self._positions,
            self._facts,
            self._routes,
            self._fleets,
            self._revoked,
            self._messages,
            self._connected,
            self._notes,
        )

    def position(self, account_id: str, driver_id: str, newest: Position) -> None:
        self._put(self._positions, (account_id, driver_id), newest)

    def facts(self, account_id: str, driver_id: str | None) -> None:
        self._put(self._facts, (account_id, driver_id), None)

    def routes(self, account_id: str, date: str, driver_ids: Iterable[str]) -> None:
        known = self._routes.get((account_id, date), set())
        self._put(self._routes, (account_id, date), known.union(driver_ids))

    def fleet(self, account_id: str) -> None:
        self._put(self._fleets, account_id, None)

    def revoked(self, credential: str) -> None:
        self._put(self._revoked, credential, None)

    def message(self, account_id: str, driver_id: str, message: Message) -> None:
        self._put(self._messages, message.id, (account_id, driver_id, message))

    def connected(self, credential: str, came_at: float) -> None:
        self._put(self._connected, credential, came_at)

    def note(self, topic: str, text: str) -> None:
        self._put(self._notes, (topic, text), None)

    def last_number(self) -> int:
        """The number of the letter with which all is out that waits now, but for positions."""
        most = max(len(each) for each in self._waiting if each is not self._positions)
        return self.number + max(1, math.ceil(most / MOST_IN_LETTER))

    def take(self, farewell: bool = False) -> Letter:
        """The next letter, which may be empty: a sign of life."""
        self.number += 1
        now = time.monotonic()
        letter = Letter(
            form=FORM,
            mark=self._mark,
            sender=self.sender,
            number=self.number,
            positions=[(*who, newest) for who, newest in _some(self._positions)],
            facts=[fact for fact, _ in _some(self._facts)],
            routes=[(*which, sorted(driver_ids)) for which, driver_ids in _some(self._routes)],
            fleets=[account_id for account_id, _ in _some(self._fleets)],
            revoked=[credential for credential, _ in _some(self._revoked)],
            messages=[message for _, message in _some(self._messages)],
            connected=[(credential, now - came_at) for credential, came_at in _some(self._connected)],
            notes=[note for note, _ in _some(self._notes)],
            farewell=farewell,
        )
        if not any(self._waiting):
            self.filled.clear()
        return letter

    def _put(self, waiting: dict[K, V], key: K, told: V) -> None:
        waiting[key] = told
        self.filled.set()
        if sum(len(each) for each in self._waiting) > MOST_WAITING:
            self.number += 1  # a letter that never comes
            for each in self._waiting:
                each.clear()


def _some(waiting: dict[K, V]) -> list[tuple[K, V]]:
    """As much as a letter takes, taken out; the oldest first."""
    keys = list(islice(waiting, MOST_IN_LETTER))
    return [(key, waiting.pop(key)) for key in keys]
