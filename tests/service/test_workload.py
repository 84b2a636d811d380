"""From orders and drivers to the planner's integers."""

import msgspec
import pytest

from backend.domain.accounts import Settings
from backend.domain.drivers import Break, Driver, Place, Vehicle
from backend.domain.orders import DateTimeWindow, Location, Order, TimeWindow
from backend.domain.plans import PlanRequest
from backend.domain.routes import Route, Stop
from backend.planning import problem
from backend.service import workload
from backend.service.workload import NO_PLACE, NOT_ALLOWED, RELATED, Shift

DAY = "2026-03-02"  # a Monday
HOUR = 3600
REQUEST = PlanRequest(DAY, DAY)


def order(**fields) -> Order:
    return Order("o1", "ORD1", DAY, "l1", duration_min=10, **fields)


def calendar(first: str = DAY, last: str | None = None, zone: str = "Europe/Zagreb") -> workload.Calendar:
    return workload.calendar(Settings(time_zone=zone), first, last or first)


def shift(vehicle: Vehicle | None = None, **fields) -> Shift:
    return Shift(Driver("d1", "Ana", **fields), vehicle, DAY)


def build(given: Order, place: Location | None = None, shifts=(), vehicles=(), request: PlanRequest = REQUEST):
    where = place or Location("l1", latitude=45.8, longitude=16.0)
    return workload.build(Settings(), request, calendar(), [(given, where)], shifts, vehicles)


def test_an_order_without_limits_has_no_windows() -> None:
    assert workload.windows(order(), calendar()) == ()


def test_a_time_window_counts_from_midnight() -> None:
    windows = (TimeWindow("11:00", "17:30"), TimeWindow("08:00", "09:00"))
    assert workload.windows(order(time_windows=windows), calendar()) == (
        (8 * HOUR, 9 * HOUR),
        (11 * HOUR, 17 * HOUR + 1800),
    )


def test_a_window_that_closes_before_it_opens_closes_on_the_next_day() -> None:
    assert workload.windows(order(time_windows=(TimeWindow("22:00", "02:00"),)), calendar()) == (
        (22 * HOUR, 26 * HOUR),
    )


def test_a_window_shorter_than_the_service_is_none() -> None:
    assert workload.windows(order(time_windows=(TimeWindow("10:00", "10:09"),)), calendar()) is None


def test_the_clock_change_moves_what_comes_after_it() -> None:
    summer = calendar("2026-03-29")  # at 02:00 it is 03:00
    assert workload.windows(order(time_windows=(TimeWindow("01:00", "10:00"),)), summer) == ((HOUR, 9 * HOUR),)
    winter = calendar("2026-10-25")  # at 03:00 it is 02:00
    assert workload.windows(order(time_windows=(TimeWindow("01:00", "10:00"),)), winter) == ((HOUR, 11 * HOUR),)


def test_a_moment_window_limits_the_begin_and_not_the_end() -> None:
    moments = (DateTimeWindow("2026-03-01T00:00:00", "2026-03-02T12:00:00"),)
    assert workload.windows(order(allowed_date_times=moments), calendar()) == ((0, 12 * HOUR + 600),)
    both = order(allowed_date_times=moments, time_windows=(TimeWindow("11:30", "17:00"),))
    assert workload.windows(both, calendar()) == ((11 * HOUR + 1800, 12 * HOUR + 600),)
    past = order(allowed_date_times=(DateTimeWindow(None, "2026-03-01T12:00:00"),))
    assert workload.windows(past, calendar()) is None


def test_a_week_has_the_windows_of_its_allowed_days() -> None:
    week = calendar(DAY, "2026-03-06")
    given = order(allowed_weekdays=("tue", "thu"), time_windows=(TimeWindow("08:00", "09:00"),))
    assert workload.windows(given, week) == ((32 * HOUR, 33 * HOUR), (80 * HOUR, 81 * HOUR))
    assert workload.windows(order(), week) == ()
    assert workload.windows(order(allowed_from="2026-03-05"), week) == ((72 * HOUR, 96 * HOUR), (96 * HOUR, 120 * HOUR))


@pytest.mark.parametrize(
    "limits",
    [
        {"allowed_weekdays": ("sun",)},
        {"allowed_from": "2026-03-03"},
        {"allowed_to": "2026-03-01"},
        {"allowed_weekdays": ()},
    ],
)
def test_what_is_not_allowed_on_the_day_is_left_out(limits: dict) -> None:
    stated, left_out = build(order(**limits))
    assert stated.stops == () and left_out == {"o1": NOT_ALLOWED}


def test_what_has_no_place_is_left_out() -> None:
    _, left_out = build(order(), Location("l1", valid=False))
    assert left_out == {"o1": NO_PLACE}


def test_an_order_becomes_a_stop() -> None:
    place = Location("l1", latitude=45.8, longitude=16.0, check_in_min=3)
    given = order(type="P", loads=(1.5, 0, 2, 0), priority="C", skills=("SK",), vehicle_features=("FR",))
    stated, _ = build(given, place)
    assert stated.stops == (
        problem.Stop(
            key="o1",
            place=problem.Place(45.8, 16.0),
            service_s=600,
            check_in_s=180,
            kind="pickup",
            load=(1500, 0, 2000, 0),
            priority=3,
            skills=frozenset({"SK"}),
            features=frozenset({"FR"}),
        ),
    )


def test_an_assigned_order_is_for_its_driver_alone_who_may_be_away() -> None:
    here, _ = build(order(assigned_driver_id="d1"), shifts=[shift()])
    away, _ = build(order(assigned_driver_id="d2"), shifts=[shift()])
    assert here.stops[0].vehicles == {f"d1|{DAY}"} and away.stops[0].vehicles == frozenset()


PLACE = Location("L", latitude=45.8, longitude=16.0)
PICKUP = Order("P", None, DAY, "L", type="P", loads=(5, 0, 0, 0))


def stated(*orders: Order, kept: tuple[Stop, ...] = ()) -> problem.Problem:
    shifts = [Shift(Driver("ana", "Ana"), None, DAY, kept)]
    pairs = [(each, PLACE) for each in orders]
    return workload.build(Settings(), REQUEST, calendar(), pairs, shifts, [])[0]


@pytest.mark.parametrize("told_by", ["P", "D"])
def test_a_delivery_brings_what_its_related_pickup_takes_up_whichever_of_them_says_so(told_by: str) -> None:
    pickup = Order("P", None, DAY, "L", type="P", loads=(5, 0, 0, 0), related_id="D" if told_by == "P" else None)
    delivery = Order("D", None, DAY, "L", type="D", loads=(1, 0, 0, 0), related_id="P" if told_by == "D" else None)
    for orders in ((pickup, delivery), (delivery, pickup)):
        stops = {stop.key: stop for stop in stated(*orders).stops}
        assert (stops["D"].source, stops["D"].load) == ("P", (5000, 0, 0, 0))
        assert stops["P"].source is None


def test_a_pickup_is_related_to_one_delivery_and_an_order_of_another_day_to_none() -> None:
    deliveries = [Order(key, None, DAY, "L", type="D", related_id="P") for key in "DE"]
    assert [stop.source for stop in stated(PICKUP, *deliveries).stops] == [None, "P", None]
    assert stated(deliveries[0]).stops[0].source is None


def test_what_was_picked_up_already_is_delivered_by_the_same_driver() -> None:
    kept = (Stop(1, "P", 45.8, 16.0, 0, 0, 0, 0, 0),)
    (stop,) = stated(Order("D", None, DAY, "L", type="D", related_id="P"), kept=kept).stops
    assert stop.source is None and stop.vehicles == frozenset({f"ana|{DAY}"})


def test_an_order_is_left_out_with_the_one_it_is_related_to() -> None:
    closed = msgspec.structs.replace(PICKUP, allowed_weekdays=("sun",))
    delivery = Order("D", None, DAY, "L", type="D", related_id="P")
    _, left_out = workload.build(Settings(), REQUEST, calendar(), [(closed, PLACE), (delivery, PLACE)], [], [])
    assert left_out == {"P": NOT_ALLOWED, "D": RELATED}


@pytest.mark.parametrize("told_by", ["P", "D"])
@pytest.mark.parametrize("asked", ["P", "D"])
def test_what_is_related_to_an_order_that_is_not_planned_now_waits_for_it(asked: str, told_by: str) -> None:
    both = {
        "P": msgspec.structs.replace(PICKUP, related_id="D" if told_by == "P" else None),
        "D": Order("D", None, DAY, "L", type="D", related_id="P" if told_by == "D" else None),
    }
    now = both.pop(asked)
    _, left_out = workload.build(Settings(), REQUEST, calendar(), [(now, PLACE)], [], [], both.values())
    assert left_out == {asked: RELATED}


def test_a_driver_in_a_vehicle_becomes_a_vehicle() -> None:
    van = Vehicle("v1", features=("FR",), capacities=(10, 0, 2.5, 0))
    depot = Place(45.0, 16.0)
    stated, _ = build(order(), shifts=[shift(van, skills=("SK",), start=depot)], vehicles=[van])
    assert stated.vehicles == (
        problem.Vehicle(
            key=f"d1|{DAY}",
            from_s=8 * HOUR,
            to_s=17 * HOUR,
            start=problem.Place(45.0, 16.0),
            capacity=(10_000, None, 2500, None),  # nobody counts the second and the fourth load
            skills=frozenset({"SK"}),
            features=frozenset({"FR"}),
        ),
    )


def test_a_load_that_some_vehicle_has_room_for_is_counted_in_all_of_them() -> None:
    small, large = Vehicle("v1", capacities=(10, 0, 0, 0)), Vehicle("v2", capacities=(10, 5, 0, 0))
    stated, _ = build(order(), shifts=[shift(small), shift(None)], vehicles=[small, large])
    assert [each.capacity for each in stated.vehicles] == [(10_000, 0, None, None), (None, None, None, None)]


def test_a_night_shift_ends_on_the_next_day() -> None:
    stated, _ = build(order(), shifts=[shift(work_from="22:00", work_to="06:00")])
    assert (stated.vehicles[0].from_s, stated.vehicles[0].to_s) == (22 * HOUR, 30 * HOUR)


def test_who_is_under_way_goes_on_from_the_last_stop_that_has_begun() -> None:
    noon = calendar().origin_s + 12 * HOUR
    begun = Stop(1, "o0", 46.0, 16.5, noon, noon, noon + 600, 60, 500)
    under_way = Shift(Driver("d1", "Ana", start=Place(45.0, 16.0)), None, DAY, kept=(begun,))
    stated, _ = build(order(), shifts=[under_way])
    assert (stated.vehicles[0].from_s, stated.vehicles[0].start) == (12 * HOUR + 600, problem.Place(46.0, 16.5))


NOON = Break("12:00", "13:00", 30)


def test_a_break_counts_from_midnight_of_the_day_on_which_the_driver_has_it() -> None:
    stated, _ = build(order(), shifts=[shift(breaks=(Break("15:00", "15:30", 15), NOON))])
    rests = [(each.opens_s, each.closes_s, each.duration_s) for each in stated.vehicles[0].breaks]
    assert rests == [(12 * HOUR, 13 * HOUR, 1800), (15 * HOUR, 15 * HOUR + 1800, 900)]
    night = shift(breaks=(Break("23:30", "00:30", 30), Break("02:00", "03:00", 30)), work_from="22:00", work_to="06:00")
    stated, _ = build(order(), shifts=[night])
    assert [each.opens_s // 1800 for each in stated.vehicles[0].breaks] == [47, 52]


def test_a_break_that_is_past_is_not_taken_again() -> None:
    at = calendar().origin_s + 12 * HOUR + 600
    rest = Stop(1, None, 46.0, 16.5, at, at, at + 1800, 0, 0, "break")
    served = Stop(2, "o0", 46.0, 16.5, at + 1800, at + 1800, at + 2000, 0, 0)
    driver = Driver("d1", "Ana", breaks=(NOON, Break("14:00", "15:00", 30)))
    for kept in ((rest, served), (msgspec.structs.replace(served, departure_s=at + 3000),)):
        stated, _ = build(order(), shifts=[Shift(driver, None, DAY, kept=kept)])
        assert [each.opens_s for each in stated.vehicles[0].breaks] == [14 * HOUR]


def test_depot_trips_are_for_drivers_whose_loads_are_counted() -> None:
    van, trips = Vehicle("v1", capacities=(10, 0, 0, 0)), PlanRequest(DAY, DAY, depot_trips=True, depot_visit_min=10)
    both = [shift(van, start=Place(45.0, 16.0)), shift(None)]
    stated, _ = build(order(), shifts=both, vehicles=[van], request=trips)
    assert [(each.reloads, each.reload_s) for each in stated.vehicles] == [(workload.MOST_RETURNS, 600), (0, 600)]
    stated, _ = build(order(), shifts=both, vehicles=[van])
    assert [(each.reloads, each.reload_s) for each in stated.vehicles] == [(0, 0), (0, 0)]


def test_who_is_under_way_reloads_where_the_day_began() -> None:
    noon = calendar().origin_s + 12 * HOUR
    begun = Stop(1, "o0", 46.0, 16.5, noon, noon, noon + 600, 60, 500)
    van = Vehicle("v1", capacities=(10, 0, 0, 0))
    under_way = Shift(Driver("d1", "Ana", start=Place(45.0, 16.0)), van, DAY, kept=(begun,))
    request = PlanRequest(DAY, DAY, depot_trips=True)
    stated, _ = build(order(), shifts=[under_way], vehicles=[van], request=request)
    assert stated.vehicles[0].depot == problem.Place(45.0, 16.0)


def test_overtime_comes_behind_the_working_time() -> None:
    stated, _ = build(order(), shifts=[shift(overtime_min=90)])
    assert (stated.vehicles[0].to_s, stated.vehicles[0].overtime_s) == (18 * HOUR + 1800, 5400)


def test_who_has_no_costs_is_reckoned_with_at_the_mean_of_the_others() -> None:
    vans = [Vehicle(f"v{n}", cost_per_km=cost) for n, cost in enumerate((0.5, None, 1.0))]
    shifts = [shift(van, cost_per_hour=cost) for van, cost in zip(vans, (20, 30, None), strict=True)]
    stated, _ = build(order(), shifts=shifts, vehicles=vans)
    assert [(each.per_hour, each.per_km) for each in stated.vehicles] == [(20_000, 500), (30_000, 750), (25_000, 1000)]
    stated, _ = build(order(), shifts=[shift()])
    assert (stated.vehicles[0].per_hour, stated.vehicles[0].per_km) == (0, 0)


def test_a_locked_route_keeps_its_visits_to_the_depot_and_another_one_does_not() -> None:
    at, van = calendar().origin_s + 9 * HOUR, Vehicle("v1", capacities=(10, 0, 0, 0))
    stops = (
        Stop(1, "gone", 46.0, 16.5, at, at, at, 60, 500),
        Stop(2, None, 45.0, 16.0, at, at, at + 300, 60, 500, "depot"),
        Stop(3, "o1", 46.0, 16.5, at, at, at, 60, 500),
        Stop(4, None, 45.0, 16.0, at, at, at + 600, 60, 500, "depot"),
    )
    given = Shift(Driver("d1", "Ana"), van, DAY, planned=Route("d1", DAY, "v1", stops, 0, 0, at, at))

    def stated(lock: str) -> problem.Problem:
        request = PlanRequest(DAY, DAY, start_with="CURRENT", lock=lock)
        return build(order(), shifts=[given], vehicles=[van], request=request)[0]

    assert stated("ROUTES").options.existing == (problem.Existing(given.key, ("o1", problem.DEPOT)),)
    assert (stated("ROUTES").vehicles[0].reloads, stated("ROUTES").vehicles[0].reload_s) == (2, 600)
    assert stated("NONE").vehicles[0].reloads == 0
