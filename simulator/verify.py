"""What the server holds against what was truly done: every fix, event, status and file, driver by driver.

*Lost* is what was acknowledged and is not there, *doubled* what is there more than once, *wrong* what is there
otherwise than it was sent, or was never sent by anybody; *late* what was acknowledged, was not there when it was asked
for and was there a few seconds after. What was sent and not acknowledged may be there or not.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct, field
from rich.console import Console

from simulator.account import Account
from simulator.drawing import digest
from simulator.endings import Endings, endings
from simulator.progress import progress
from simulator.truth import FINISHED, Diary, Truth
from simulator.wire import Action, Attachment, Position, iso

EXAMPLES = 10
LATE_S = 4.0
"""How long what seems to be lost is waited for; found then, it was late."""
SAME_PLACE_DEG = 1.5e-7
"""Stored coordinates may be rounded to seven decimals, about a centimetre."""
SAME_VALUE = {"accuracy": 0.06, "speed": 0.006, "heading": 0.06, "altitude": 0.06, "battery": 0.006}
AT_ONCE = 4
EventKey = tuple[str, str, str | None, int]


class Tally(Struct):
    """Counts of one kind of thing, and the first examples of each fault. ``withheld`` were acknowledged and are rightly
    shown to nobody: their order was cancelled, or another driver ended it later.
    """

    sent: int = 0
    acknowledged: int = 0
    stored: int = 0
    lost: int = 0
    duplicated: int = 0
    wrong: int = 0
    late: int = 0
    withheld: int = 0
    examples: dict[str, list[str]] = field(default_factory=dict)

    def fault(self, kind: str, what: str, count: int = 1) -> None:
        """Count a fault (``lost``, ``duplicated``, ``wrong`` or ``late``) and remember the first few."""
        setattr(self, kind, getattr(self, kind) + count)
        named = self.examples.setdefault(kind, [])
        if len(named) < EXAMPLES:
            named.append(what)

    @property
    def clean(self) -> bool:
        """Nothing lost, doubled, wrong or late."""
        return not (self.lost or self.duplicated or self.wrong or self.late)

    def came_late(self, earlier: Tally) -> None:
        """What was missing when it was asked for earlier and is not any more."""
        if earlier.lost > self.lost:
            still, missed = self.examples.get("lost", []), earlier.examples.get("lost", [])
            for what in [each for each in missed if each not in still] or ["(not among the first)"]:
                self.fault("late", what, 0)
            self.late = earlier.lost - self.lost


class Statuses(Struct):
    """Order statuses as the server tells them; counts of how the orders ended."""

    checked: int = 0
    wrong: int = 0
    late: int = 0
    success: int = 0
    failed: int = 0
    rejected: int = 0
    examples: list[str] = field(default_factory=list)


class Verdict(Struct):
    """The whole comparison."""

    positions: Tally = field(default_factory=Tally)
    actions: Tally = field(default_factory=Tally)
    attachments: Tally = field(default_factory=Tally)
    statuses: Statuses = field(default_factory=Statuses)

    @property
    def clean(self) -> bool:
        """Nothing acknowledged was lost, doubled, wrong or late."""
        tallies = self.positions, self.actions, self.attachments
        return all(tally.clean for tally in tallies) and not (self.statuses.wrong or self.statuses.late)


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
    await _attachments(account, truth, finished, verdict.attachments, wanted.overtaken)
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
    positions = {event_key(event): event.get("position") for event in mine}
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
                if not _same_place(action, positions.get(key)):
                    tally.fault("wrong", f"{key}: done at {action.position}, told as {positions[key]}")
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


def _same_place(action: Action, position: dict[str, Any] | None) -> bool:
    if action.position is None or position is None:
        return True
    return (
        abs(action.position.latitude - position["latitude"]) <= SAME_PLACE_DEG
        and abs(action.position.longitude - position["longitude"]) <= SAME_PLACE_DEG
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


def compare_forms(diary: Diary, held: dict[str, dict[str, Any]], tally: Tally, overtaken: Collection[str] = ()) -> None:
    """When each order was finished, and the note and scans that were handed in with it; not by the actions that were
    overtaken by those of another driver.
    """
    for action, acknowledged in diary.actions():
        if (
            not acknowledged
            or action.id in overtaken
            or action.action not in ("success", "failed")
            or action.orderId not in held
        ):
            continue
        details = held[action.orderId]
        told = details.get("endTime", {}).get("unixTimestamp")
        if told is None or abs(told - action.timestamp) >= 1.0:
            tally.fault(
                "wrong", f"{diary.phone.key} order {action.orderId} ended at {told}, should be {action.timestamp}"
            )
        form = details.get("form", {})
        if action.form is None:
            continue
        if action.form.note != form.get("note"):
            tally.fault(
                "wrong",
                f"{diary.phone.key} order {action.orderId} note {form.get('note')!r}, should be {action.form.note!r}",
            )
        for name, scans in (("barcode", action.form.barcode), ("barcode_collections", action.form.barcode_collections)):
            mine = [(scan.barcode, scan.scanInfo.status, scan.scanInfo.scanned, scan.scanInfo.type) for scan in scans]
            theirs = [
                (scan.get("barcode"), *(scan["scanInfo"].get(key) for key in ("status", "scanned", "type")))
                for scan in form.get(name, [])
            ]
            if mine != theirs:
                tally.fault("wrong", f"{diary.phone.key} order {action.orderId} {name} {theirs}, should be {mine}")


async def _attachments(
    account: Account, truth: Truth, held: dict[str, dict[str, Any]], tally: Tally, overtaken: Collection[str]
) -> None:
    turns = asyncio.Semaphore(AT_ONCE)

    async def order(action: Action, files: dict[str, tuple[Attachment, bool]]) -> None:
        async with turns:
            shown = await _shown(account, held.get(str(action.orderId), {}), tally)
            compare_files(action, files, shown, tally)

    comparing, kept = [], set[str]()
    for diary in truth.diaries.values():
        files = diary.attachments()
        tally.sent += len(files)
        tally.acknowledged += sum(acknowledged for _, acknowledged in files.values())
        for action, acknowledged in diary.actions():
            shown = acknowledged and action.id not in overtaken and str(action.orderId) in held
            if shown and named_files(action):
                comparing.append(order(action, files))
                kept.update(named_files(action))
        tally.withheld += sum(acknowledged for name, (_, acknowledged) in files.items() if name not in kept)
    await asyncio.gather(*comparing)


def named_files(action: Action) -> list[str]:
    """The ids of the files that an action names."""
    if action.form is None:
        return []
    scans = (*action.form.barcode, *action.form.barcode_collections)
    signature = [action.form.signature] if action.form.signature else []
    return [*signature, *action.form.images, *(image for scan in scans for image in scan.scanInfo.images)]


async def _shown(account: Account, details: dict[str, Any], tally: Tally) -> list[tuple[str, str]]:
    """SHA-256 and address of every file in an order's completion details, as they are downloaded."""
    form = details.get("form", {})
    images = [form["signature"]] if "signature" in form else []
    images += form.get("images", [])
    for scan in (*form.get("barcode", []), *form.get("barcode_collections", [])):
        images += scan["scanInfo"].get("images", [])
    found = []
    for image in images:
        status, media_type, data = await account.download(image["url"])
        if status != 200:
            tally.fault("wrong", f"{image['url']} answers HTTP {status}")
        elif media_type.partition(";")[0] != image["type"]:
            tally.fault("wrong", f"{image['url']} comes as {media_type}, is told as {image['type']}")
        found.append((hashlib.sha256(data).hexdigest() if status == 200 else "", str(image["url"])))
    return found


def compare_files(
    action: Action, files: dict[str, tuple[Attachment, bool]], shown: list[tuple[str, str]], tally: Tally
) -> None:
    """The files of one order as downloaded (SHA-256, address) against those that its action names, byte for byte."""
    wanted = {}
    for name in named_files(action):
        if name in files:
            wanted[digest(files[name][0].drawing)] = files[name]
    counted = Counter(mark for mark, _ in shown)
    strange = [address for mark, address in shown if mark and mark not in wanted]
    missing = [entry for mark, entry in wanted.items() if not counted[mark]]
    for mark, (file, _) in wanted.items():
        tally.stored += bool(counted[mark])
        if counted[mark] > 1:
            tally.fault("duplicated", f"{file.kind} {file.id} of order {action.orderId}", counted[mark] - 1)
    for address in strange:
        tally.fault("wrong", f"order {action.orderId}: {address} is not what was handed in")
    for file, acknowledged in missing[len(strange) :]:
        if acknowledged:
            tally.fault("lost", f"{file.kind} {file.id} of order {action.orderId}")
