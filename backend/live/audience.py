"""The subscriptions of one account: its feeds, and the last events of the log for those who subscribe to events."""

import time
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence

import msgspec

from backend.live import frames
from backend.live.board import Fleet, Roll
from backend.live.boxes import Boxes
from backend.live.frames import Frame
from backend.live.watchers import Feed, Subscription, Watcher, Wish

TAIL = 1000  # events kept in memory for readers that are nearly up to date; the log has all of them
SHARED_IDS = 16  # subscription ids for which an event's encoded frame is kept
_NOWHERE: frozenset[Feed] = frozenset()


class Entry:
    """One event of the log: ``body`` is its JSON."""

    __slots__ = ("_frames", "body", "driver_id", "sequence")

    def __init__(self, sequence: int, driver_id: str | None, body: bytes) -> None:
        self.sequence = sequence
        self.driver_id = driver_id
        self.body = body
        self._frames: dict[str, Frame] = {}

    def frame(self, id_: str) -> Frame:
        known = self._frames.get(id_)
        if known is None:
            known = frames.event(id_, self.body)
            if len(self._frames) < SHARED_IDS:
                self._frames[id_] = known
        return known


class Page(msgspec.Struct, frozen=True):
    """A part of the log in order of arrival: its events, and the sequence number up to which it was read."""

    entries: Sequence[Entry]
    upto: int
    more: bool = False


class Audience:
    """All subscriptions of one account. Nothing in here waits."""

    def __init__(self, account_id: str, fleet: Fleet) -> None:
        self.account_id = account_id
        self.fleet = fleet
        self.changed: set[str] = set()  # drivers that moved since the feeds were told
        self.ghosts: set[str] = set()  # drivers that moved and are not on the roll, though it was read again
        self.watchers: set[Watcher] = set()
        self.readers: set[Subscription] = set()  # those who want events
        self.lagging: set[Subscription] = set()  # readers that could not be written all they are due
        self.plans: dict[str, set[tuple[str, int]]] = {}  # by date the routes' versions, where they were read
        self.told_at: float | None = None  # since when there may be more in the log than was read
        self._told = False  # and nobody is reading it yet
        self.pumping = False
        self._feeds: dict[Wish, Feed] = {}  # by kind
        self._open: set[Feed] = set()  # feeds without a box
        self._boxes: Boxes[Feed] = Boxes()
        self._within: dict[str, set[Feed]] = {}  # driver → the boxed feeds that have the driver inside
        self._roll: Roll | None = None  # which the feeds follow
        self.head = 0  # the log was read up to here
        self._tail: deque[Entry] = deque()
        self._tail_after = 0  # the tail holds every event after this sequence, up to the head

    @property
    def told(self) -> bool:
        """There may be more in the log than was read."""
        return self._told

    @told.setter
    def told(self, told: bool) -> None:
        self._told = told
        if told and self.told_at is None:
            self.told_at = time.monotonic()

    # Subscriptions

    def join(self, watcher: Watcher, wish: Wish, events: bool) -> Subscription:
        """Register. From now on nothing is lost to the subscription; it is written to once it is ``ready``."""
        kind = wish.kind
        feed = self._feeds.get(kind)
        if feed is None:
            feed = self._feeds[kind] = Feed(kind, self.fleet)
            if kind.box is None:
                self._open.add(feed)
            else:
                self._boxes.add(feed, kind.box)
                for driver_id in feed.inside or ():
                    self._within.setdefault(driver_id, set()).add(feed)
        subscription = Subscription(watcher, wish.id, feed, events)
        feed.members.add(subscription)
        watcher.subscriptions[wish.id] = subscription
        self.watchers.add(watcher)
        return subscription

    def read_from(self, subscription: Subscription, sequence: int, head: int) -> None:
        """Give the subscription all events after this one. ``head`` is how far the log is known to reach: where nobody
        reads yet, it is followed from there, and who is behind that is helped on."""
        if not self.readers:
            self.head = self._tail_after = head
            self._tail.clear()
        subscription.cursor = sequence
        self.readers.add(subscription)
        self.told = True

    def leave(self, subscription: Subscription) -> None:
        feed = subscription.feed
        subscription.watcher.subscriptions.pop(subscription.id, None)
        feed.leave(subscription)
        self.readers.discard(subscription)
        self.lagging.discard(subscription)
        if not feed.members:
            del self._feeds[feed.kind]
            self._open.discard(feed)
            if feed.kind.box is not None:
                self._boxes.remove(feed, feed.kind.box)
                for driver_id in feed.inside or ():
                    self._no_longer_within(feed, driver_id)

    # Positions

    def spread(self, most: int | None = None) -> tuple[set[Feed], set[str]]:
        """Tell the feeds who moved, of ``most`` drivers or of all: the feeds that have something to send now, and those
        who moved but nobody knows."""
        if most is None or len(self.changed) <= most:
            changed, self.changed = self.changed, set()
        else:
            changed = {self.changed.pop() for _ in range(most)}
        try:
            return self._spread(changed)
        except Exception:
            self.changed |= changed
            raise

    def _spread(self, changed: set[str]) -> tuple[set[Feed], set[str]]:
        cards = self.fleet.roll.cards if self.fleet.roll else {}
        known = changed & cards.keys()
        due = set()
        if self._roll is not self.fleet.roll:
            self._roll = self.fleet.roll
            for feed in self._feeds.values():
                feed.follow_roll()
        for feed in self._open:
            mine = known if feed.listed is None else known & feed.listed
            if mine:
                feed.note(mine)
                due.add(feed)
        if self._boxes:
            for driver_id in known:
                self._spread_in_boxes(driver_id, due)
        return due, changed - known - self.ghosts

    def _spread_in_boxes(self, driver_id: str, due: set[Feed]) -> None:
        """Adds to ``due`` the feeds in whose box the driver is now, or was until now."""
        position = self.fleet.positions[driver_id]
        within = self._within.get(driver_id, _NOWHERE)
        around = self._boxes.around(position.latitude, position.longitude)
        if not around and not within:
            return
        due.update(feed for feed in within - around if feed.place(driver_id, inside=False))
        due.update(feed for feed in around if feed.place(driver_id, inside=True))
        if around:
            self._within[driver_id] = around
        else:
            self._within.pop(driver_id, None)

    def _no_longer_within(self, feed: Feed, driver_id: str) -> None:
        within = self._within[driver_id]
        within.discard(feed)
        if not within:
            del self._within[driver_id]

    # Events

    def learn(self, page: Page) -> None:
        """What was read from the log after the head."""
        self._tail.extend(page.entries)
        self.head = max(self.head, page.upto)
        while len(self._tail) > TAIL:
            self._tail_after = self._tail.popleft().sequence

    def at_hand(self, cursor: int) -> list[Entry] | None:
        """The events after ``cursor``; None where the log has to be asked."""
        if cursor < self._tail_after:
            return None
        if not self._tail or cursor >= self._tail[-1].sequence:
            return []
        if cursor < self._tail[0].sequence:
            return list(self._tail)
        start = bisect_right(self._tail, cursor, key=lambda entry: entry.sequence)
        return [self._tail[index] for index in range(start, len(self._tail))]

    def hand_out(self, subscription: Subscription, entries: Iterable[Entry], upto: int) -> bool:
        """Write a reader what it is due; False where the socket took only a part."""
        id_ = subscription.id
        for entry in entries:
            if entry.sequence <= subscription.cursor:
                continue
            if subscription.wants_driver(entry.driver_id) and not subscription.watcher.write(entry.frame(id_)):
                self.lagging.add(subscription)
                return False
            subscription.cursor = entry.sequence
        subscription.cursor = max(subscription.cursor, upto)
        return True

    def tell_plan(self, date: str) -> None:
        for subscription in self.readers:
            subscription.dates.add(date)
        self.lagging |= self.readers

    def hand_out_plans(self, subscription: Subscription) -> bool:
        for date in sorted(subscription.dates):
            if not subscription.watcher.write(frames.plan(subscription.id, date)):
                return False
            subscription.dates.discard(date)
        return True
