"""A driver's phone: runs a day on simulated time against the wire, with an outbox that survives lost signal and
restarts.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from random import Random
from time import monotonic

from simulator.clock import SimClock
from simulator.histogram import Measures
from simulator.scenario import Network
from simulator.steps import Expect, Restart, Send, Signal, Step, Wait
from simulator.transport import Transport, Turned, Unreachable
from simulator.truth import Diary, Truth
from simulator.wire import Message, Positions

AT_ONCE = 4
"""Messages of one phone on their way at the same time."""
FIRST_RETRY_S = 0.2
SLOWEST_RETRY_S = 5.0


class Phone:
    """One phone. ``live()`` runs its day to the end and until the outbox is empty; ``stop()`` ends the day early,
    not the delivery.
    """

    def __init__(
        self,
        diary: Diary,
        truth: Truth,
        transport: Transport,
        clock: SimClock,
        network: Network,
        rng: Random,
        noticed: Callable[[str, Message], None] = lambda _driver, _message: None,
        measures: Measures | None = None,
    ) -> None:
        self.diary, self._truth = diary, truth
        self._transport, self._clock = transport, clock
        self._network, self._rng, self._noticed = network, rng, noticed
        self._outbox: deque[Message] = deque()
        self._delays: dict[int, float] = {}
        self._changed = asyncio.Condition()
        self._signal = self._app = True
        self._walking: asyncio.Task[None] | None = None
        self._away: asyncio.Task[None] | None = None
        self._flying: dict[asyncio.Task[None], Message] = {}
        self._over = self._stopped = False
        self.measures = measures or Measures()
        self.reached = clock.start
        self.turned: str | None = None

    @property
    def queued(self) -> int:
        """How many messages are not acknowledged yet."""
        return len(self._outbox) + len(self._flying)

    async def live(self, steps: Iterator[Step]) -> None:
        """Run the day; returns once everything that was done is acknowledged, or the server turned this phone away."""
        if self._stopped:
            return
        self._walking = asyncio.create_task(self._walk(steps))
        try:
            await self._deliver()
        finally:
            self._walking.cancel()
            await asyncio.gather(self._walking, *self._flying, *filter(None, [self._away]), return_exceptions=True)
            await self._transport.reset()
        if not self._walking.cancelled() and (error := self._walking.exception()) is not None:
            raise error

    def stop(self) -> None:
        """Nothing more happens on this day; what is in the outbox is still delivered."""
        self._stopped = True
        if self._walking is not None:
            self._walking.cancel()

    async def _walk(self, steps: Iterator[Step]) -> None:
        """Let the day happen, step by step, as simulated time passes."""
        try:
            for step in steps:
                match step:
                    case Wait(until=t):
                        await self._await(t)
                        self.reached = t
                    case Send(message=message, delay_s=delay):
                        self.diary.messages[message.n] = message
                        if message.n not in self.diary.acknowledged:
                            self._delays[message.n] = delay
                            self._outbox.append(message)
                            await self._tell()
                    case Expect(order_id=order, status=status, action_id=action):
                        self.diary.expectations.append((order, status, action))
                    case Signal(up=up):
                        self.measures.injected["signal lost"] += self._signal and not up
                        self._signal = up
                        await self._tell()
                    case Restart(away_s=seconds):
                        self.measures.injected["app killed"] += 1
                        await self._restart(seconds)
        finally:
            self._over = self._signal = self._app = True
            await asyncio.shield(self._tell())

    async def _await(self, t: float) -> None:
        """Until a simulated time; how late it then is, is this program's fault, except where it was over already."""
        over = t < self._clock.now()
        await self._clock.until(t)
        if not over:
            self.measures.lateness.add((self._clock.now() - t) / self._clock.speed * 1000)

    async def _deliver(self) -> None:
        """Keep messages on their way while there is a network and an app, until the day is over and all are
        acknowledged.
        """
        while True:
            async with self._changed:
                await self._changed.wait_for(self._may_move)
            if self.turned or (self._over and not self._outbox and not self._flying):
                return
            message = self._take()
            task = asyncio.create_task(self._bring(message))
            self._flying[task] = message
            task.add_done_callback(self._landed)

    def _may_move(self) -> bool:
        if self.turned or (self._over and not self._outbox and not self._flying):
            return True
        return bool(self._outbox) and self._signal and self._app and len(self._flying) < AT_ONCE

    def _take(self) -> Message:
        """The next message, or by chance one that overtakes it."""
        if len(self._outbox) > 1 and self._rng.random() < self._network.reordering:
            index = self._rng.randrange(1, min(8, len(self._outbox)))
            message = self._outbox[index]
            del self._outbox[index]
            self.measures.injected["overtaken"] += 1
            return message
        return self._outbox.popleft()

    async def _bring(self, message: Message) -> None:
        """Send a message until it is acknowledged: each try later than the last, spread by chance so that a fleet
        does not march. What a slow network does to it comes before the first try.
        """
        pause = FIRST_RETRY_S
        if delay := self._delays.pop(message.n, 0.0):
            await self._clock.until(self._clock.now() + delay)
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._signal)
            self._truth.sent(self.diary, message, self._clock.now())
            self._noticed(self.diary.phone.driver_id, message)
            begun = monotonic()
            try:
                refused = await self._transport.deliver(message)
            except Unreachable as unreachable:
                self.measures.retries += 1
                await asyncio.sleep(max(unreachable.after_s, pause * self._rng.uniform(0.5, 1.0)))
                pause = min(SLOWEST_RETRY_S, pause * 2)
                continue
            except Turned as turned:
                self.turned = str(turned) or "turned away"
                return
            self.measures.acknowledged.add((monotonic() - begun) * 1000)
            if self._rng.random() < self._network.lost_answers:
                self.measures.injected["answer lost"] += 1
                continue
            self._truth.acknowledge(self.diary, message, refused)
            if isinstance(message, Positions):
                self.measures.stored(len(message.positions))
            if self._rng.random() < self._network.duplicates:
                await self._again(message)
            return

    async def _again(self, message: Message) -> None:
        """Send what was acknowledged once more, as an app does that was killed before it could note the answer."""
        self.measures.injected["sent twice"] += 1
        try:
            await self._transport.deliver(message)
        except (Unreachable, Turned):
            self.measures.retries += 1

    def _landed(self, task: asyncio.Task[None]) -> None:
        message = self._flying.pop(task)
        if task.cancelled() and message.n not in self.diary.acknowledged:
            self._outbox.appendleft(message)
        elif not task.cancelled() and (error := task.exception()) is not None:
            self.turned = f"{type(error).__name__}: {error}"
        self._tells = asyncio.create_task(self._tell())

    async def _restart(self, away_s: float) -> None:
        """The app dies with everything on its way, and is back after a while; fixes go on being taken by the
        system's service.
        """
        self._app = False
        flying = list(self._flying)
        for task in flying:
            task.cancel()
        await asyncio.gather(*flying, return_exceptions=True)
        await self._transport.reset()
        self._away = asyncio.create_task(self._come_back(away_s))

    async def _come_back(self, away_s: float) -> None:
        await self._clock.until(self._clock.now() + away_s)
        self._app = True
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
