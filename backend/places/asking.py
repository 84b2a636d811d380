"""Asking a geocoder on the network: politely, with patience that ends, and never twice for the same address.

What can go wrong with somebody else's server (it is slow, dead, overloaded, or answers nonsense) ends as a
``Lookup`` that says so. It is told as it is, and asked again for the next order; only what it did answer is remembered.
"""

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import httpx
import msgspec

from backend.domain.geocoding import Lookup
from backend.places.likeness import MOST, Found, judged

log = logging.getLogger(__name__)
for _library in ("httpx", "httpcore"):  # they would log each request's address, and with it the recipient's
    logging.getLogger(_library).setLevel(logging.WARNING)

PATIENCE_S = 10.0  # for one address, waiting for its turn included
CONNECT_S = 4.0
AT_ONCE = 4  # requests on their way; one alone where there is a pace to keep
WAITING = 100  # addresses under way and waiting, before more are turned away
LONGEST_ANSWER = 1024 * 1024
REMEMBERED = 5_000  # addresses
FOUND_S = 24 * 3600.0
NOTHING_S = 600.0  # maps grow
LONGEST_PAUSE_S = 300.0
_USUAL_PAUSE_S = 5.0
_ASK_S = 0.05  # between two looks at whether the place is free

Place = Callable[[], AbstractAsyncContextManager[bool]]
"""Entered, it says whether it was free; one has it at a time."""


class Dialect(NamedTuple):
    """One kind of geocoder: its path, what to ask for an address and at most so many results, and reading its answer.

    ``results`` raises ``msgspec.MsgspecError`` or ``ValueError`` where a body is not what such a server answers.
    """

    path: str
    question: Callable[[str, int], Mapping[str, str]]
    results: Callable[[bytes], Sequence[Found]]


class Asking:
    """A geocoder at ``url``, whose query goes along with each request.

    ``pace_s`` seconds lie between two requests, also of all processes that share the ``place``, which one of them has
    at a time. ``operator`` is the address of who asks, for whoever runs the server.
    """

    def __init__(
        self,
        dialect: Dialect,
        url: str,
        *,
        pace_s: float = 0.0,
        place: Place | None = None,
        patience_s: float = PATIENCE_S,
        operator: str = "",
    ) -> None:
        parts = urlsplit(url)
        self._dialect = dialect
        self._address = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") + dialect.path, "", ""))
        self._always = parse_qsl(parts.query)
        self._pace_s, self._patience_s = pace_s, patience_s
        self._client = _client(operator)
        self._turns = asyncio.Semaphore(1 if pace_s else AT_ONCE)
        self._under_way: dict[str, asyncio.Task[Lookup]] = {}
        self._known: dict[str, tuple[float, Lookup]] = {}  # until when; the longest unused first
        self._place = place
        self._holding: set[asyncio.Task[None]] = set()
        self._next_at = 0.0
        self._paused_until = 0.0

    async def find(self, address: str) -> Lookup:
        """What the server says of this address; an address that is being asked for already is not asked for again."""
        key = " ".join(address.casefold().split())
        if known := self._remembered(key):
            return known
        task = self._under_way.get(key)
        if task is None:
            if len(self._under_way) >= WAITING:
                return Lookup(trouble="too many addresses are waiting for it")
            task = self._under_way[key] = asyncio.create_task(self._ask(address))
            task.add_done_callback(lambda done: self._ended(key, done))
        return await asyncio.shield(task)  # who asked may go away; the others still want to know

    async def close(self) -> None:
        running: set[asyncio.Task[Any]] = {*self._under_way.values(), *self._holding}
        while running:  # asked again where one goes on: what it waits for may lose that it was cancelled
            for task in running:
                task.cancel()
            _, running = await asyncio.wait(running, timeout=0.5)
        await self._client.aclose()

    def _remembered(self, key: str) -> Lookup | None:
        if key not in self._known:
            return None
        until, lookup = self._known.pop(key)
        if until < time.monotonic():
            return None
        self._known[key] = until, lookup
        return lookup

    def _ended(self, key: str, task: "asyncio.Task[Lookup]") -> None:
        del self._under_way[key]
        if task.cancelled() or task.exception() or (lookup := task.result()).trouble:
            return
        self._known[key] = time.monotonic() + (FOUND_S if lookup.matches else NOTHING_S), lookup
        if len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]

    async def _ask(self, address: str) -> Lookup:
        try:
            async with asyncio.timeout(self._patience_s), self._turns:
                body = await self._fetch({**dict(self._always), **self._dialect.question(address, MOST)})
            return judged(address, self._dialect.results(body))
        except TimeoutError:
            trouble = f"it did not answer within {self._patience_s:g} s"
        except _Trouble as error:
            trouble = str(error)
        except httpx.HTTPError as error:
            trouble = f"it cannot be reached: {type(error).__name__}"
        except (msgspec.MsgspecError, ValueError, RecursionError):
            trouble = "what it answered is not understood"
        log.warning("the geocoder was asked in vain: %s", trouble)
        return Lookup(trouble=trouble)

    async def _fetch(self, question: Mapping[str, str]) -> bytes:
        """The body of a good answer. One more try where the connection breaks, which may have been an old one."""
        for last in (False, True):
            await self._turn()
            try:
                return await self._get(question)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                if last:
                    raise
        raise AssertionError("the second try returns or raises")

    async def _turn(self) -> None:
        now = time.monotonic()
        if now < self._paused_until:
            raise _Trouble(f"it asks not to be asked for {self._paused_until - now:.0f} s")
        if self._pace_s:
            await asyncio.sleep(max(0.0, self._next_at - now))
            if self._place is not None:
                await self._hold(self._place)
            self._next_at = time.monotonic() + self._pace_s

    async def _hold(self, place: Place) -> None:
        """Wait for the place, and have it for as long as nobody else may ask."""
        held = AsyncExitStack()
        for pause_s in itertools.chain([0.0], itertools.repeat(_ASK_S)):
            await asyncio.sleep(pause_s)
            async with AsyncExitStack() as stack:
                if await stack.enter_async_context(place()):
                    held = stack.pop_all()
                    break

        async def give_back() -> None:
            async with held:
                await asyncio.sleep(self._pace_s)

        task = asyncio.create_task(give_back())
        self._holding.add(task)
        task.add_done_callback(self._holding.discard)

    async def _get(self, question: Mapping[str, str]) -> bytes:
        async with self._client.stream("GET", self._address, params=question) as answer:
            if answer.status_code == 429:
                self._paused_until = time.monotonic() + _pause_s(answer.headers.get("retry-after", ""))
                raise _Trouble("it is asked too often")
            if answer.status_code != 200:
                raise _Trouble(f"it answered {answer.status_code}")
            body = bytearray()
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) > LONGEST_ANSWER:
                    raise _Trouble("its answer is endless")
            return bytes(body)


class _Trouble(Exception):
    """Why the server could not be asked."""


def _client(operator: str) -> httpx.AsyncClient:
    """Follows no redirects: addresses go to the server that was named and to nobody else. Nothing is compressed, so
    that an answer cannot be larger than it looks. Public servers want to know who asks."""
    agent = f"Codriver (+{operator})" if operator else "Codriver"
    headers = {"User-Agent": agent, "Accept": "application/json", "Accept-Encoding": "identity"}
    return httpx.AsyncClient(headers=headers, timeout=httpx.Timeout(PATIENCE_S, connect=CONNECT_S))


def _pause_s(retry_after: str) -> float:
    return min(float(retry_after), LONGEST_PAUSE_S) if retry_after.isdecimal() else _USUAL_PAUSE_S
