"""Recipients' pages: the sockets that show one order, and the state of the order that they are sent.

A state is sent at most once a second. It is read from the store whenever there are new facts of the order's driver;
while the driver may be shown, each move sends it again with the new position, without reading anything.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Protocol

import msgspec

from backend.domain.errors import Refusal
from backend.domain.positions import Position
from backend.live.board import Board
from backend.live.frames import Frame
from backend.live.watchers import Watcher

log = logging.getLogger("codriver.live")

PERIOD_S = 1.0
TICK_S = 0.1
READ_AGAIN_S = 30.0  # estimates change with time, also where nothing happens


class Parcel(msgspec.Struct, frozen=True):
    """One order, as its recipient may see it. ``driver_id`` delivers it; ``shown``: the driver's position may be seen.

    ``view`` is compared to find out whether anything has changed; ``render`` makes the frame's JSON of the driver's
    position (None where it is unknown or may not be seen) and the time in Unix seconds.
    """

    account_id: str
    driver_id: str | None
    shown: bool
    view: object
    render: Callable[[Position | None, float], bytes]


class Source(Protocol):
    def now_s(self) -> float: ...

    async def parcel(self, tracking: str) -> Parcel | None: ...


class _Window:
    """The sockets that show one order."""

    __slots__ = ("behind", "parcel", "position", "read_at", "stale", "tracking", "view", "watchers", "wrote_at")

    def __init__(self, tracking: str, parcel: Parcel) -> None:
        self.tracking = tracking
        self.parcel = parcel
        self.watchers: set[Watcher] = set()
        self.behind: set[Watcher] = set()
        self.stale = False
        self.read_at = time.monotonic()
        self.view: object = None  # what was written last
        self.position: Position | None = None
        self.wrote_at = 0.0


class Parcels:
    """All orders whose pages are open."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._windows: dict[str, _Window] = {}
        self._of: dict[Watcher, _Window] = {}
        self._by_driver: dict[str, set[_Window]] = {}
        self._by_account: dict[str, set[_Window]] = {}
        self._dirty: set[_Window] = set()
        self._woken = asyncio.Event()

    def driver_moved(self, driver_id: str) -> None:
        for window in self._by_driver.get(driver_id, ()):
            if window.parcel.shown:
                self._touch(window)

    def facts_came(self, account_id: str, driver_id: str | None) -> None:
        """There are new facts of this driver, or, where that is None, of anybody in the account."""
        for window in self._by_account.get(account_id, ()):
            if driver_id is None or window.parcel.driver_id in (driver_id, None):
                window.stale = True
                self._touch(window)

    def looking_at(self, tracking: str) -> int:
        window = self._windows.get(tracking)
        return len(window.watchers) if window else 0

    async def join(self, watcher: Watcher, tracking: str, source: Source) -> bool:
        """Show the order to this watcher; False where the tracking code is unknown."""
        if tracking not in self._windows:
            parcel = await source.parcel(tracking)
            if parcel is None:
                return False
            if tracking not in self._windows:
                window = _Window(tracking, parcel)
                window.stale = True  # what happened while it was read is read again
                window.view, window.position = parcel.view, self._place(window)
                self._windows[tracking] = window
                self._index(window)
                self._touch(window)
        window = self._windows[tracking]
        window.watchers.add(watcher)
        self._of[watcher] = window
        if not watcher.write(self._frame(window, source.now_s())):
            window.behind.add(watcher)
            self._touch(window)
        return True

    def leave(self, watcher: Watcher) -> None:
        window = self._of.pop(watcher, None)
        if window is None:
            return
        window.watchers.discard(watcher)
        window.behind.discard(watcher)
        if not window.watchers:
            del self._windows[window.tracking]
            self._unindex(window)
            self._dirty.discard(window)

    @property
    def accounts(self) -> set[str]:
        """The accounts of these orders."""
        return set(self._by_account)

    def age(self, older_than_s: float = READ_AGAIN_S) -> None:
        """Have orders reread that were read long ago."""
        oldest = time.monotonic() - older_than_s
        for window in self._windows.values():
            if window.read_at < oldest and not window.stale:
                window.stale = True
                self._touch(window)

    async def run(self, source: Source) -> None:
        while True:
            await self._woken.wait()
            now = time.monotonic()
            for window in [each for each in self._dirty if now - each.wrote_at >= PERIOD_S]:
                self._dirty.discard(window)
                try:
                    await self._refresh(window, source)
                except Exception as error:
                    trace = None if isinstance(error, Refusal) else error
                    log.warning(
                        "a recipient's order could not be read, and will be tried again: %s", error, exc_info=trace
                    )
                    window.stale, window.wrote_at = True, time.monotonic()
                    self._touch(window)
            if not self._dirty:
                self._woken.clear()
            await asyncio.sleep(TICK_S)

    async def _refresh(self, window: _Window, source: Source) -> None:
        if window.stale:
            window.stale, window.read_at = False, time.monotonic()
            parcel = await source.parcel(window.tracking)
            if not window.watchers:
                return
            if parcel is None:  # the order was deleted
                for watcher in tuple(window.watchers):
                    watcher.close(4404, "This order no longer exists.")
                return
            self._unindex(window)
            window.parcel = parcel
            self._index(window)
        changed = (window.view, window.position) != (window.parcel.view, self._place(window))
        if not changed and not window.behind:
            return
        window.view, window.position = window.parcel.view, self._place(window)
        frame = self._frame(window, source.now_s())
        behind = {each for each in (window.watchers if changed else window.behind) if not each.write(frame)}
        window.behind = behind
        window.wrote_at = time.monotonic()
        if behind:
            self._touch(window)

    def _frame(self, window: _Window, now_s: float) -> Frame:
        return Frame(window.parcel.render(self._place(window), now_s))

    def _place(self, window: _Window) -> Position | None:
        parcel = window.parcel
        if not parcel.shown or parcel.driver_id is None:
            return None
        return self._board.position(parcel.account_id, parcel.driver_id)

    def _touch(self, window: _Window) -> None:
        self._dirty.add(window)
        self._woken.set()

    def _index(self, window: _Window) -> None:
        self._by_account.setdefault(window.parcel.account_id, set()).add(window)
        if window.parcel.driver_id:
            self._by_driver.setdefault(window.parcel.driver_id, set()).add(window)

    def _unindex(self, window: _Window) -> None:
        for index, key in ((self._by_account, window.parcel.account_id), (self._by_driver, window.parcel.driver_id)):
            held = index.get(key or "")
            if held is not None:
                held.discard(window)
                if not held:
                    del index[key or ""]
