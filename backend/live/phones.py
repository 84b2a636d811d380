"""What the office and the planner have for one phone that is listening."""

import asyncio
from collections import deque

import msgspec

FORGOTTEN = 4408  # too slow
MOST_WAITING = 1000


class RouteChanged(msgspec.Struct, frozen=True):
    """The routes of this date are others than they were, or were sent."""

    date: str


class MessageSent(msgspec.Struct, frozen=True):
    """From the office; ``message`` as the teller gave it."""

    message: object


class HungUp(msgspec.Struct, frozen=True):
    """Nothing more will come: close the socket with this code."""

    code: int
    reason: str


Word = RouteChanged | MessageSent | HungUp


class Line:
    """One phone's open ear. Changes of a route are states: told twice before they were heard, they are heard once."""

    def __init__(self, account_id: str, driver_id: str, credential: str) -> None:
        self.account_id = account_id
        self.driver_id = driver_id
        self.credential = credential
        self._dates: dict[str, None] = {}
        self._messages: deque[object] = deque()
        self._hung_up: HungUp | None = None
        self._rings = asyncio.Event()

    def tell_route(self, date: str) -> None:
        self._dates[date] = None
        self._rings.set()

    def tell_message(self, message: object) -> None:
        if len(self._messages) >= MOST_WAITING:
            self.hang_up(FORGOTTEN, "Too slow: connect again and read the messages.")
            return
        self._messages.append(message)
        self._rings.set()

    def hang_up(self, code: int, reason: str) -> None:
        self._hung_up = self._hung_up or HungUp(code, reason)
        self._rings.set()

    async def hear(self) -> Word:
        """The next word, waited for. After a :class:`HungUp` there is none."""
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
