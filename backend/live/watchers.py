"""A watcher is one socket, a subscription one request of it, a feed all subscriptions that ask for the same."""

import time
from collections.abc import Iterable, Set
from typing import Protocol

import msgspec
from msgspec import Raw

from backend.live import frames
from backend.live.board import Fleet
from backend.live.boxes import Box, contains
from backend.live.frames import Frame

MAX_HZ = 10.0
SNAPSHOT_S = 1.0  # how long an encoded snapshot is reused: after a restart all watchers come at once
SAME_S = 0.05  # how long the whole frame is reused, although it holds the time


class Outlet(Protocol):
    """The output of one socket. No function waits or raises."""

    def full(self) -> bool:
        """Whether the buffer is full, so that nothing can be written now."""
        ...

    def try_write(self, frame: Frame) -> bool:
        """False, and nothing written, where it is full."""
        ...

    def close(self, code: int, reason: str) -> None: ...


class Wish(msgspec.Struct, frozen=True):
    """What a subscription asks for. ``drivers``: external ids, None for all; ``max_hz``: positions frames a second."""

    id: str
    drivers: frozenset[str] | None = None
    box: Box | None = None
    max_hz: float = 2.0

    @property
    def kind(self) -> "Wish":
        """The same without the id: frames for all who ask for the same are encoded once, whatever ids they use."""
        return msgspec.structs.replace(self, id="")


class Watcher:
    """One socket on the map."""

    __slots__ = (
        "account_id",
        "blocked_at",
        "closed",
        "credential",
        "outlet",
        "subscriptions",
        "wrote_at",
        "wrote_bytes",
    )

    def __init__(self, outlet: Outlet, account_id: str, credential: str) -> None:
        self.outlet = outlet
        self.account_id = account_id
        self.credential = credential
        self.subscriptions: dict[str, Subscription] = {}
        self.wrote_at = time.monotonic()
        self.wrote_bytes = 0  # the last frame's
        self.blocked_at: float | None = None  # since when nothing could be written
        self.closed = False

    def full(self) -> bool:
        if self.closed or not self.outlet.full():
            return self.closed
        self.blocked_at = self.blocked_at or time.monotonic()
        return True

    def write(self, frame: Frame) -> bool:
        if self.closed:
            return False
        if self.outlet.try_write(frame):
            self.wrote_at, self.wrote_bytes, self.blocked_at = time.monotonic(), frame.size, None
            return True
        self.blocked_at = self.blocked_at or time.monotonic()
        return False

    def close(self, code: int, reason: str) -> None:
        if not self.closed:
            self.closed = True
            self.outlet.close(code, reason)


class Subscription:
    """One subscription of a watcher, and its progress. ``id`` is the watcher's name for it."""

    __slots__ = ("cursor", "dates", "events", "feed", "id", "missed", "ready", "watcher")

    def __init__(self, watcher: Watcher, id_: str, feed: "Feed", events: bool) -> None:
        self.watcher = watcher
        self.id = id_
        self.feed = feed
        self.events = events
        self.ready = False  # the snapshot was written
        self.missed: set[str] | None = None  # drivers that moved while it could not be written to
        self.dates: set[str] = set()  # plans that changed and were not told yet
        self.cursor = 0  # sequence of the last event that was written

    def wants_driver(self, driver_id: str | None) -> bool:
        return driver_id is None or self.feed.listed is None or driver_id in self.feed.listed


class Feed:
    """All subscriptions that ask for the same: what changed since the last frame, encoded once for all of them."""

    __slots__ = (
        "_greeting",
        "_roll",
        "_since",
        "_snapshot",
        "_snapshot_at",
        "behind",
        "changed",
        "fleet",
        "inside",
        "kind",
        "listed",
        "members",
        "next_at",
    )

    def __init__(self, kind: Wish, fleet: Fleet) -> None:
        self.kind = kind
        self.fleet = fleet
        self.members: set[Subscription] = set()
        self.behind: set[Subscription] = set()  # members that missed something
        self.changed: set[str] = set()
        self.next_at = 0.0
        self.inside: set[str] | None = None if kind.box is None else set()  # all who are in the box, listed or not
        self.listed: frozenset[str] | None = None  # driver ids, where the wish lists drivers
        self._roll: object = None
        self._snapshot: Raw | None = None  # the drivers of the last one, of this roll
        self._snapshot_at = 0.0
        self._since: set[str] = set()  # drivers that moved since it was encoded
        self._greeting: tuple[str, float, Frame] | None = None  # the last frame with it, for whom, and when it was made
        self.follow_roll()
        if kind.box is not None:
            places = fleet.positions.items()
            self.inside = {each for each, at in places if contains(kind.box, at.latitude, at.longitude)}

    def follow_roll(self) -> None:
        """Find the listed drivers again where the roll is another than last time; an external id may change hands."""
        roll = self.fleet.roll
        if roll is self._roll:
            return
        self._roll = roll
        self._forget_snapshot()
        if (wanted := self.kind.drivers) is not None:
            cards = roll.cards.values() if roll else ()
            self.listed = frozenset(c.driver_id for c in cards if c.external_id in wanted or c.driver_id in wanted)

    def note(self, driver_ids: Set[str]) -> None:
        """These moved."""
        self.changed |= driver_ids
        if self._snapshot is None:
            return
        if time.monotonic() - self._snapshot_at < SNAPSHOT_S:
            self._since |= driver_ids
        else:
            self._forget_snapshot()

    def place(self, driver_id: str, inside: bool) -> bool:
        """A driver moved, who is in the box now or was until now; False where nobody asked for this one."""
        assert self.inside is not None
        (self.inside.add if inside else self.inside.discard)(driver_id)
        if self.listed is not None and driver_id not in self.listed:
            return False
        self.note({driver_id})
        return True

    def snapshot(self, id_: str, now_s: float, clock_speed: float) -> tuple[Frame, set[str]]:
        """A snapshot, and who moved since it was encoded: it may be a moment old."""
        self.follow_roll()
        now = time.monotonic()
        if self._snapshot is None or now - self._snapshot_at >= SNAPSHOT_S:
            self._forget_snapshot()
            self._snapshot, self._snapshot_at = frames.shown(self.fleet, self._shown()), now
        if self._greeting is None or self._greeting[0] != id_ or now - self._greeting[1] >= SAME_S:
            self._greeting = (id_, now, frames.snapshot(id_, self._snapshot, now_s, clock_speed))
        return self._greeting[2], set(self._since)

    def moves(self, driver_ids: Iterable[str]) -> Raw:
        """What is told of these drivers, for a frame to each who asks."""
        return frames.moved(self.fleet, driver_ids, self.inside)

    def _shown(self) -> list[str]:
        """The drivers of a snapshot."""
        cards = self.fleet.roll.cards if self.fleet.roll else {}
        if self.inside is not None:
            return [each for each in self.inside if each in cards and (self.listed is None or each in self.listed)]
        return [each for each in cards if self.listed is None or each in self.listed]

    def _forget_snapshot(self) -> None:
        self._snapshot, self._since, self._greeting = None, set(), None

    def leave(self, subscription: Subscription) -> None:
        self.members.discard(subscription)
        self.behind.discard(subscription)

    def miss(self, subscription: Subscription, driver_ids: Set[str]) -> None:
        if subscription.missed is None:
            subscription.missed = set(driver_ids)
        else:
            subscription.missed |= driver_ids
        self.behind.add(subscription)
