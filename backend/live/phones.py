"""The line to one connected phone: changed routes and messages that it is to be told."""

import asyncio
import time
from collections import OrderedDict, deque

import msgspec

FORGOTTEN = 4408  # too slow
MOST_WAITING = 1000
MOST_KNOWN = 200  # message ids that are remembered to suppress duplicates


class Message(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """``at`` is when it reached the server, UTC ISO 8601; ``from`` is ``office`` or ``driver``."""

    id: str
    text: str
    at: str
    from_: str


class RouteChanged(msgspec.Struct, frozen=True):
    """The driver's route of this date has changed, or was sent."""

    date: str


class MessageSent(msgspec.Struct, frozen=True):
    """A message from the office."""

    message: Message


class HungUp(msgspec.Struct, frozen=True):
    """Nothing more will come: close the socket with this code."""

    code: int
    reason: str


Notice = RouteChanged | MessageSent | HungUp


class Line:
    """The server's end of one phone's connection. ``came_at`` is when it connected, in monotonic seconds.

    A route that changes twice before that was heard is heard once, and so is a message with the same id.
    """

    def __init__(self, account_id: str, driver_id: str, credential: str) -> None:
        self.account_id = account_id
        self.driver_id = driver_id
        self.credential = credential
        self.came_at = time.monotonic()
        self._dates: dict[str, None] = {}
        self._messages: deque[Message] = deque()
        self._known: OrderedDict[str, None] = OrderedDict()
        self._versions: dict[str, int] = {}  # of routes, by date, as they were read last
        self._hung_up: HungUp | None = None
        self._rings = asyncio.Event()

    def tell_route(self, date: str) -> None:
        self._dates[date] = None
        self._rings.set()

    def review(self, versions: dict[str, int]) -> None:
        """Tell of the driver's routes whose version, by date, is another than at the last review."""
        for date in versions.keys() | self._versions.keys():
            if versions.get(date) != self._versions.get(date):
                self.tell_route(date)
        self._versions = versions

    def tell_message(self, message: Message) -> None:
        if message.id in self._known:
            return
        if len(self._messages) >= MOST_WAITING:
            self.hang_up(FORGOTTEN, "Too slow: reconnect and read the messages.")
            return
        self._known[message.id] = None
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        self._messages.append(message)
        self._rings.set()

    def hang_up(self, code: int, reason: str) -> None:
        self._hung_up = self._hung_up or HungUp(code, reason)
        self._rings.set()

    async def hear(self) -> Notice:
        """Wait for the next notice. After a :class:`HungUp` there is none."""
        while True:
            if self._hung_up:
                return self._hung_up
            if self._messages:
                return MessageSent(self._messages.popleft())
            if self._dates:
                date = next(iter(self._dates))
                del self._dates[date]
                return RouteChanged(date)
            self._rings.clear()
            await self._rings.wait()
