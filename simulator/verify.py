"""What the server holds against what was truly done: every fix, event, status and file, driver by driver.

*Lost* is what was acknowledged and is not there, *doubled* what is there more than once, *wrong* what is there
otherwise than it was sent, or was never sent by anybody; *late* what was acknowledged, was not there as it was sent
when it was asked for and was a few seconds after. What was sent and not acknowledged may be there or not.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console

from simulator.account import Account
from simulator.endings import Endings, endings
from simulator.outcomes import compare_all_files, compare_forms, compare_starts
from simulator.progress import progress
from simulator.tally import EXAMPLES, Statuses, Tally, Verdict
from simulator.truth import FINISHED, Diary, Truth
from simulator.wire import Action, Position, iso

LATE_S = 4.0
"""How long what seems to be lost is waited for; found then, it was late."""
SAME_PLACE_DEG = 1.5e-7
"""Stored coordinates may be rounded to seven decimals, about a centimetre."""
SAME_VALUE = {"accuracy": 0.06, "speed": 0.006, "heading": 0.06, "altitude": 0.06, "battery": 0.006}
AT_ONCE = 4
AT_THE_PLACE = frozenset({"start_service", "success", "failed"})
"""Events of these tell where it was: the driver was to be at the order's place."""
EventKey = tuple[str, str, str | None, int]


async def verify(account: Account, truth: Truth, console: Console) -> Verdict:
    """Read back everything and compare; where something is missing, once more after a while."""
    first = await _compare(account, truth, console)
    if first.clean:
        return first
    await asyncio.sleep(LATE_S)
    second = await _compare(account, truth, console)
    for name in ("positions", "actions", "attachments"):
        getattr(second, name).came_late(getattr(first, name))
    second.statuses.late = max(0, first.statuses.wrong - second.statuses.wrong)
    return second


async def _compare(account: Account, truth: Truth, console: Console) -> Verdict:
    verdict, left = Verdict(), enumerate(truth.diaries.values(), 1)
    with progress(console, "comparing", "drivers", len(truth.diaries)) as show:

        async def some() -> None:
            for done, diary in left:
                await _positions(account, diary, truth.run.date, verdict.positions)
                show(done, "")

        await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    events = await account.events()
    compare_events(events[truth.run.events_before :], events[: truth.run.events_before], truth, verdict.actions)
    wanted = endings(truth)
    held = await account.completions(wanted.statuses)
    compare_statuses(wanted.statuses, held, verdict.statuses, wanted.also)
    finished = {order: held[order] for order in wanted.statuses if order in held and _ended(order, wanted, held)}
    for diary in truth.diaries.values():
        compare_forms(diary, finished, verdict.actions, wanted.overtaken)
    compare_starts(truth, finished, verdict.actions)
    await compare_all_files(account, truth, finished, verdict.attachments, wanted.overtaken)
    return verdict


def _ended(order: str, wanted: Endings, held: dict[str, dict[str, Any]]) -> bool:
    """Whether an order must have ended, or may have and did."""
    may = wanted.also.get(order, frozenset()) | {wanted.statuses[order]}
    return may <= FINISHED or held[order].get("status") in may & FINISHED


def day_range(date: str, stamps: Iterable[int] = ()) -> tuple[str, str]:
    """The time that one driver's day lies in, generously: from the day before to the day after, and what was sent
    (Unix milliseconds) outside of that.
    """
    middle = datetime.fromisoformat(date).replace(tzinfo=UTC)
    begin, end = (middle - timedelta(days=1)).timestamp(), (middle + timedelta(days=2)).timestamp()
    return iso(min([begin, *(ms / 1000 for ms in stamps)])), iso(max([end, *(ms / 1000 + 1 for ms in stamps)]))


async def _positions(account: Account, diary: Diary, date: str, tally: Tally) -> None:
    sent = diary.fixes()
    stored = await account.track(diary.phone.driver_id, *day_range(date, list(sent)))
    compare_positions(diary, sent, list(stored), tally)


def compare_positions(
    diary: Diary, truth: dict[int, list[tuple[Position, bool]]], stored: list[Position], tally: Tally
) -> None:
    """A driver's stored track against the fixes of its phone."""
    before = set(diary.phone.held_before)
    name = diary.phone.key
    tally.sent += len(truth)
    tally.acknowledged += sum(any(acknowledged for _, acknowledged in sent) for sent in truth.values())
    held: dict[int, list[Position]] = {}
    for fix in stored:
        held.setdefault(fix.at_ms, []).append(fix)
    for at_ms, sent in truth.items():
        here = held.get(at_ms, [])
        tally.stored += bool(here)
        if not here and any(acknowledged for _, acknowledged in sent):
            tally.fault("lost", f"{name} {iso(at_ms / 1000)}")
        if len(here) > 1:
            tally.fault("duplicated", f"{name} {iso(at_ms / 1000)} {len(here)} times", len(here) - 1)
        if here and at_ms not in before and not any(same_fix(fix, here[0]) for fix, _ in sent):
            tally.fault("wrong", f"{name} {iso(at_ms / 1000)}: sent {sent[0][0]}, stored {here[0]}")
    for at_ms in held.keys() - truth.keys() - before:
        tally.fault("wrong", f"{name} {iso(at_ms / 1000)}: stored, never sent")
    if [fix.at_ms for fix in stored] != sorted(fix.at_ms for fix in stored):
        tally.fault("wrong", f"{name}: the track is not in the order of time")


def same_fix(sent: Position, stored: Position) -> bool:
    """Whether a stored fix is the one that was sent; a negative value was the phone's way to say unknown."""
    if abs(sent.latitude - stored.latitude) > SAME_PLACE_DEG or abs(sent.longitude - stored.longitude) > SAME_PLACE_DEG:
        return False
    for name, tolerance in SAME_VALUE.items():
        mine, theirs = getattr(sent, name), getattr(stored, name)
        if mine is not None and mine < 0 and name != "altitude":
            mine = None
        if (mine is None) != (theirs is None) or (mine is not None and abs(mine - theirs) > tolerance):
            return False
    return True


def compare_events(events: list[dict[str, Any]], before: list[dict[str, Any]], truth: Truth, tally: Tally) -> None:
    """The account's events against the actions of all phones. An event has no id: driver, kind, order and second
    tell it.
    """
    drivers = {diary.phone.named for diary in truth.diaries.values()}
    mine = [event for event in events if event_driver(event) in drivers]
    held = Counter(event_key(event) for event in mine)
    early = Counter(event_key(event) for event in before)
    told = {event_key(event): event for event in mine}
    for diary in truth.diaries.values():
        for action, acknowledged in diary.actions():
            tally.sent += 1
            tally.acknowledged += acknowledged
            key = (
                diary.phone.named,
                action.action,
                action.orderId,
                told_second(action, diary.phone.named, held, early),
            )
            if held[key]:
                tally.stored += 1
                held[key] -= 1
                _compare_event(action, told[key], tally)
            elif early[key]:
                tally.stored += 1
                early[key] -= 1
            elif acknowledged:
                tally.fault("lost", f"{key}")
    done = {(diary.phone.named, a.action, a.orderId) for diary in truth.diaries.values() for a, _ in diary.actions()}
    for key, count in held.items():
        if count > 0:
            tally.fault("duplicated" if key[:3] in done else "wrong", f"{key}: {count} more than were done", count)


def told_second(action: Action, driver: str, held: Counter[Any], early: Counter[Any]) -> int:
    """The whole second that the event of an action carries: rounded down, or to the nearest."""
    down = int(action.timestamp)
    near = (driver, action.action, action.orderId, down + 1)
    here = (driver, action.action, action.orderId, down)
    if not (held[here] or early[here]) and (held[near] or early[near]) and action.timestamp % 1 >= 0.5:
        return down + 1
    return down


def event_key(event: dict[str, Any]) -> EventKey:
    """What tells an event from others: driver, kind, order and whole second."""
    return event_driver(event), event["event"], event.get("orderId"), int(event["unixTimestamp"])


def event_driver(event: dict[str, Any]) -> str:
    """How an event names its driver; what is empty is not sent."""
    return str(event.get("driverExternalId") or event.get("driverSerial") or event.get("driverName"))


def _compare_event(action: Action, event: dict[str, Any], tally: Tally) -> None:
    """Where it was, and which start of the day a driver told."""
    key, position = event_key(event), event.get("position")
    if position is None and action.position is not None and action.action in AT_THE_PLACE:
        tally.fault("wrong", f"{key}: done at {action.position}, told without a place")
    elif position is not None and action.position is not None and not _same_place(action.position, position):
        tally.fault("wrong", f"{key}: done at {action.position}, told as {position}")
    planned = event.get("plannedStartTime", {}).get("unixTimestamp")
    if planned != action.plannedStartTime:
        tally.fault("wrong", f"{key}: to begin at {action.plannedStartTime}, told as {planned}")


def _same_place(mine: Position, theirs: dict[str, Any]) -> bool:
    return (
        abs(mine.latitude - theirs["latitude"]) <= SAME_PLACE_DEG
        and abs(mine.longitude - theirs["longitude"]) <= SAME_PLACE_DEG
    )


def compare_statuses(
    wanted: Mapping[str, str],
    held: Mapping[str, dict[str, Any]],
    found: Statuses,
    also: Mapping[str, Collection[str]] = {},
) -> None:
    """The status of every order of the plan, and which others it may have."""
    for order, status in wanted.items():
        found.checked += 1
        told = held.get(order, {}).get("status", "not there")
        if told in ("success", "failed", "rejected"):
            setattr(found, told, getattr(found, told) + 1)
        if told != status and told not in also.get(order, ()):
            found.wrong += 1
            if len(found.examples) < EXAMPLES:
                found.examples.append(f"order {order} is {told}, should be {status}")
