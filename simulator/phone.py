"""A driver's phone: runs a day on simulated time against the wire, with an outbox that survives lost signal and
restarts.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from random import Random
from time import monotonic

from simulator.clock import SimClock
from simulator.histogram import Measures
from simulator.steps import Expect, Look, Restart, Send, Signal, Step, Wait
from simulator.transport import Transport, Turned, Unreachable
from simulator.truth import FINISHED, Diary, Truth
from simulator.wire import Attachment, Message, Positions, Route

AT_ONCE = 4
"""Messages of one phone on their way at the same time."""
FIRST_RETRY_S = 0.2
SLOWEST_RETRY_S = 5.0


class Phone:
    """One phone. ``live()`` runs its day to the end and until the outbox is empty; ``stop()`` ends the day early,
    not the delivery. An app that ``asks`` asks for the route at each stop, another one once its route is ``stale``.
    ``rng`` spreads what is tried again, nothing else: what is sent does not hang on it. ``whole`` is a day that came to
    its end.
    """

    def __init__(
        self,
        diary: Diary,
        truth: Truth,
        transport: Transport,
        clock: SimClock,
        rng: Random,
        noticed: Callable[[str, Message], None] = lambda _driver, _message: None,
        measures: Measures | None = None,
    ) -> None:
        self.diary, self._truth = diary, truth
        self._transport, self._clock = transport, clock
        self._rng, self._noticed = rng, noticed
        self._outbox: deque[Send] = deque()
        self._flying: dict[asyncio.Task[None], Send] = {}
        self._lost: dict[int, int] = {}
        self._signal = asyncio.Event()
        self._signal.set()
        self._talking = 0
        self._alone = asyncio.Lock()
        self._failed, self._after_s = False, 0.0
        self._app = True
        self._back = 0.0
        self._walking: asyncio.Task[None] | None = None
        self._away: asyncio.Task[None] | None = None
        self._home: asyncio.Future[None] | None = None
        self._over = self._stopped = self.whole = False
        self.measures = measures or Measures()
        self.asks = self.stale = False
        self._frozen = truth.last_at
        self.reached = clock.start
        self.turned: str | None = None

    @property
    def queued(self) -> int:
        """How many messages are not acknowledged yet."""
        return len(self._outbox) + len(self._flying)

    @property
    def over(self) -> bool:
        """Whether nothing more happens on this day."""
        return self._over

    async def live(self, steps: Iterator[Step]) -> None:
        """Run the day; returns once everything that was done is acknowledged, or the server turned this phone away."""
        if self._stopped:
            return
        self._home = asyncio.get_running_loop().create_future()
        self._walking = asyncio.create_task(self._walk(steps))
        try:
            await self._home
        except asyncio.CancelledError:  # nobody waits any longer
            await self._take_back()
            raise
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
        out: float | None = None
        try:
            for step in steps:
                match step:
                    case Wait(until=t):
                        await self._await(t)
                        out = out if out is not None else max(t, self._clock.now())
                        self.reached = t
                    case Send(message=message):
                        self.diary.done(message)
                        if not self.diary.is_acknowledged(message.n):
                            self.measures.queued += 1
                            self._outbox.append(step)
                            self._move()
                    case Expect():
                        self.diary.expectations.append(step)
                        self.measures.finished += step.status in FINISHED
                    case Look(number=number):
                        await self._look(number)
                    case Signal(up=up):
                        self.measures.injected["signal lost"] += self._signal.is_set() and not up
                        (self._signal.set if up else self._signal.clear)()
                        await self._hang_up()
                        self._move()
                    case Restart(away_s=seconds):
                        self.measures.injected["app killed"] += 1
                        self.measures.injected["app killed with messages waiting"] += bool(self.queued)
                        await self._restart(seconds)
            self.whole = True
        finally:
            self._over = self._app = True
            self.measures.out_s += max(0.0, self.reached - out) / self._clock.speed if out is not None else 0.0
            self._signal.set()
            self._move()

    async def _look(self, number: int) -> None:
        """Ask for the route where it may have changed and there is a network; what is looked at again when a broken run
        goes on, was seen then.
        """
        can, past = self._signal.is_set() and self._app, self.reached <= self._frozen
        if past or not can or not (self.asks or self.stale):
            return
        try:
            route = await self._transport.route(self._truth.run.date)
        except (Unreachable, Turned):
            return
        self.stale = False
        if route is not None and _plan(route) != _plan(self.diary.route()):
            self.measures.injected["route changed"] += 1
            self._truth.rerouted(self.diary, number, route)

    async def _await(self, t: float) -> None:
        """Until a simulated time; how late it then is, is this program's fault, except where it was over already."""
        over = t < self._clock.now()
        await self._clock.until(t)
        if not over:
            self.measures.lateness.add((self._clock.now() - t) / self._clock.speed * 1000)

    def _move(self) -> None:
        """Put on their way what may go; see whether the day is over and that was all."""
        while (
            self._outbox
            and self._app
            and self._signal.is_set()
            and len(self._flying) < AT_ONCE
            and not (self.turned or self._home is None or self._home.done())
        ):
            send = self._outbox.popleft()
            task = asyncio.create_task(self._bring(send))
            self._flying[task] = send
            task.add_done_callback(self._landed)
        done = self._over and not self._outbox and not self._flying
        if (self.turned or done) and self._home is not None and not self._home.done():
            self._home.set_result(None)

    async def _bring(self, send: Send) -> None:
        """Send a message until it is acknowledged. Where that fails, the phone's messages are tried one at a time until
        one is through; files stand in nobody's way.
        """
        file = isinstance(send.message, Attachment)
        try:
            if (self._alone.locked() and not file) or not await self._tried(send):
                async with nullcontext() if file else self._alone:
                    await self._insist(send)
            if send.twice and send.message.n not in self.diary.refusals:  # else it might be taken now, and be there
                await self._again(send.message)
        except Turned as turned:
            self.turned = str(turned) or "turned away"

    async def _insist(self, send: Send) -> None:
        """Try until it is acknowledged: each time later than the last, spread by chance so that a fleet does not
        march.
        """
        pause, through = FIRST_RETRY_S, False
        while not through:
            if self._failed:
                await asyncio.sleep(max(self._after_s, pause * self._rng.uniform(0.5, 1.0)))
                pause = min(SLOWEST_RETRY_S, pause * 2)
            through = await self._tried(send)

    async def _tried(self, send: Send) -> bool:
        """Whether a message came through, and was acknowledged."""
        message = send.message
        while True:
            if not self._signal.is_set():
                await self._signal.wait()
            if not self.diary.is_sent(message.n):
                self._truth.sent(self.diary, message, self.reached)
            self._noticed(self.diary.phone.driver_id, message)
            begun = monotonic()
            try:
                refused = await self._ask(message)
            except Unreachable as unreachable:
                self.measures.retries += 1
                self._failed, self._after_s = True, unreachable.after_s
                return False
            self._failed = False
            self.measures.acknowledged.add((monotonic() - begun) * 1000)
            if self._lost.get(message.n, 0) >= send.lost:
                self._acknowledged(message, refused)
                return True
            self._lost[message.n] = self._lost.get(message.n, 0) + 1
            self.measures.injected["answer lost"] += 1

    def _acknowledged(self, message: Message, refused: dict[int, str]) -> None:
        self.measures.queued -= 1
        self._truth.acknowledge(self.diary, message, refused)
        if isinstance(message, Positions):
            self.measures.stored(len(message.positions))

    async def _again(self, message: Message) -> None:
        """Send what was acknowledged once more, as an app does that was killed before it could note the answer."""
        self.measures.injected["sent twice"] += 1
        await self._signal.wait()
        try:
            await self._ask(message)
        except (Unreachable, Turned):
            self.measures.retries += 1

    async def _ask(self, message: Message) -> dict[int, str]:
        """Hand in a message over what is open."""
        self._talking += 1
        try:
            return await self._transport.deliver(message)
        finally:
            self._talking -= 1
            await self._hang_up()

    async def _hang_up(self) -> None:
        """Without signal no connection lives on; what was answered meanwhile is heard first, or how often a message is
        sent would hang on the machine.
        """
        if not (self._talking or self._signal.is_set()):
            await self._transport.reset()

    def _landed(self, task: asyncio.Task[None]) -> None:
        send = self._flying.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.turned = f"{type(error).__name__}: {error}"
        if send is not None:
            self._move()

    async def _restart(self, away_s: float) -> None:
        """The app dies with everything on its way, and is back after a while; fixes go on being taken by the
        system's service.
        """
        self._app = False
        await self._take_back()
        await self._transport.reset()
        if (back := self.reached + away_s) > self._back:
            self._back = back
            if self._away is not None:
                self._away.cancel()
            self._away = asyncio.create_task(self._come_back(back))

    async def _take_back(self) -> None:
        """What is on its way is in the outbox again, where it is not acknowledged."""
        flying, self._flying = self._flying, {}
        for task in flying:
            task.cancel()
        unanswered = [send for send in flying.values() if not self.diary.is_acknowledged(send.message.n)]
        self._outbox.extendleft(reversed(unanswered))
        await asyncio.gather(*flying, return_exceptions=True)

    async def _come_back(self, at: float) -> None:
        await self._clock.until(at)
        self._app = True
        self._move()


def _plan(route: Route | None) -> list[tuple[str, str | None, bool]]:
    """What of a route a driver goes by: the stops in their order, and whether one is cancelled."""
    return [(stop.type, stop.orderId, stop.status == "cancelled") for stop in route.stops] if route else []
