"""Who watches: a watcher is one socket, a subscription one wish of it, a feed all subscriptions with the same wish."""

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
SNAPSHOT_S = 1.0  # how long an encoded snapshot is shared by those who come: after a restart they all come at once


class Outlet(Protocol):
    """The way out to one socket. No function waits or raises."""

    def full(self) -> bool:
        """What was written before is still on its way, and nothing more is taken."""
        ...

    def try_write(self, frame: Frame) -> bool:
        """False, and nothing written, where it is full."""
        ...

    def close(self, code: int, reason: str) -> None: ...


class Wish(msgspec.Struct, frozen=True):
    """What one subscription asks for. ``drivers`` external ids, None for all; ``max_hz`` positions frames a second."""

    id: str
    drivers: frozenset[str] | None = None
    box: Box | None = None
    max_hz: float = 2.0


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
            self.wrote_at, self.wrote_bytes, self.blocked_at = time.monotonic(), len(frame.wire), None
            return True
        self.blocked_at = self.blocked_at or time.monotonic()
        return False

    def close(self, code: int, reason: str) -> None:
        if not self.closed:
            self.closed = True
            self.outlet.close(code, reason)


class Subscription:
    """One wish of one watcher, and how far it has come."""

    __slots__ = ("cursor", "dates", "events", "feed", "missed", "ready", "watcher")

    def __init__(self, watcher: Watcher, feed: "Feed", events: bool) -> None:
        self.watcher = watcher
        self.feed = feed
        self.events = events
        self.ready = False  # the snapshot was written
        self.missed: set[str] | None = None  # drivers that moved while it could not be written to
        self.dates: set[str] = set()  # plans that changed and were not told yet
        self.cursor = 0  # sequence of the last event that was written

    def wants_driver(self, driver_id: str | None) -> bool:
        return driver_id is None or self.feed.listed is None or driver_id in self.feed.listed


class Feed:
    """One wish, shared by all who have it: what changed since the last frame, encoded once for everybody."""

    __slots__ = (
        "_roll",
        "_since",
        "_snapshot",
        "_snapshot_at",
        "behind",
        "changed",
        "fleet",
        "inside",
        "listed",
        "members",
        "next_at",
        "wish",
    )

    def __init__(self, wish: Wish, fleet: Fleet) -> None:
        self.wish = wish
        self.fleet = fleet
        self.members: set[Subscription] = set()
        self.behind: set[Subscription] = set()  # members that missed something
        self.changed: set[str] = set()
        self.next_at = 0.0
        self.inside: set[str] | None = None if wish.box is None else set()
        self.listed: frozenset[str] | None = None  # driver ids, where the wish lists drivers
        self._roll: object = None
        self._snapshot: Raw | None = None  # the drivers of the last one, of this roll
        self._snapshot_at = 0.0
        self._since: set[str] = set()  # drivers that moved since it was encoded
        self.follow_roll()
        if self.inside is not None:
            for driver_id in fleet.positions:
                self.place(driver_id)

    def follow_roll(self) -> None:
        """Find the listed drivers again where the roll is another than last time; an external id may change hands."""
        roll = self.fleet.roll
        if roll is self._roll:
            return
        self._roll, self._snapshot = roll, None
        if (wanted := self.wish.drivers) is not None:
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
            self._snapshot, self._since = None, set()

    def place(self, driver_id: str) -> None:
        """A driver moved: note it where it is in the box now, or was until now."""
        assert self.inside is not None and self.wish.box is not None
        if self.listed is not None and driver_id not in self.listed:
            return
        position = self.fleet.positions[driver_id]
        if contains(self.wish.box, position.latitude, position.longitude):
            self.inside.add(driver_id)
            self.note({driver_id})
        elif driver_id in self.inside:
            self.inside.remove(driver_id)
            self.note({driver_id})

    def shown(self) -> list[str]:
        """The drivers of a snapshot."""
        cards = self.fleet.roll.cards if self.fleet.roll else {}
        chosen = cards if self.listed is None else [each for each in cards if each in self.listed]
        return [each for each in chosen if self.inside is None or each in self.inside]

    def snapshot(self, now_s: float, clock_speed: float) -> tuple[Frame, set[str]]:
        """A snapshot, and who moved since it was encoded: it may be a moment old."""
        self.follow_roll()
        if self._snapshot is None or time.monotonic() - self._snapshot_at >= SNAPSHOT_S:
            self._snapshot, self._snapshot_at, self._since = (
                frames.shown(self.fleet, self.shown()),
                time.monotonic(),
                set(),
            )
        return frames.snapshot(self.wish.id, self._snapshot, now_s, clock_speed), set(self._since)

    def frame(self, driver_ids: Iterable[str]) -> Frame:
        return frames.positions(self.wish.id, self.fleet, driver_ids, self.inside)

    def leave(self, subscription: Subscription) -> None:
        self.members.discard(subscription)
        self.behind.discard(subscription)

    def miss(self, subscription: Subscription, driver_ids: set[str]) -> None:
        if subscription.missed is None:
            subscription.missed = set(driver_ids)
        else:
            subscription.missed |= driver_ids
        self.behind.add(subscription)
