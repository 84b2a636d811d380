"""Actions through the journal into the database, and what orders and routes are then."""

import asyncio
import random
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, update

from backend.domain.accounts import Settings
from backend.domain.events import Action, Form, Kind, StatusSet
from backend.domain.orders import Status
from backend.domain.progress import fold_duty
from backend.service import settle as settling
from backend.service.settle import Outcome
from backend.store import facts, standing
from backend.store.database import Database
from backend.store.journal import Journal
from backend.store.tables import attachments, orders
from tests.service import builders
from tests.service.builders import MORNING_MS, NOW_MS, action


async def do(store, device, *actions: Action, now_ms: int = NOW_MS) -> list[Outcome]:
    return await store.journal.transact(lambda conn: settling.settle(conn, device, actions, now_ms))


@pytest.fixture
async def day(store):
    """A driver's phone and the three orders of its route."""

    def build(conn):
        device = builders.add_device(conn, builders.add_account(conn))
        return device, builders.add_route(conn, device, 3)

    return await store.journal.transact(build)


def codes(outcomes: list[Outcome]) -> list[str | None]:
    return [outcome.code for outcome in outcomes]


async def test_a_day_is_told_in_order(store, day):
    phone, (first, second, third) = day
    read = store.database.read
    await do(store, phone, action(1, "on_duty", 0), action(2, "start_route", 1))
    assert await read(lambda conn: builders.statuses(conn, [first, second, third])) == [
        "on_route", "scheduled", "scheduled",
    ]  # fmt: skip
    [started] = await do(store, phone, action(3, "start_service", 10, first))
    [ended] = await do(store, phone, action(4, "success", 15, first, note="left at the door"))
    assert (started.status, ended.status) == ("servicing", "success")
    assert await read(lambda conn: builders.statuses(conn, [first, second, third])) == [
        "success", "on_route", "scheduled",
    ]  # fmt: skip
    state = await read(lambda conn: builders.state(conn, first))
    assert (state.started_ms, state.finished_ms) == (MORNING_MS + 600_000, MORNING_MS + 900_000)
    assert state.form == Form(note="left at the door")
    await do(store, phone, action(5, "end_route", 20))
    assert await read(lambda conn: builders.statuses(conn, [first, second, third])) == [
        "success", "scheduled", "scheduled",
    ]  # fmt: skip
    progress = await read(lambda conn: builders.progress(conn, first))
    assert (progress.started_ms, progress.ended_ms) == (MORNING_MS + 60_000, MORNING_MS + 1_200_000)


async def test_the_last_to_arrive_is_not_the_latest(store, day):
    phone, (first, *_) = day
    await do(store, phone, action(1, "success", 30, first))
    [late] = await do(store, phone, action(2, "failed", 20, first))
    assert late.status == "success"
    assert (await store.database.read(lambda conn: builders.statuses(conn, [first]))) == ["success"]


async def test_an_action_sent_again_is_stored_once_and_answered_the_same(store, day):
    phone, (first, *_) = day
    once = action(1, "success", 5, first, note="x")
    [fresh] = await do(store, phone, once)
    again = await do(store, phone, once, once)
    assert (fresh.duplicate, [each.duplicate for each in again]) == (False, [True, True])
    assert {each.status for each in [fresh, *again]} == {"success"}
    page = await store.database.read(lambda conn: facts.since(conn, phone.account.id, 0, 500))
    assert len(page.facts) == 1


async def test_the_same_action_twice_in_one_request_is_a_duplicate(store, day):
    phone, (first, *_) = day
    outcomes = await do(store, phone, action(1, "success", 5, first), action(1, "success", 5, first))
    assert [each.duplicate for each in outcomes] == [False, True]


async def test_the_same_id_with_other_content_is_refused_and_changes_nothing(store, day):
    phone, (first, *_) = day
    await do(store, phone, action(1, "success", 5, first))
    assert codes(await do(store, phone, action(1, "failed", 5, first))) == ["ERR_ACTION_ID_REUSED"]
    assert await store.database.read(lambda conn: builders.statuses(conn, [first])) == ["success"]


async def test_a_bad_action_is_refused_alone(store, day):
    phone, (first, second, _) = day
    outcomes = await do(
        store,
        phone,
        action(1, "success", 5, first),
        action(2, "success", 5, "nobody's"),
        action(3, "success", 60 * 24, second),
        action(4, "failed", 6, second),
    )
    assert codes(outcomes) == [None, "ERR_ORDER_NOT_FOUND", "ERR_TIMESTAMP_FUTURE", None]
    assert await store.database.read(lambda conn: builders.statuses(conn, [first, second])) == ["success", "failed"]


async def test_an_order_of_another_driver_or_account_is_not_found(store, day):
    _, (first, *_) = day

    def others(conn):
        mine = builders.add_device(conn, builders.add_account(conn))
        return mine, builders.add_route(conn, mine, 1)[0]

    stranger, _ = await store.journal.transact(others)
    assert codes(await do(store, stranger, action(1, "success", 5, first))) == ["ERR_ORDER_NOT_FOUND"]
    by_number = action(2, "success", 5, order_no=f"ORD-{first}")
    assert codes(await do(store, stranger, by_number)) == ["ERR_ORDER_NOT_FOUND"]


async def test_an_order_can_be_named_by_its_number_and_the_nearest_day_counts(store):
    def build(conn):
        device = builders.add_device(conn, builders.add_account(conn))
        [today] = builders.add_route(conn, device, 1)
        [before] = builders.add_route(conn, device, 1, date="2026-02-20")
        conn.execute(update(orders).where(orders.c.id.in_([today, before])).values(order_no="SAME"))
        return device, today, before

    phone, today, before = await store.journal.transact(build)
    await do(store, phone, action(1, "success", 5, order_no="SAME"))
    assert await store.database.read(lambda conn: builders.statuses(conn, [today, before])) == ["success", "scheduled"]


async def test_a_start_of_the_route_belongs_to_the_local_date(store):
    """Shortly after midnight in Auckland it is still the day before in UTC."""

    def build(conn):
        account = builders.add_account(conn, Settings(time_zone="Pacific/Auckland"))
        device = builders.add_device(conn, account)
        return device, builders.add_route(conn, device, 1, date="2026-03-03"), builders.add_route(conn, device, 1)

    phone, [tomorrow], [today] = await store.journal.transact(build)
    await do(store, phone, action(1, "start_route", 5.5 * 60))
    assert await store.database.read(lambda conn: builders.statuses(conn, [tomorrow, today])) == [
        "on_route", "scheduled",
    ]  # fmt: skip


async def test_a_route_that_was_started_before_it_was_sent_is_started_once_it_is(store):
    phone = await store.journal.transact(lambda conn: builders.add_device(conn, builders.add_account(conn)))
    await do(store, phone, action(1, "start_route", 5))

    def send(conn):
        ids = builders.add_route(conn, phone, 2)
        route_id = standing.standing_orders(conn, ids)[ids[0]].active_route_id
        settling.sent(conn, phone.account, [route_id])
        return ids

    ids = await store.journal.transact(send)
    assert await store.database.read(lambda conn: builders.statuses(conn, ids)) == ["on_route", "scheduled"]


async def test_what_was_taken_for_another_days_route_moves_to_its_own_once_that_is_sent(store):
    def yesterday(conn):
        phone = builders.add_device(conn, builders.add_account(conn))
        return phone, builders.add_route(conn, phone, 1, date="2026-03-01")

    phone, before = await store.journal.transact(yesterday)
    await do(store, phone, action(1, "start_route", 5))
    assert await store.database.read(lambda conn: builders.statuses(conn, before)) == ["on_route"]

    def send(conn):
        ids = builders.add_route(conn, phone, 1)
        settling.sent(conn, phone.account, [standing.standing_orders(conn, ids)[ids[0]].active_route_id])
        return ids

    today = await store.journal.transact(send)
    shown = await store.database.read(lambda conn: builders.statuses(conn, [*before, *today]))
    assert shown == ["scheduled", "on_route"]


async def test_the_office_cancels_an_order_that_is_on_no_route(store):
    def build(conn):
        account = builders.add_account(conn)
        builders.add_order(conn, account, "loose")
        said = StatusSet(id="a", at_ms=NOW_MS, order_id="loose", status=Status.CANCELLED)
        settling.settle_office(conn, account, [said], NOW_MS)
        return account

    account = await store.journal.transact(build)
    assert await store.database.read(lambda conn: builders.statuses(conn, ["loose"])) == ["cancelled"]
    assert (await store.database.read(lambda conn: facts.since(conn, account.id, 0, 500))).facts == []


async def test_a_strict_account_is_told_what_came_out_of_order_also_when_it_turns_out_later(store):
    def build(conn):
        account = builders.add_account(conn, Settings(strict_stop_order=True))
        device = builders.add_device(conn, account)
        return device, builders.add_route(conn, device, 2)

    phone, (first, second) = await store.journal.transact(build)

    async def odd():
        page = await store.database.read(lambda conn: facts.since(conn, phone.account.id, 0, 500))
        return [each.fact.order_id for each in page.facts if each.out_of_order]

    outcomes = await do(store, phone, action(1, "success", 20, second))
    assert outcomes[0].success
    assert await odd() == [second]
    assert (await store.database.read(lambda conn: builders.state(conn, second))).out_of_order
    await do(store, phone, action(2, "success", 10, first))
    assert await odd() == []
    assert not (await store.database.read(lambda conn: builders.state(conn, second))).out_of_order


async def test_an_action_may_name_attachments_of_its_own_driver_that_have_not_come_yet(store, day):
    phone, (first, second, _) = day
    file = str(uuid.UUID(int=7))
    named = action(1, "success", 5, first, form=Form(images=(file,)))
    assert codes(await do(store, phone, named)) == [None]
    columns = {"kind": "image", "type": "image/png", "size": 1, "sha256": "0" * 64, "arrived_ms": 1}
    row = {"account_id": phone.account.id, "id": str(uuid.UUID(int=8)), "driver_id": "somebody", **columns}
    await store.journal.transact(lambda conn: conn.execute(insert(attachments).values(row)) and None)
    stolen = action(2, "success", 6, second, form=Form(signature=str(uuid.UUID(int=8))))
    assert codes(await do(store, phone, stolen)) == ["ERR_ACTION_INVALID"]


async def test_events_come_in_order_of_arrival_each_once_and_what_remains_is_exact(store, day):
    phone, (first, *_) = day
    for number in range(1, 8):
        await do(store, phone, action(number, "start_service", 100 - number, first))
    seen, after = [], 0
    while True:
        page = await store.database.read(lambda conn, after=after: facts.since(conn, phone.account.id, after, 3))
        seen += [each.fact.id for each in page.facts]
        assert page.remaining == 7 - len(seen)
        if not page.facts:
            break
        after = page.facts[-1].sequence
    assert seen == [builders.name(number) for number in range(1, 8)]


ORDER_KINDS = ["start_service", "success", "failed", "rejected", "cancelled"]
OTHER_KINDS = ["on_duty", "off_duty", "start_route", "end_route", "start_time_changed"]
said = st.one_of(
    st.tuples(st.sampled_from(ORDER_KINDS), st.integers(0, 3), st.integers(0, 12)),
    st.tuples(st.sampled_from(OTHER_KINDS), st.just(0), st.integers(0, 12)),
)


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(history=st.lists(said, min_size=1, max_size=25), chance=st.randoms(use_true_random=False))
def test_any_history_in_any_order_of_arrival_comes_to_what_a_plain_model_says(database, history, chance):
    """One database for all histories; each has an account of its own in it."""
    journal = Journal(database)
    try:
        asyncio.run(_check_history(database, journal, history, chance))
    finally:
        asyncio.run(journal.close())


async def _check_history(database: Database, journal: Journal, history: list, chance: random.Random) -> None:
    def build(conn):
        device = builders.add_device(conn, builders.add_account(conn))
        return device, builders.add_route(conn, device, 4)

    phone, orders = await journal.transact(build)
    arrivals = list(enumerate(history, 1))
    arrivals += [chance.choice(arrivals) for _ in range(chance.randint(0, len(arrivals)))]
    chance.shuffle(arrivals)
    told_by_office = set()
    while arrivals:
        batch = [arrivals.pop() for _ in range(min(len(arrivals), chance.randint(1, 6)))]
        actions = [_as_action(number, item, orders) for number, item in batch if item[0] != "cancelled"]
        by_office = {number: item for number, item in batch if item[0] == "cancelled" and number not in told_by_office}
        told_by_office |= by_office.keys()
        changes = [
            lambda conn, actions=actions: settling.settle(conn, phone, actions, NOW_MS),
            lambda conn, said=by_office: settling.settle_office(
                conn, phone.account, [_as_fact(number, item, orders) for number, item in said.items()], NOW_MS
            ),
        ]
        await asyncio.gather(*(journal.transact(change) for change in changes))

    expected = Model(history)
    shown = await database.read(lambda conn: builders.statuses(conn, orders))
    assert shown == [expected.status(order) for order in range(4)]
    for order in range(4):
        state = await database.read(lambda conn, order=order: builders.state(conn, orders[order]))
        assert (state.started_ms, state.finished_ms) == (expected.started_ms(order), expected.finished_ms(order))
    duty = await database.read(lambda conn: facts.duty_of(conn, [phone.driver_id]))
    assert fold_duty(duty.get(phone.driver_id, ())) == expected.on_duty()
    page = await database.read(lambda conn: facts.since(conn, phone.account.id, 0, 500))
    from_phone = {builders.name(number) for number, item in enumerate(history, 1) if item[0] != "cancelled"}
    assert sorted(each.fact.id for each in page.facts) == sorted(from_phone)


def _as_action(number: int, item: tuple[str, int, int], orders: list[str]) -> Action:
    kind, order, minute = item
    more = {"planned_start_time": MORNING_MS / 1000} if kind == "start_time_changed" else {}
    return action(number, Kind(kind), minute, orders[order] if kind in ORDER_KINDS else None, **more)


def _as_fact(number: int, item: tuple[str, int, int], orders: list[str]) -> StatusSet:
    at_ms = MORNING_MS + item[2] * 60_000
    return StatusSet(id=builders.name(number), at_ms=at_ms, order_id=orders[item[1]], status=Status.CANCELLED)


class Model:
    """The rules once more, told as plainly as they are written down: sort what was said, look for the last."""

    def __init__(self, history: list[tuple[str, int, int]]) -> None:
        self.said = sorted((minute, number, kind, order) for number, (kind, order, minute) in enumerate(history, 1))

    def of(self, order: int) -> list[tuple[int, str]]:
        return [(minute, kind) for minute, _, kind, about in self.said if kind in ORDER_KINDS and about == order]

    def endings(self, order: int) -> list[tuple[int, str]]:
        return [(minute, kind) for minute, kind in self.of(order) if kind != "start_service"]

    def own_status(self, order: int) -> str | None:
        if endings := self.endings(order):
            return endings[-1][1]
        return "servicing" if self.of(order) else None

    def status(self, order: int) -> str:
        return self.own_status(order) or ("on_route" if self.on_route() == order else "scheduled")

    def on_route(self) -> int | None:
        route = [kind for _, _, kind, _ in self.said if kind in ("start_route", "end_route")]
        driven = any(kind in ("success", "failed", "rejected") for _, _, kind, _ in self.said)
        if not ("start_route" in route or driven) or route[-1:] == ["end_route"]:
            return None
        unfinished = [order for order in range(4) if not self.endings(order)]
        return unfinished[0] if unfinished else None

    def started_ms(self, order: int) -> int | None:
        for minute, kind in self.of(order):
            if kind != "start_service":
                return None
            return MORNING_MS + minute * 60_000
        return None

    def finished_ms(self, order: int) -> int | None:
        """The office's word does not move the moment at which the driver was done."""
        done = None
        for minute, kind in self.endings(order):
            done = minute if done is None or kind != "cancelled" else done
        return None if done is None else MORNING_MS + done * 60_000

    def on_duty(self) -> bool:
        return [kind for _, _, kind, _ in self.said if kind in ("on_duty", "off_duty")][-1:] == ["on_duty"]
