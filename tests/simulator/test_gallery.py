"""Who looks on: a faithful map and faithful pages are clean, and every fault that is planted into them is named."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from msgspec.structs import replace
from websockets.asyncio.server import ServerConnection, serve

from simulator import gallery as room
from simulator.changes import Cancelled, Cancelling, Replanned
from simulator.fleet import _measured
from simulator.gallery import Gallery, pages
from simulator.histogram import Measures
from simulator.recipients import Recipient
from simulator.steps import Send
from simulator.truth import ACKNOWLEDGED, SENT, Phone, Run, Truth
from simulator.watch import Arrivals, Fix, Watch
from simulator.wire import Actions, Message, Position, Positions, iso
from tests.simulator.days import DATE, LEAVES, route
from tests.simulator.test_verify import told

NOBODY = "http://127.0.0.1:9"
ORDER = "order-3"
PLANNED = LEAVES + 1800
Frame = dict[str, Any]


@dataclass
class Present:
    """A stand-in for the two sockets that show what is. ``live`` is sent after the snapshot, ``page`` at once; where
    ``cut`` is given, the map's first line breaks after so many frames.
    """

    live: list[Frame] = field(default_factory=list)
    page: list[Frame] = field(default_factory=list)
    cut: int | None = None
    go: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[Frame] = field(default_factory=list)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        async with serve(
            self.talk, "127.0.0.1", 0, select_subprotocol=lambda _, asked: next(iter(asked), None)
        ) as server:
            yield f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"

    async def talk(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        if socket.request.path.startswith("/t/"):
            await self.go.wait()
            for frame in self.page:
                await socket.send(json.dumps(frame))
            await socket.wait_closed()
            return
        self.asked.append(json.loads(await socket.recv()))
        await socket.send(json.dumps({"type": "snapshot", "id": "sim", "drivers": [], "now": LEAVES, "clockSpeed": 40}))
        await self.go.wait()
        cut, self.cut = self.cut, None
        after = self.asked[-1].get("after", 0)
        left = [frame for frame in self.live if frame.get("event", {}).get("sequence", after + 1) > after]
        for frame in left[:cut]:
            await socket.send(json.dumps(frame))
        if cut is None:
            await socket.wait_closed()


class Office:
    """As much of the account as a gallery asks."""

    async def trackings(self, date: str) -> dict[str, str]:
        return {ORDER: "abc"}


@pytest.fixture
def truth() -> Truth:
    """A quiet day of one driver, everything acknowledged, each stop planned for half past seven."""
    planned = route(8)
    planned = replace(planned, stops=tuple(replace(stop, scheduledAt=iso(PLANNED)) for stop in planned.stops))
    made = Truth.begin(Run("http://x", DATE, 7, "http", "", None, 8), None)
    diary = made.paired(Phone("D1", "DRV001", "DRV001", "token", planned))
    for message in messages(made):
        diary.known(message.n, ACKNOWLEDGED | SENT)
    diary.recall()
    assert pages(made)[ORDER].status == "success"
    return made


def messages(truth: Truth) -> list[Message]:
    return [step.message for step in truth.diaries["D1"].steps() if isinstance(step, Send)]


def shown(fix: Position) -> Frame:
    driver = {"driverId": "D1", "timestamp": fix.timestamp, "latitude": fix.latitude, "longitude": fix.longitude}
    return {"type": "positions", "id": "sim", "drivers": [driver]}


def faithful(truth: Truth) -> Present:
    """All that a server without fault would show of the day."""
    diary = truth.diaries["D1"]
    live: list[Frame] = []
    events = [{**event, "sequence": n} for n, event in enumerate(told(diary), 1)]
    for message in messages(truth):
        if isinstance(message, Positions):
            live.append(shown(max(message.positions, key=lambda fix: fix.at_ms)))
        elif isinstance(message, Actions):
            live += [{"type": "event", "id": "sim", "event": events.pop(0)} for _ in message.actions]
    finished = pages(truth)[ORDER].finished_s
    assert finished is not None and not events
    where = next(stop for stop in route(8).stops if stop.orderId == ORDER)
    page: Frame = {
        "type": "state",
        "status": "scheduled",
        "orderNo": where.orderNo,
        "destination": {"latitude": where.latitude, "longitude": where.longitude},
        "window": {"from": iso(PLANNED - 1800), "to": iso(PLANNED + 1800)},
        "eta": iso(PLANNED),
        "now": LEAVES,
    }
    done = {name: value for name, value in page.items() if name not in ("eta", "window")}
    van = {"latitude": 45.8, "longitude": 16.0, "timestamp": LEAVES + 60}
    frames = [
        page,
        {**page, "status": "on_route", "driver": van},
        {**done, "status": "servicing", "driver": {**van, "timestamp": LEAVES + 70}},
        {**done, "status": "success", "finishedAt": iso(finished)},
    ]
    return Present(live, frames)


async def looked_at(present: Present, truth: Truth, faulty: bool = False) -> list[str]:
    """What is found. Of what is ``faulty``, something may never come: it is not waited for once all was heard."""
    async with present.running() as url:
        gallery = Gallery(url, "key", 1)
        office: Any = Office()
        try:
            assert await gallery.start(office, truth) == []
            for message in messages(truth):
                gallery.noticed("D1", message)
            present.go.set()
            if faulty:
                await heard(gallery, 2 * (1 + len(present.live)) + len(present.page))
            return await gallery.differences(truth, every_event=True, within_s=0.1 if faulty else 60)
        finally:
            await gallery.stop()


async def heard(gallery: Gallery, frames: int) -> None:
    """Two maps and a page have heard so many frames."""
    async with asyncio.timeout(60):
        while gallery.told()["frames"] < frames:
            await asyncio.sleep(0.01)


async def test_faithful_maps_and_pages_are_clean(truth: Truth):
    assert await looked_at(faithful(truth), truth) == []


async def test_a_map_whose_line_broke_names_the_last_event_it_has_and_misses_none(truth: Truth):
    present = faithful(truth)
    present.cut = next(n for n, frame in enumerate(present.live) if frame["type"] == "event") + 1
    assert await looked_at(present, truth) == []
    assert {asked.get("after") for asked in present.asked} == {None, 1}


async def test_a_map_whose_line_broke_before_the_first_event_asks_for_all_of_them(truth: Truth):
    present = faithful(truth)
    present.cut = 0
    assert await looked_at(present, truth) == []
    assert {asked.get("after") for asked in present.asked} == {None, 0}


def positions(present: Present) -> list[int]:
    return [n for n, frame in enumerate(present.live) if frame["type"] == "positions"]


def events(present: Present) -> list[int]:
    return [n for n, frame in enumerate(present.live) if frame["type"] == "event"]


def late_update(present: Present) -> None:
    at = positions(present)
    present.live[at[4]], present.live[at[5]] = present.live[at[5]], present.live[at[4]]


def elsewhere(present: Present) -> None:
    present.live[positions(present)[7]]["drivers"][0]["latitude"] += 0.0001


def invented(present: Present) -> None:
    last = present.live[positions(present)[-1]]["drivers"][0]
    frame = {"type": "positions", "drivers": [{**last, "timestamp": last["timestamp"] + 5}]}
    present.live.insert(positions(present)[-1], frame)


def no_last_update(present: Present) -> None:
    del present.live[positions(present)[-1]]


def no_event(present: Present) -> None:
    del present.live[events(present)[2]]


def doubled_event(present: Present) -> None:
    at = events(present)[2]
    present.live.insert(at, present.live[at])


@pytest.mark.parametrize(
    "fault, named",
    [
        (late_update, "the map got an older position after a newer one, 1 times"),
        (elsewhere, "the map got a position elsewhere than it was, 1 times"),
        (invented, "the map got a position that nobody sent, 1 times"),
        (no_last_update, "the map does not show the last position of D1"),
        (no_event, "the map was not told of 1 events, the first"),
        (doubled_event, "the map was told of 1 events, the first"),
    ],
)
async def test_a_fault_of_the_map_is_named_by_each_watcher(truth: Truth, fault: Callable[[Present], None], named: str):
    present = faithful(truth)
    fault(present)
    found = await looked_at(present, truth, faulty=True)
    assert any(named in each for each in found), found
    assert any(each.startswith("map 1 ") for each in found) and len(found) >= 2, found


@pytest.mark.parametrize(
    "frame, change, named",
    [
        (0, {"orderNo": "ZG001"}, "showed another order"),
        (0, {"destination": {"latitude": 45.9, "longitude": 16.0}}, "showed another place"),
        (0, {"driver": {"latitude": 45.8, "longitude": 16.0, "timestamp": LEAVES}}, "showed a driver on another way"),
        (0, {"window": {"from": iso(PLANNED + 3600), "to": iso(PLANNED + 7200)}}, "promised another time"),
        (0, {"eta": iso(LEAVES - 2500)}, "estimated a time in the past"),
        (1, {"eta": iso(PLANNED + 86_400)}, "estimated a time far from the plan"),
        (2, {"eta": iso(PLANNED)}, "estimated when what has begun will begin"),
        (1, {"driver": {"latitude": 45.8, "longitude": 16.0, "timestamp": LEAVES + 90}}, "got an older position"),
        (1, {"status": "rejected"}, "showed rejected, which the order never was"),
        (2, {"status": "success"}, "went back to an open status"),
        (3, {"status": "servicing"}, "shows servicing, finished at"),
        (3, {"finishedAt": iso(LEAVES)}, "shows success, finished at"),
    ],
)
async def test_a_fault_of_a_page_is_named(truth: Truth, frame: int, change: Frame, named: str):
    present = faithful(truth)
    present.page[frame] = {**present.page[frame], **change}
    if named == "went back to an open status":
        present.page.insert(3, {**present.page[1]})
    found = await looked_at(present, truth, faulty=True)
    assert any(named in each and f"the page of order {ORDER}" in each for each in found), found


async def test_a_page_may_show_when_the_office_cancelled_an_order_also_one_that_was_delivered(truth: Truth):
    present = faithful(truth)
    truth.change(Cancelling(ORDER, None))
    truth.change(Cancelled(ORDER, None))
    present.page.append({**present.page[3], "status": "cancelled", "finishedAt": iso(LEAVES + 7200)})
    assert await looked_at(present, truth) == []
    present.page[-1]["status"] = "on_route"
    assert any("went back to an open status" in each for each in await looked_at(present, truth, faulty=True))


async def test_the_watcher_measures_from_sending_to_the_map():
    fix = Position(LEAVES, 45.8, 16.0)
    present = Present([shown(fix)])
    async with present.running() as url:
        watch = Watch(url, "key")
        assert await watch.start()
        assert watch.server_clock == (LEAVES, 40.0)
        assert present.asked[0]["drivers"] == "all" and present.asked[0]["events"] is True
        watch.noticed("D1", Positions(1, (fix,)))
        await asyncio.sleep(0.05)
        present.go.set()
        assert await watch.behind({"D1": fix.at_ms}, within_s=60) == []
        await watch.stop()
    assert len(watch.arrivals.latencies) == 1 and watch.arrivals.latencies.percentile(0.5) >= 45


def test_a_page_measures_from_sending_to_what_it_shows():
    fix = Position(LEAVES, 45.8, 16.0)
    stop = next(stop for stop in route(8).stops if stop.orderId == ORDER)
    gallery, page = Gallery(NOBODY, "key", 1), Recipient(NOBODY, "abc", stop, "D1", LEAVES, 1.0)
    assert len(gallery.page_latencies()) == 0
    gallery._recipients.append(page)
    shows = {"type": "state", "status": "on_route", "orderNo": stop.orderNo}
    page._read(json.dumps(shows))
    gallery.noticed("D1", Positions(1, (fix,)))
    time.sleep(0.05)
    van = {"latitude": fix.latitude, "longitude": fix.longitude, "timestamp": fix.timestamp}
    page._read(json.dumps({**shows, "driver": van}))
    assert not page.wrong and not page.arrivals.wrong
    measured = _measured(Measures(), gallery)
    assert measured["pageMs"]["p50"] >= 45 and sum(measured["histograms"]["pageMs"].values()) == 1


def test_what_a_page_did_not_wait_for_was_sent_all_the_same():
    """It was cut off, and hears after it that the driver is on the way, and where."""
    arrivals = Arrivals()
    for n in range(2):
        arrivals.noticed("D1", Positions(n, (Position(LEAVES + n, 45.8, 16.0),)), awaited=n == 0)
    arrivals.arrived("D1", Fix(LEAVES + 1, 45.8, 16.0), 0.0)
    assert not arrivals.wrong and len(arrivals.latencies) == 0
    arrivals.arrived("D1", Fix(LEAVES + 2, 45.8, 16.0), 0.0)
    assert arrivals.wrong == {"got a position that nobody sent": 1}


def test_what_a_run_sent_before_it_was_broken_off_may_be_shown_when_it_goes_on():
    arrivals = Arrivals()
    arrivals.before["D1"] = round(LEAVES * 1000) + 9000
    arrivals.noticed("D1", Positions(0, (Position(LEAVES, 45.8, 16.0),)))
    arrivals.arrived("D1", Fix(LEAVES + 9, 45.8, 16.0), 0.0)
    assert not arrivals.wrong
    arrivals.arrived("D1", Fix(LEAVES + 10, 45.8, 16.0), 0.0)
    assert arrivals.wrong == {"got a position that nobody sent": 1}


async def test_a_map_that_cannot_be_watched_is_told():
    watch = Watch(NOBODY, "key")
    assert not await watch.start(within_s=0.3)
    assert watch.trouble
    await watch.stop()


async def test_a_page_whose_order_went_to_another_driver_may_show_where_that_one_is_and_nobody_else(truth: Truth):
    mine, at_ms = truth.diaries["D1"], 0
    elsewhere = replace(route(8), stops=tuple(replace(stop, orderId=f"of-2-{stop.orderId}") for stop in route(8).stops))
    for number in range(2, 30):  # until one comes home later
        if at_ms <= mine.newest_ms():
            truth.diaries.pop("D2", None)
            other = truth.paired(Phone("D2", f"DRV{number:03}", "DRV002", "token", elsewhere))
            for step in other.steps():
                if isinstance(step, Send):
                    other.known(step.message.n, ACKNOWLEDGED | SENT)
            at_ms, ((last, _), *_rest) = max(other.fixes().items())
    present = faithful(truth)
    van = {"latitude": last.latitude, "longitude": last.longitude, "timestamp": last.timestamp}
    present.page[2] = {**present.page[2], "driver": van}
    named = f"the page of order {ORDER} got a position that nobody sent, 1 times"
    assert named in await looked_at(present, truth, faulty=True)
    truth.change(Replanned((ORDER,), (), {}))
    assert named not in await looked_at(present, truth, faulty=True)
    present.page[2]["driver"]["latitude"] += 0.001
    assert named in await looked_at(present, truth, faulty=True)


async def test_however_many_look_on_they_are_waited_for_together(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(room, "IN_ALL_S", 0.5)
    truth = Truth(Run(NOBODY, DATE, 7, "http", "", None, 5))
    diary = truth.paired(Phone("D1", "DRV001", "DRV001", "token", route(5)))
    fix = Positions(0, (Position(LEAVES, 45.8, 15.97),))
    diary.done(fix)
    truth.sent(diary, fix, LEAVES)
    truth.acknowledge(diary, fix, {})
    gallery = Gallery(NOBODY, "key", 300)
    async with asyncio.timeout(100):
        found = await gallery.differences(truth, every_event=False, within_s=1.0)
    assert len(found) == 301
