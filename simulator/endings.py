"""What became of each order, as all its drivers and the office made it: the truth that statuses are held against.

An order's own actions count in the order of the times that phones stamped them with, ties by id, as the wire promises:
the last ending is the order's. What was sent and never answered, and what the office asked for and heard no answer to,
may hold or not.
"""

from __future__ import annotations

from msgspec import Struct

from simulator.changes import Cancel
from simulator.steps import Expect
from simulator.truth import FINISHED, Truth
from simulator.wire import Action

CANCELLED = "cancelled"
UNBEGUN = frozenset({"scheduled", "on_route", "unscheduled"})


class Ending(Struct, frozen=True, order=True):
    """An action that ended an order: its stamp in Unix milliseconds, and when it truly was, in Unix seconds."""

    stamp_ms: int
    id: str
    status: str
    at: float


class Endings(Struct, frozen=True):
    """Of every order of the plan its status, and which others it may have; by which ending it is finished; the actions
    that ended an order and count no more, since another ending is later.
    """

    statuses: dict[str, str]
    also: dict[str, frozenset[str]]
    finished: dict[str, Ending]
    overtaken: frozenset[str]


def endings(truth: Truth) -> Endings:
    """What became of every order, by all that was acknowledged."""
    found = dict.fromkeys(truth.run.unscheduled, "unscheduled")
    perhaps: dict[str, set[str]] = {}
    ended: dict[str, list[Ending]] = {}
    unheard: dict[str, list[Ending]] = {}
    said: list[Expect] = []
    for diary in truth.diaries.values():
        stops = diary.phone.route.stops if diary.phone.route else ()
        found |= {stop.orderId: "scheduled" for stop in stops if stop.orderId and stop.orderId not in found}
        sent, unsure = {action.id: (action, known) for action, known in diary.actions()}, diary.unsure()
        for expected in diary.expectations:
            action, known = sent.get(expected.action_id, (None, False))
            if action is None or not (known or action.id in unsure):
                continue
            if expected.status in FINISHED:
                (ended if known else unheard).setdefault(expected.order_id, []).append(_ending(expected, action))
            elif known:
                said.append(expected)
            if not known:
                perhaps.setdefault(expected.order_id, set()).add(expected.status)
    for expected in sorted(said, key=lambda each: each.at):
        found[expected.order_id] = expected.status
    last = {order: max(each) for order, each in ended.items()}
    found |= {order: ending.status for order, ending in last.items()}
    for order, cancel in truth.changes.cancels.items():
        holds = _holds(cancel, last.get(order))
        if holds is None:
            perhaps.setdefault(order, set()).update({CANCELLED, found.get(order, CANCELLED)})
        if holds is not False:
            found[order] = CANCELLED
    for order in truth.changes.concerned & found.keys():
        if UNBEGUN & {found[order], *perhaps.get(order, ())}:
            perhaps.setdefault(order, set()).update(UNBEGUN)
    also = {order: frozenset(may - {found[order]}) for order, may in perhaps.items() if order in found}
    overtaken = {
        each.id
        for order, all_of_them in ended.items()
        for each in all_of_them
        if each != last[order] or any(later > each for later in unheard.get(order, ()))
    }
    return Endings(found, also, last, frozenset(overtaken))


def _ending(expected: Expect, action: Action) -> Ending:
    return Ending(round(action.timestamp * 1000), action.id, expected.status, expected.at)


def _holds(cancel: Cancel, ending: Ending | None) -> bool | None:
    """Whether an order is cancelled in the end; None where nobody can know. The server gives a cancellation its own
    time, but later than all that it has heard of the order by then.
    """
    if cancel.since is None or ending is None or ending.stamp_ms < cancel.since * 1000:
        return cancel.answered or None
    if cancel.until is not None and ending.stamp_ms > cancel.until * 1000 and ending.at > cancel.until:
        return False
    return None
