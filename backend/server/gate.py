"""The gate: what is turned away as soon as its head is here, and how much is held of what has not yet arrived.

A request that is answered late is lost work: the client has given up, or comes again. So where more comes than can be
done, most of it has to be refused at once and for nearly nothing, which is before the application sees it.
"""

import asyncio
import logging
import re
import time
from collections import deque
from collections.abc import Mapping
from itertools import cycle
from types import MappingProxyType
from typing import Protocol

from backend.server.answers import problem

HELD_BYTES = 64 * 1024 * 1024
"""Of bodies and messages that have arrived in part, over all connections. Beyond, who holds more than others ends."""
RETRY_AFTER_S = (3, 1, 5, 2, 4)
"""In turn, so that those who were refused together do not come again together."""
REST_S = 0.25
"""From a refusal to its answer, while the connection is not read. Clients that do not heed ``Retry-After`` come again
as soon as they are answered, and refusing them would take the time of those who were let in."""
WAKE_S, WAKE_AT_ONCE = 0.005, 64
"""How often, and how many, are answered; so few that between them there is time for others."""
PLAIN_HEAD_BYTES = 4096
_LENGTH = re.compile(rb"\r\ncontent-length: ([0-9]{1,9})(?:\r|$)")
BURST = 500
LOOK_S, GIVEN_BACK, GIVEN_BACK_UNDER_PRESSURE = 0.01, 40, 1
"""How often something of it comes back until all is there, and how much: about what can be done in that time
where few wait for the loop, so that requests may come in clumps that are through before the next; and so little where
not, that under lasting pressure the limits hold."""
QUIET = 8
"""Few: fewer than these."""
TELL_S = 10.0

log = logging.getLogger("codriver.server")


class Inflow(Protocol):
    """What the application says of its load. ``under_way`` is counted here."""

    under_way: int

    def full(self, most: int) -> bool: ...

    def turned_away(self) -> None: ...


class Resting(Protocol):
    """A connection that is owed an answer and not read until then."""

    def wake(self) -> None: ...


class Gate:
    """One for a process.

    ``limits``: for each path, up to how many requests ``inflow`` is not full. ``streamed``: the beginnings of paths
    whose bodies the application keeps elsewhere while they arrive, so that they are not held.
    """

    def __init__(
        self,
        inflow: Inflow | None = None,
        limits: Mapping[bytes, int] = MappingProxyType({}),
        streamed: tuple[bytes, ...] = (),
    ) -> None:
        self.inflow = inflow
        self.limits = limits
        self.streamed = streamed
        self.starts = tuple(b"POST %b HTTP/1.1\r\n" % path for path in limits)
        self.held = 0  # bytes
        self.holders = 0  # connections
        self._refused = 0  # since it was last told
        self._resting: deque[tuple[float, Resting]] = deque()
        self._burst = BURST
        self._looking = False
        self._answers = cycle(overloaded(seconds, close=False) for seconds in RETRY_AFTER_S)
        self._farewells = cycle(overloaded(seconds, close=True) for seconds in RETRY_AFTER_S)

    def admits(self, url: bytes) -> bool | None:
        """Whether there is room for a request: True counts it as under way; None is no matter of this gate's."""
        most = self.limits.get(url) or self.limits.get(url.partition(b"?")[0])
        inflow = self.inflow
        if most is None or inflow is None:
            return None
        if self._full(inflow, most, 1):
            inflow.turned_away()
            self._note()
            return False
        inflow.under_way += 1
        return True

    def _full(self, inflow: Inflow, most: int, spent: int) -> bool:
        """``spent``: what of the burst this request would take."""
        if not inflow.full(most):
            return False
        if self._burst < 1 or inflow.full(most + BURST):
            return True
        if spent:
            self._burst -= spent
            self._look_again()
        return False

    def look(self) -> None:
        """Give back something of the burst."""
        self._looking = False
        quiet = self.inflow is None or not self.inflow.full(QUIET)
        self._burst = min(BURST, self._burst + (GIVEN_BACK if quiet else GIVEN_BACK_UNDER_PRESSURE))
        if self._burst < BURST:
            self._look_again()

    def _look_again(self) -> None:
        if not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_later(LOOK_S, self.look)

    def refuses_whole(self, data: bytes) -> bool:
        """The same of a request that came in one piece and alone, before it is parsed. False: it is to be parsed.

        That is a third of what refusing costs, and a request that is refused most often comes like this. Whatever says
        anything about the connection, the body's form or what it expects is left to the parser.
        """
        most = self.limits[data[5 : data.index(b" ", 5)]]
        inflow = self.inflow
        if inflow is None or not self._full(inflow, most, 0):
            return False
        end = data.find(b"\r\n\r\n", 0, PLAIN_HEAD_BYTES)
        head = data[:end].lower()
        length = _LENGTH.search(head)
        if end < 0 or length is None or len(data) - end - 4 != int(length[1]) or _special(head):
            return False
        inflow.turned_away()
        self._note()
        return True

    def answer(self, *, close: bool) -> bytes:
        return next(self._farewells if close else self._answers)

    def rest(self, connection: Resting) -> None:
        """Wake a connection that was turned away in a while; so many of them at once and no more."""
        if not self._resting:
            asyncio.get_running_loop().call_later(REST_S, self._wake)
        self._resting.append((time.monotonic() + REST_S, connection))

    def _wake(self) -> None:
        loop, resting, now = asyncio.get_running_loop(), self._resting, time.monotonic()
        for _ in range(WAKE_AT_ONCE):
            if not resting or resting[0][0] > now:
                break
            loop.call_soon(resting.popleft()[1].wake)
        if resting:
            loop.call_later(max(WAKE_S, resting[0][0] - now), self._wake)

    def hold(self, before: int, now: int) -> bool:
        """A connection held ``before`` bytes and holds ``now``. False: it must not, as there is no room and others
        hold less.
        """
        self.held += now - before
        self.holders += (now > 0) - (before > 0)
        fits = now <= before or self.held <= HELD_BYTES or now * self.holders <= self.held
        if not fits:
            self._note()
        return fits

    def _note(self) -> None:
        """One line for all that were refused in a while."""
        if not self._refused:
            asyncio.get_running_loop().call_later(TELL_S, self._tell)
        self._refused += 1

    def _tell(self) -> None:
        log.warning("turned %d requests away within %.0f s: more comes than can be done", self._refused, TELL_S)
        self._refused = 0


def overloaded(retry_after_s: int, *, close: bool) -> bytes:
    """The whole answer."""
    detail = "More comes than can be done; try again in a moment."
    return problem(503, "ERR_OVERLOADED", detail, {"retry-after": str(retry_after_s)}, close=close)


def _special(head: bytes) -> bool:
    """Whether a head in small letters says more of its request's form than its length, or that twice."""
    return (
        head.count(b"content-length") != 1
        or b"transfer-encoding" in head
        or b"expect:" in head
        or b"upgrade" in head
        or (b"\nconnection:" in head and b"\nconnection: keep-alive\r\n" not in head + b"\r\n")
        or head.count(b"\n") != head.count(b"\r\n")
    )
