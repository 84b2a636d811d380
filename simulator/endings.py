"""What became of each order, as all its drivers and the office made it: the truth that statuses are held against.

An order's own actions count in the order of the times that phones stamped them with, ties by id, as the wire promises:
the last ending is the order's. What was sent and never answered, and what the office asked for and heard no answer to,
may hold or not.
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from simulator.changes import Cancel
from simulator.steps import Expect
from simulator.truth import FINISHED, Before, Run, Truth
from simulator.wire import Action

CANCELLED = "cancelled"
ENDED = FINISHED | {CANCELLED}
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
    earlier = _begin(truth.run, found, perhaps, last)
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
        if order in earlier or each != last[order] or any(later > each for later in unheard.get(order, ()))
    }
    return Endings(found, also, last, frozenset(overtaken))


def _begin(run: Run, found: dict[str, str], perhaps: dict[str, set[str]], last: dict[str, Ending]) -> Collection[str]:
    """What was before the run counts too: the orders whose own endings do not, or may not, as an earlier one says that
    it is later. Which order comes next hangs on it as well.
    """
    earlier = set()
    for order, was in run.before.items():
        mine = last.get(order)
        if was.status not in ENDED:
            perhaps.setdefault(order, set()).add(was.status)
        elif mine is None or was.status == CANCELLED or _later(was, mine):
            perhaps.setdefault(order, set()).update({mine.status} if mine and was.status == CANCELLED else ())
            found[order] = was.status
            earlier.add(order)
            last.pop(order, None)
            if was.status != CANCELLED and was.ended is not None:
                last[order] = Ending(round(was.ended * 1000), "", was.status, was.ended)
        elif not _later(mine, was) and (was.ended is None or was.status != mine.status):
            perhaps.setdefault(order, set()).add(was.status)
            earlier.add(order)
    if any(was.status in FINISHED for was in run.before.values()):
        for order in found.keys() - run.before.keys():
            if UNBEGUN & {found[order], *perhaps.get(order, ())}:
                perhaps.setdefault(order, set()).update({"scheduled", "on_route"})
    return earlier


def _later(one: Before | Ending, other: Before | Ending) -> bool:
    """Whether one ended an order in a later second than the other; what was before is known to the second."""
    stamps = [each.stamp_ms / 1000 if isinstance(each, Ending) else each.ended for each in (one, other)]
    return stamps[0] is not None and stamps[1] is not None and int(stamps[0]) > int(stamps[1])


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
