"""What the office changed while the fleet drove: each change as it was asked for, and as it was answered.

Who is killed between the two does not know whether it was made: then it counts as either, for the orders that it was
about. A change is written down before the server hears of it, and again when the server said that it is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from simulator.wire import Route, unix


class Cancelling(Struct, frozen=True, tag="cancelling"):
    """The office is about to cancel an order, and the server will not have it before this time (Unix seconds; None:
    after all that is done); ``beside`` are the orders of the same route.
    """

    order_id: str
    at: float | None
    beside: tuple[str, ...] = ()


class Cancelled(Struct, frozen=True, tag="cancelled"):
    """The server cancelled an order, by this time."""

    order_id: str
    at: float | None


class Replanning(Struct, frozen=True, tag="replanning"):
    """The office is about to plan anew and to send it; ``holders`` says which driver has each order until then."""

    holders: dict[str, str]


class Replanned(Struct, frozen=True, tag="replanned"):
    """It was planned anew: the orders that went to another driver, those of a route whose stops or their order changed,
    and when each order is planned for since (empty where no time is told).
    """

    moved: tuple[str, ...]
    concerned: tuple[str, ...]
    planned: dict[str, str]


Change = Cancelling | Cancelled | Replanning | Replanned


class Cancel(Struct):
    """``since`` and ``until`` are between which times (Unix seconds) the server has it as cancelled; None: after all
    that is done.
    """

    since: float | None
    until: float | None = None
    answered: bool = False


class Changes:
    """All of them. ``moved`` orders went from one driver to another (they may have come back), ``concerned`` ones are
    of a route that changed: which of them comes next hangs on when a phone saw it. ``planned`` are moments for which an
    order was planned, beside that of its first plan. ``holders`` is None where no planning is unanswered.
    """

    def __init__(self) -> None:
        self.cancels: dict[str, Cancel] = {}
        self.moved: set[str] = set()
        self.concerned: set[str] = set()
        self.planned: dict[str, set[float]] = {}
        self.holders: dict[str, str] | None = None

    def __bool__(self) -> bool:
        return bool(self.cancels or self.moved or self.concerned or self.holders is not None)

    def apply(self, change: Change) -> None:
        """One more."""
        match change:
            case Cancelling():
                self.cancels.setdefault(change.order_id, Cancel(change.at))
                self.concerned |= {change.order_id, *change.beside}
            case Cancelled():
                cancel = self.cancels.setdefault(change.order_id, Cancel(change.at))
                cancel.until, cancel.answered = change.at, True
            case Replanning():
                self.holders = change.holders if self.holders is None else self.holders
            case Replanned():
                self.holders = None
                self.moved.update(change.moved)
                self.concerned.update(change.concerned)
                self._plan(change.planned)

    def rerouted(self, before: Route | None, after: Route) -> None:
        """A driver saw another route than before."""
        self.concerned |= holders([after, *([before] if before else [])]).keys()
        self._plan(planned(after))

    def _plan(self, planned: Mapping[str, str]) -> None:
        """Orders are planned for these times."""
        for order, moment in planned.items():
            if moment:
                self.planned.setdefault(order, set()).add(unix(moment))


def holders(routes: Iterable[Route]) -> dict[str, str]:
    """Who has which order."""
    return {str(stop.orderId): route.driverId for route in routes for stop in route.stops if stop.orderId}


def planned(route: Route) -> dict[str, str]:
    """When each order of a route is planned for; empty where no time is told."""
    return {str(stop.orderId): stop.scheduledAt or "" for stop in route.stops if stop.orderId}


def replanned(before: Mapping[str, str], routes: Iterable[Route]) -> Replanned:
    """What a planning changed of who had which order, and in which order a driver goes to them."""
    after = list(routes)
    now = holders(after)
    moved = {order for order in before.keys() | now.keys() if before.get(order) != now.get(order)}
    old, new = _rounds(before), _rounds(now)
    changed = [driver for driver in old.keys() | new.keys() if old.get(driver) != new.get(driver)]
    concerned = moved.union(*(old.get(driver, []) + new.get(driver, []) for driver in changed))
    times = {order: at for route in after for order, at in planned(route).items()}
    return Replanned(tuple(sorted(moved)), tuple(sorted(concerned)), times)


def _rounds(held: Mapping[str, str]) -> dict[str, list[str]]:
    """The orders of each driver, in the order of the route."""
    rounds: dict[str, list[str]] = {}
    for order, driver in held.items():
        rounds.setdefault(driver, []).append(order)
    return rounds
