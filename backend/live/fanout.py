"""The same hub in several processes, joined by Redis: what is told here is told to the others.

Nobody who tells waits for Redis or fails through it: what is to be told is gathered, conflated, and sent by a task of
its own, one letter after the other. Redis is never the record of anything. Letters may come late, twice, or not at all,
and whoever may have missed one reads the store:

* each process hears its own letters too, at least one in ``BEAT_S``. While it does not, it does not hear the others
  either, and looks in the store every ``LOOK_S`` for all who watch;
* each letter has a number, so that a gap is seen; also a letter that could not be sent leaves one;
* who falls silent without a farewell may be at work and cut off from Redis: the store is looked into for a while, ever
  less often, or once where another process has taken its place;
* a letter that cannot be read, or is of another form, is counted and passed over, and the store is read.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from backend.domain.errors import Refusal
from backend.domain.positions import Position
from backend.live import letters
from backend.live.hub import Hub
from backend.live.letters import Box, Letter
from backend.live.phones import Message
from backend.live.sources import Sources

log = logging.getLogger("codriver.live")

PATIENCE_S = 2.0  # for any one answer of Redis
BEAT_S = 1.0  # a letter at least so often, empty if need be
SILENCE_S = 4.0  # so long without hearing ourselves: the bond is broken, whatever the connection says
PAUSE_S = 0.02  # between two letters, for what else comes meanwhile
SPREAD_S = 0.5  # for a letter to come back to us
ON_ITS_WAY_S = 0.25  # a letter, at most as a rule; a phone's line that is younger than that is not hung up for its sake
AGAIN_S = 0.5  # before Redis is tried again
LOOK_S = 2.5  # between two looks in the store, while the bond is broken
SELDOM_S = 10.0  # the same at most, where others are heard and one is silent for long
DOUBT_S = 15.0  # what was told so long before we last heard ourselves has come
FORGET_S = 300.0  # a process that says nothing for so long is gone

_TROUBLE = (RedisError, OSError, TimeoutError)


def client(url: str, patience_s: float = PATIENCE_S) -> Redis:
    """Refuses an address that is none with ``ERR_SETTING_INVALID``. Nothing is connected yet.

    No silent retries: what was lost meanwhile would not be noticed.
    """
    try:
        return Redis.from_url(
            url,
            protocol=2,
            socket_timeout=patience_s,
            socket_connect_timeout=patience_s,
            retry=Retry(NoBackoff(), 0),
            client_name="codriver",
        )
    except (ValueError, TypeError, RedisError) as error:
        raise Refusal(  # without the address, which may hold a password
            "ERR_SETTING_INVALID",
            "CODRIVER_REDIS_URL is redis://[user:password@]host[:port][/number], rediss://… with TLS, or unix://….",
            "CODRIVER_REDIS_URL",
        ) from error


def prefix(redis: Redis) -> str:
    """How every name of ours begins. Channels know no database numbers: installations that share a Redis take
    different ones, and are parted by their names."""
    return f"codriver:{redis.connection_pool.connection_kwargs.get('db') or 0}"


class Sender(NamedTuple):
    """Another process, as its letters show it: the number of the last, when it came, and when the first did."""

    number: int
    heard_at: float
    since: float


class JoinedHub(Hub):
    """A hub whose verbs reach the watchers of every process. ``mark`` is the installation's, the same in each;
    ``place`` is the process's own, which its successor has again, where one is to be known by it."""

    def __init__(self, url: str, mark: str, place: str = "") -> None:
        super().__init__()
        self._url = url
        self._redis = client(url, PATIENCE_S)
        self._channel = f"{prefix(self._redis)}:live"
        self._mark = mark
        self._box = Box(mark, f"{place or os.getpid()}#{secrets.token_hex(6)}")
        self._heard: dict[str, Sender] = {}
        self._echoed = 0  # the number of the last letter of ours that we heard
        self._echo = asyncio.Event()  # set with the next
        self._echo_at = 0.0  # monotonic: when we last heard ourselves
        self._sound_s = 0.0  # the same by the server's clock
        self._doubt = asyncio.Event()
        self._telling = False
        self.sound = False  # we hear ourselves
        self.whole = False  # and nothing was missed that was not read in the store since
        self._troubled = False  # and it was said
        self.unreadable = 0
        self.missed = 0  # gaps

    def start(self, sources: Sources) -> None:
        super().start(sources)
        self._sound_s = sources.now_s()
        for work in (self._tell(), self._listen(), self._heal()):
            self._tasks.start(work)

    async def close(self) -> None:
        await super().close()
        with contextlib.suppress(*_TROUBLE):
            async with asyncio.timeout(PATIENCE_S):
                while self._box.filled.is_set():
                    await self._redis.publish(self._channel, letters.encode(self._box.take()))
                await self._redis.publish(self._channel, letters.encode(self._box.take(farewell=True)))
        with contextlib.suppress(*_TROUBLE):
            await self._redis.aclose()

    # Told by the verbs: applied here, and told to the others

    def tell_positions(self, account_id: str, driver_id: str, newest: Position) -> None:
        if self._place(account_id, driver_id, newest):
            self._box.position(account_id, driver_id, newest)

    def tell_facts(self, account_id: str, driver_id: str | None = None) -> None:
        super().tell_facts(account_id, driver_id)
        self._box.facts(account_id, driver_id)

    def tell_routes(self, account_id: str, date: str, driver_ids: Iterable[str]) -> None:
        driver_ids = tuple(driver_ids)
        super().tell_routes(account_id, date, driver_ids)
        self._box.routes(account_id, date, driver_ids)

    def tell_fleet(self, account_id: str) -> None:
        super().tell_fleet(account_id)
        self._box.fleet(account_id)

    def tell_message(self, account_id: str, driver_id: str, message: Message) -> None:
        super().tell_message(account_id, driver_id, message)
        self._box.message(account_id, driver_id, message)

    def tell_revoked(self, token_hash: str) -> None:
        super().tell_revoked(token_hash)
        self._box.revoked(token_hash)

    def note(self, topic: str, text: str) -> None:
        super().note(topic, text)
        self._box.note(topic, text)

    async def spread(self) -> None:
        number = self._box.last_number()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SPREAD_S):
                while self.sound and self._echoed < number:
                    await self._echo.wait()

    def _phone_came(self, credential: str, came_at: float) -> None:
        super()._phone_came(credential, came_at)
        self._box.connected(credential, came_at)

    # Heard from the others

    def _apply(self, letter: Letter) -> None:
        for credential in letter.revoked:
            Hub.tell_revoked(self, credential)
        for topic, text in letter.notes:
            Hub.note(self, topic, text)
        now = time.monotonic()
        for credential, ago_s in letter.connected:
            Hub._phone_came(self, credential, now - ago_s - ON_ITS_WAY_S)
        for account_id in letter.fleets:
            Hub.tell_fleet(self, account_id)
        for account_id, driver_id, position in letter.positions:
            self._place(account_id, driver_id, position)
        for account_id, whose in letter.facts:
            Hub.tell_facts(self, account_id, whose)
        for account_id, date, driver_ids in letter.routes:
            Hub.tell_routes(self, account_id, date, driver_ids)
        for account_id, driver_id, message in letter.messages:
            Hub.tell_message(self, account_id, driver_id, message)

    def _hear(self, data: bytes) -> None:
        try:
            letter = letters.decode(data)
        except msgspec.MsgspecError:
            self._cannot_read("it is no letter")
            return
        if letter.form != letters.FORM:
            self._cannot_read(f"its form is {letter.form}, ours {letters.FORM}")
        elif letter.mark != self._mark:
            self._cannot_read("it is of another installation, or one with another CODRIVER_SECRET_KEY")
        elif letter.sender == self._box.sender:
            self._hear_ourselves(letter)
        else:
            self._count(letter)
            self._apply(letter)

    def _hear_ourselves(self, letter: Letter) -> None:
        self._echo_at = time.monotonic()
        self._echoed = letter.number
        self._echo.set()
        self._echo = asyncio.Event()
        self._sound_s = self._running().now_s()
        if not self.sound:
            self.sound, self._troubled = True, False
            self._miss()  # what was told before we heard
            log.info("the other processes are heard")

    def _count(self, letter: Letter) -> None:
        """Was one missed before this one?"""
        now = time.monotonic()
        known = self._heard.get(letter.sender)
        number = known.number if known is not None else 0
        if letter.number != number + 1:
            self.missed += known is not None  # of a sender that is new to us, or was forgotten, nobody can tell
            self._miss()
        self._heard[letter.sender] = Sender(letter.number, now, known.since if known is not None else now)
        if letter.farewell:
            del self._heard[letter.sender]

    def _silent_s(self) -> float | None:
        """For how long the process that fell silent last has said nothing; None where nobody is silent.

        One whose place another process took afterwards has died: what it did not come to tell is read once.
        """
        now = time.monotonic()
        silent: list[float] = []
        for name, sender in tuple(self._heard.items()):
            silent_s = now - sender.heard_at
            if silent_s > SILENCE_S and self._has_successor(name, sender):
                del self._heard[name]
                self._miss()
            elif silent_s >= FORGET_S:
                del self._heard[name]
            elif silent_s > SILENCE_S:
                silent.append(silent_s)
        return min(silent, default=None)

    def _has_successor(self, name: str, sender: Sender) -> bool:
        place = name.rpartition("#")[0]
        return any(
            other.since > sender.heard_at and each.rpartition("#")[0] == place for each, other in self._heard.items()
        )

    def _cannot_read(self, why: str) -> None:
        self.unreadable += 1
        if self.unreadable & (self.unreadable - 1) == 0:  # the first, second, fourth…
            log.warning("a letter from another process cannot be read: %s (%d so far)", why, self.unreadable)
        self._miss()

    def _miss(self) -> None:
        self.whole = False
        self._doubt.set()

    # The tasks

    async def _tell(self) -> None:
        """Letter after letter; one that cannot be sent is lost, and leaves a gap in the numbers."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEAT_S):
                    await self._box.filled.wait()
            try:
                await self._redis.publish(self._channel, letters.encode(self._box.take()))
            except _TROUBLE as error:
                self._trouble(error)
                await asyncio.sleep(AGAIN_S)
            except Exception:
                log.exception("a letter to the other processes could not be sent")
            await asyncio.sleep(PAUSE_S)

    async def _listen(self) -> None:
        while True:
            try:
                await self._hear_all()
            except _TROUBLE as error:
                self._trouble(error)
            except Exception:
                log.exception("what the other processes say could not be heard; trying again")
                self.sound = self.whole = False
            await asyncio.sleep(AGAIN_S)

    async def _hear_all(self) -> None:
        """Over one connection, until it fails or is silent."""
        redis = client(self._url, PATIENCE_S)
        ear = redis.pubsub()
        try:
            await ear.subscribe(self._channel)
            self._echo_at = time.monotonic()
            self._box.filled.set()  # a letter at once, for us to hear
            while time.monotonic() - self._echo_at < SILENCE_S:
                message: Any = await ear.get_message(ignore_subscribe_messages=True, timeout=BEAT_S)
                if message is not None:
                    self._hear(message["data"])
                    await asyncio.sleep(0)  # what has come already is read without waiting
            raise TimeoutError(f"silent for {SILENCE_S} s")
        finally:
            for each in (ear, redis):
                with contextlib.suppress(*_TROUBLE):
                    await each.aclose()

    async def _heal(self) -> None:
        """Read the store where something was missed; while the bond is broken, again and again."""
        while True:
            silent_s = self._silent_s() if self.sound else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(SELDOM_S, max(LOOK_S, (silent_s or 0.0) / 4))):
                    await self._doubt.wait()
            if self.sound and not self._doubt.is_set() and self._silent_s() is None:
                continue
            self._doubt.clear()
            began = time.monotonic()
            try:
                await self.review(self._sound_s - DOUBT_S * self._running().clock_speed)
            except Refusal as refusal:
                log.warning("the store could not be read anew: %s", refusal.code)
                self._miss()
            except Exception:
                log.exception("the store could not be read anew; trying again")
                self._miss()
            else:
                self.whole = self.sound and not self._doubt.is_set()
            took_s = time.monotonic() - began
            await asyncio.sleep(max(AGAIN_S, 3 * took_s))  # however often it is asked for

    def _trouble(self, error: BaseException) -> None:
        if self.sound or not self._troubled:
            self._troubled = True
            log.warning(
                "the other processes are not heard (%s: %s); looking in the store instead", type(error).__name__, error
            )
        self.sound = self.whole = False
