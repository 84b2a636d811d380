"""The verifier names every fault that is planted into an otherwise faithful server."""

import hashlib
from typing import Any

import pytest
from msgspec.structs import replace

from simulator.drawing import draw
from simulator.outcomes import compare_files, compare_forms, placed_files
from simulator.steps import Send
from simulator.tally import Statuses, Tally
from simulator.truth import ACKNOWLEDGED, SENT, Diary, Phone, Run, Truth
from simulator.verify import compare_events, compare_positions, compare_statuses
from simulator.wire import Action, Position
from tests.simulator.days import DATE, route, steps


@pytest.fixture
def truth() -> Truth:
    """A whole day of one driver, everything acknowledged."""
    made = Truth.begin(Run("http://x", DATE, 7, "http", "", None, 8), None)
    diary = made.paired(Phone("D1", "DRV001", "DRV001", "token", route(8)))
    for step in steps(8):
        if isinstance(step, Send):
            diary.known(step.message.n, ACKNOWLEDGED | SENT)
    diary.recall()
    return made


@pytest.fixture
def diary(truth: Truth) -> Diary:
    return truth.diaries["D1"]


def stored(diary: Diary) -> list[Position]:
    """What a faithful server holds of the track."""

    def known(value: float | None) -> float | None:
        return None if value is None or value < 0 else value

    return [
        replace(fix, speed=known(fix.speed), heading=known(fix.heading), accuracy=known(fix.accuracy))
        for _, ((fix, _), *_rest) in sorted(diary.fixes().items())
    ]


def told(diary: Diary) -> list[dict[str, Any]]:
    """The events a faithful server tells."""
    events = []
    for action, _ in diary.actions():
        event: dict[str, Any] = {
            "event": action.action,
            "unixTimestamp": int(action.timestamp),
            "driverExternalId": "DRV001",
        }
        if action.orderId:
            event["orderId"] = action.orderId
        if action.plannedStartTime is not None:
            event["plannedStartTime"] = {"unixTimestamp": action.plannedStartTime}
        if action.orderId and action.position:
            event["position"] = {"latitude": action.position.latitude, "longitude": action.position.longitude}
        events.append(event)
    return events


def tally_positions(diary: Diary, track: list[Position]) -> Tally:
    tally = Tally()
    compare_positions(diary, diary.fixes(), track, tally)
    return tally


def tally_events(truth: Truth, events: list[dict[str, Any]]) -> Tally:
    tally = Tally()
    compare_events(events, [], truth, tally)
    return tally


def test_a_faithful_server_is_clean(truth: Truth, diary: Diary):
    positions, events = tally_positions(diary, stored(diary)), tally_events(truth, told(diary))
    assert positions.clean and events.clean
    assert positions.sent == positions.acknowledged == positions.stored > 500
    assert events.sent == events.acknowledged == events.stored == len(diary.actions())


def test_a_lost_fix_is_named(diary: Diary):
    track = stored(diary)
    gone = track.pop(100)
    tally = tally_positions(diary, track)
    assert (tally.lost, tally.duplicated, tally.wrong) == (1, 0, 0)
    assert tally.stored == tally.sent - 1
    assert f"{gone.at_ms % 1000:03}Z" in tally.examples["lost"][0] and "DRV001" in tally.examples["lost"][0]


def test_what_was_never_acknowledged_may_be_missing(diary: Diary):
    first = next(step.message for step in steps(8) if isinstance(step, Send) and hasattr(step.message, "positions"))
    unsure = Diary(diary.phone, diary.run)
    for step in steps(8):
        if isinstance(step, Send):
            unsure.known(step.message.n, SENT if step.message.n == first.n else SENT | ACKNOWLEDGED)
    diary, missing = unsure, {fix.at_ms for fix in first.positions}
    assert tally_positions(diary, [fix for fix in stored(diary) if fix.at_ms not in missing]).clean
    assert tally_positions(diary, stored(diary)).clean


def test_a_doubled_fix_is_named(diary: Diary):
    track = stored(diary)
    tally = tally_positions(diary, sorted([*track, track[7]], key=lambda fix: fix.at_ms))
    assert (tally.lost, tally.duplicated, tally.wrong) == (0, 1, 0)


@pytest.mark.parametrize("change", [{"latitude": 45.7}, {"speed": 31.0}, {"heading": None}, {"battery": 0.01}])
def test_an_altered_fix_is_named(diary: Diary, change: dict[str, Any]):
    track = stored(diary)
    moving = next(i for i, fix in enumerate(track) if fix.heading is not None and (fix.speed or 0) > 1)
    track[moving] = replace(track[moving], **change)
    tally = tally_positions(diary, track)
    assert (tally.lost, tally.duplicated, tally.wrong) == (0, 0, 1)


def test_a_fix_that_nobody_sent_is_named_unless_it_was_there_before(diary: Diary):
    strange = Position(stored(diary)[-1].timestamp + 1, 45.8, 15.97)
    assert tally_positions(diary, [*stored(diary), strange]).wrong == 1
    diary.phone = replace(diary.phone, held_before=(strange.at_ms,))
    assert tally_positions(diary, [*stored(diary), strange]).clean


def test_a_track_out_of_order_is_named(diary: Diary):
    track = stored(diary)
    track[3], track[4] = track[4], track[3]
    assert tally_positions(diary, track).wrong == 1


def test_lost_doubled_moved_and_invented_events_are_named(truth: Truth, diary: Diary):
    events = told(diary)
    assert tally_events(truth, events[:-1]).lost == 1
    assert tally_events(truth, [*events, events[3]]).duplicated == 1
    assert tally_events(truth, [*events, {**events[0], "event": "rejected", "orderId": "order-1"}]).wrong == 1
    moved = [dict(event) for event in events]
    at = next(event for event in moved if "position" in event)
    at["position"] = {"latitude": 1.0, "longitude": 2.0}
    assert tally_events(truth, moved).wrong == 1
    nowhere = [dict(event) for event in events]
    del next(event for event in nowhere if event["event"] == "success")["position"]
    assert tally_events(truth, nowhere).wrong == 1
    planned = [dict(event) for event in events]
    planned[0]["plannedStartTime"] = {"unixTimestamp": 5}
    assert tally_events(truth, planned).wrong == 1
    late = [dict(event) for event in events]
    late[0]["unixTimestamp"] += 60
    assert tally_events(truth, late).lost == 1
    assert "on_duty" in tally_events(truth, late).examples["lost"][0]


def test_a_wrong_status_is_named(diary: Diary):
    wanted = diary.statuses()
    held = {order: {"status": status} for order, status in wanted.items()}
    found = Statuses()
    compare_statuses(wanted, held, found)
    assert (found.checked, found.wrong) == (8, 0)
    held["order-3"] = {"status": "on_route"}
    del held["order-4"]
    compare_statuses(wanted, held, worse := Statuses())
    assert worse.wrong == 2 and "order-3 is on_route" in worse.examples[0]


def finished(diary: Diary) -> dict[str, Action]:
    return {str(a.orderId): a for a, _ in diary.actions() if a.action in ("success", "failed")}


def test_a_changed_note_scan_or_time_is_named(diary: Diary):
    held: dict[str, dict[str, Any]] = {}
    for order, action in finished(diary).items():
        form: dict[str, Any] = {}
        if action.form is not None:
            form = {"note": action.form.note, "barcode": []}
            for scan in action.form.barcode:
                info = {"status": scan.scanInfo.status, "scanned": scan.scanInfo.scanned, "type": scan.scanInfo.type}
                form["barcode"].append({"barcode": scan.barcode, "scanInfo": info})
            form["barcode_collections"] = [
                {"barcode": None, "scanInfo": {"status": "added", "scanned": s.scanInfo.scanned, "type": "code-128"}}
                for s in action.form.barcode_collections
            ]
        held[order] = {"status": action.action, "endTime": {"unixTimestamp": int(action.timestamp)}, "form": form}
    compare_forms(diary, held, clean := Tally())
    assert clean.clean
    held["order-1"]["endTime"] = {"unixTimestamp": 5}
    scanned = next(details for details in held.values() if details["form"].get("barcode"))
    scanned["form"]["barcode"] = []
    compare_forms(diary, held, faulty := Tally())
    assert faulty.wrong == 2


def test_lost_doubled_and_altered_files_are_named(diary: Diary):
    files = diary.attachments()
    place, names, action = next(
        (place, names, a) for a, _ in diary.actions() for place, names in placed_files(a).items() if names
    )
    digests = [hashlib.sha256(draw(files[name][0].drawing)).hexdigest() for name in names]
    shown = [(digest, f"http://x/{n}") for n, digest in enumerate(digests)]

    def tally(shown: list[tuple[str, str]]) -> tuple[int, int, int, int]:
        everything = {
            each: [(hashlib.sha256(draw(files[name][0].drawing)).hexdigest(), name) for name in names]
            for each, names in placed_files(action).items()
        }
        others = sum(map(len, everything.values())) - len(digests)
        compare_files(action, files, everything | {place: shown}, found := Tally())
        found.stored -= others
        return found.stored, found.lost, found.duplicated, found.wrong

    assert tally(shown) == (len(shown), 0, 0, 0)
    assert tally(shown[1:]) == (len(shown) - 1, 1, 0, 0)
    assert tally([*shown, shown[0]]) == (len(shown), 0, 1, 0)
    assert tally([("0" * 64, "http://x/0"), *shown[1:]]) == (len(shown) - 1, 0, 0, 1)
