"""What the server shows of orders that ended against what was handed in with their ends: when they began and ended,
notes, scans and files.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from simulator.account import Account
from simulator.drawing import digest
from simulator.tally import Tally
from simulator.truth import FINISHED, Diary, Truth
from simulator.wire import Action, Attachment, Form

AT_ONCE = 4
SAME_SECOND_S = 1.0
Files = Mapping[str, tuple[Attachment, bool]]
Shown = dict[str, list[tuple[str, str]]]
"""By its place in a form: SHA-256 and address of every file there."""


def compare_forms(diary: Diary, held: dict[str, dict[str, Any]], tally: Tally, overtaken: Collection[str] = ()) -> None:
    """When each order was finished, and the note and scans that were handed in with it; not by the actions that were
    overtaken by those of another driver.
    """
    for action, acknowledged in diary.actions():
        if not acknowledged or action.id in overtaken or action.action not in FINISHED or action.orderId not in held:
            continue
        named, details = f"{diary.phone.key} order {action.orderId}", held[action.orderId]
        told = _moment(details, "endTime")
        if action.action != "rejected" and not _same_second(told, action.timestamp):
            tally.fault("wrong", f"{named} ended at {told}, should be {action.timestamp}")
        handed_in, form = action.form or Form(), details.get("form", {})
        if handed_in.note != form.get("note"):
            tally.fault("wrong", f"{named} note {form.get('note')!r}, should be {handed_in.note!r}")
        for name, scans in (("barcode", handed_in.barcode), ("barcode_collections", handed_in.barcode_collections)):
            mine = [(scan.barcode, scan.scanInfo.status, scan.scanInfo.scanned, scan.scanInfo.type) for scan in scans]
            theirs = [
                (scan.get("barcode"), *(scan["scanInfo"].get(key) for key in ("status", "scanned", "type")))
                for scan in form.get(name, [])
            ]
            if mine != theirs:
                tally.fault("wrong", f"{named} {name} {theirs}, should be {mine}")


def compare_starts(truth: Truth, held: dict[str, dict[str, Any]], tally: Tally) -> None:
    """When the service of each delivered or failed order began, in whatever order that was told; not of orders that
    the office cancelled, or of which several drivers told something.
    """
    if truth.run.drove_before:  # it may have begun then
        return
    said: dict[str, list[tuple[str, Action, bool]]] = {}
    for driver, diary in truth.diaries.items():
        for action, acknowledged in diary.actions():
            said.setdefault(str(action.orderId), []).append((driver, action, acknowledged))
    for order, details in held.items():
        drivers = {driver for driver, _, _ in said.get(order, ())}
        if details.get("status") == "rejected" or order in truth.changes.cancels or len(drivers) != 1:
            continue
        told = _moment(details, "startTime")
        begun = [(action.timestamp, known) for _, action, known in said[order] if action.action == "start_service"]
        may = {stamp for stamp, _ in begun}
        if told is None and not any(known for _, known in begun):
            continue
        if not any(_same_second(told, stamp) for stamp in may):
            tally.fault("wrong", f"order {order} began at {told}, should be {min(may, default=None)}")


def _moment(details: dict[str, Any], name: str) -> float | None:
    told = details.get(name, {}).get("unixTimestamp")
    return float(told) if told is not None else None


def _same_second(told: float | None, done: float) -> bool:
    return told is not None and abs(told - done) < SAME_SECOND_S


async def compare_all_files(
    account: Account, truth: Truth, held: dict[str, dict[str, Any]], tally: Tally, overtaken: Collection[str]
) -> None:
    """Every file of every order that ended, as it is downloaded."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def order(action: Action, files: Files) -> None:
        async with turns:
            compare_files(action, files, await _shown(account, held[str(action.orderId)], tally), tally)

    comparing, kept = [], set[str]()
    for diary in truth.diaries.values():
        files = diary.attachments()
        tally.sent += len(files)
        tally.acknowledged += sum(acknowledged for _, acknowledged in files.values())
        for action, acknowledged in diary.actions():
            ended = acknowledged and action.action in FINISHED and action.id not in overtaken
            if ended and str(action.orderId) in held:
                comparing.append(order(action, files))
                kept.update(named_files(action))
        tally.withheld += sum(acknowledged for name, (_, acknowledged) in files.items() if name not in kept)
    await asyncio.gather(*comparing)


def named_files(action: Action) -> list[str]:
    """The ids of the files that an action names."""
    return [name for names in placed_files(action).values() for name in names]


def placed_files(action: Action) -> dict[str, list[str]]:
    """By their place in the form: the ids of the files that an action names."""
    form = action.form or Form()
    placed = {"signature": [form.signature] if form.signature else [], "images": list(form.images)}
    for name, scans in (("barcode", form.barcode), ("barcode_collections", form.barcode_collections)):
        placed |= {f"{name} {number}": list(scan.scanInfo.images) for number, scan in enumerate(scans, 1)}
    return placed


async def _shown(account: Account, details: dict[str, Any], tally: Tally) -> Shown:
    """Every file in an order's completion details, as it is downloaded."""
    form = details.get("form", {})
    told = {"signature": [form["signature"]] if "signature" in form else [], "images": form.get("images", [])}
    for name in ("barcode", "barcode_collections"):
        scans = enumerate(form.get(name, []), 1)
        told |= {f"{name} {number}": scan["scanInfo"].get("images", []) for number, scan in scans}
    return {place: [await _downloaded(account, image, tally) for image in images] for place, images in told.items()}


async def _downloaded(account: Account, image: dict[str, Any], tally: Tally) -> tuple[str, str]:
    status, media_type, data = await account.download(image["url"])
    if status != 200:
        tally.fault("wrong", f"{image['url']} answers HTTP {status}")
    elif media_type.partition(";")[0] != image["type"]:
        tally.fault("wrong", f"{image['url']} comes as {media_type}, is told as {image['type']}")
    return hashlib.sha256(data).hexdigest() if status == 200 else "", str(image["url"])


def compare_files(action: Action, files: Files, shown: Shown, tally: Tally) -> None:
    """The files of one order against those that its action names, place by place and byte for byte."""
    placed = placed_files(action)
    for place in {**placed, **shown}:
        named = [files[name] for name in placed.get(place, ()) if name in files]
        _compare_place(action, named, shown.get(place, []), tally)


def _compare_place(
    action: Action, named: list[tuple[Attachment, bool]], shown: list[tuple[str, str]], tally: Tally
) -> None:
    wanted = {digest(file.drawing): (file, acknowledged) for file, acknowledged in named}
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
