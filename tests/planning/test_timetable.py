"""The times of a route whose order is fixed."""

from backend.planning.matrix import travel
from backend.planning.problem import Break, Problem, Route
from backend.planning.timetable import timetable
from tests.planning.builders import DEPOT, HOUR, at, problem, stop, vehicle


def drive(asked: Problem, *order: int) -> Route | None:
    return timetable(asked, travel(asked), 0, order or range(len(asked.stops)))


def times(route: Route | None) -> list[tuple[int, int, int]]:
    assert route is not None
    return [(visit.arrival_s, visit.start_s, visit.departure_s) for visit in route.visits]


def test_a_route_leaves_at_the_begin_of_the_shift_and_adds_travel_and_service() -> None:
    route = drive(problem(stop("A", 1, service_s=60), stop("B", 3), vehicle(from_s=1000, to_s=9000)))
    assert times(route) == [(1100, 1100, 1160), (1360, 1360, 1360)]
    assert route and (route.departure_s, route.finish_s) == (1000, 1660)
    assert (route.travel_s, route.distance_m) == (600, 6000)
    assert [(visit.travel_s, visit.distance_m) for visit in route.visits] == [(100, 1000), (200, 2000)]


def test_a_driver_leaves_late_rather_than_wait_at_the_first_stop() -> None:
    route = drive(problem(stop("A", 1, windows=((5000, 6000),)), vehicle(from_s=1000, to_s=9000)))
    assert times(route) == [(5000, 5000, 5000)]
    assert route and (route.departure_s, route.finish_s) == (4900, 5100)


def test_a_driver_waits_where_waiting_cannot_be_avoided() -> None:
    asked = problem(
        stop("A", 1, windows=((1000, 1500),)), stop("B", 2, windows=((5000, 6000),)), vehicle(from_s=0, to_s=9000)
    )
    assert times(drive(asked)) == [(1500, 1500, 1500), (1600, 5000, 5000)]


def test_the_second_window_is_taken_where_the_first_is_over() -> None:
    asked = problem(stop("A", 30, windows=((1000, 2000), (5000, 6000))), vehicle(from_s=0, to_s=9000))
    assert times(drive(asked)) == [(5000, 5000, 5000)]


def test_a_window_holds_the_whole_service() -> None:
    fits = problem(stop("A", 1, service_s=500, windows=((1000, 1500),)), vehicle(from_s=0, to_s=9000))
    assert times(drive(fits)) == [(1000, 1000, 1500)]
    assert drive(problem(stop("A", 1, service_s=501, windows=((1000, 1500),)), vehicle(from_s=0, to_s=9000))) is None


def test_check_in_passes_once_for_consecutive_stops_at_a_location_and_while_waiting() -> None:
    shift = vehicle(from_s=0, to_s=9000)
    twice = problem(stop("A", 1, check_in_s=180, service_s=60), stop("B", 1, check_in_s=180, service_s=60), shift)
    assert times(drive(twice)) == [(100, 280, 340), (340, 340, 400)]
    waiting = problem(stop("A", 1, check_in_s=180, windows=((300, 400),)), stop("B", 1), shift)
    assert times(drive(waiting))[0] == (120, 300, 300)


def test_a_route_without_start_begins_at_its_first_stop_and_one_without_end_ends_at_its_last() -> None:
    route = drive(
        problem(stop("A", 5), stop("B", 7, service_s=60), vehicle(start=None, end=None, from_s=1000, to_s=9000))
    )
    assert times(route) == [(1000, 1000, 1000), (1200, 1200, 1260)]
    assert route and (route.departure_s, route.finish_s, route.distance_m, route.travel_s) == (1000, 1260, 2000, 200)


def test_a_route_may_end_elsewhere_and_after_midnight() -> None:
    route = drive(problem(stop("A", 1), vehicle(start=DEPOT, end=at(3), from_s=86_300, to_s=87_000)))
    assert times(route) == [(86_400, 86_400, 86_400)]
    assert route and route.finish_s == 86_600


def test_a_route_that_ends_after_the_shift_cannot_be_driven() -> None:
    asked = problem(stop("A", 9), vehicle(from_s=8 * HOUR, to_s=8 * HOUR + 1799))
    assert drive(asked) is None


NOON = Break(1000, 2000, 500)


def rests(route: Route | None) -> list[tuple[int, int, int, int, float | None]]:
    """Arrival, beginning, end, travel and the place in steps of each break."""
    assert route is not None
    taken = [visit for visit in route.visits if visit.kind == "break"]
    return [
        (v.arrival_s, v.start_s, v.departure_s, v.travel_s, v.place and round(v.place.longitude / at(1).longitude, 3))
        for v in taken
    ]


def test_a_break_is_taken_where_the_driver_is_when_its_time_has_come() -> None:
    asked = problem(stop("A", 1, service_s=1100), stop("B", 3), vehicle(from_s=0, to_s=9000, breaks=(NOON,)))
    route = drive(asked)
    assert rests(route) == [(1200, 1200, 1700, 0, 1)]
    assert times(route) == [(100, 100, 1200), (1200, 1200, 1700), (1900, 1900, 1900)]


def test_a_break_is_rather_taken_at_the_next_stop_than_on_the_way_to_it() -> None:
    asked = problem(stop("A", 1, service_s=800), stop("B", 4), vehicle(from_s=0, to_s=9000, breaks=(NOON,)))
    assert rests(drive(asked)) == [(1200, 1200, 1700, 300, 4)]
    long_way = problem(stop("A", 1), stop("B", 21), vehicle(from_s=0, to_s=9000, breaks=(NOON,)))
    route = drive(long_way)
    assert rests(route) == [(1500, 1500, 2000, 1400, 15)]
    assert times(route)[-1] == (2600, 2600, 2600)
    assert route and [visit.distance_m for visit in route.visits] == [1000, 14_000, 6000]


def test_a_wait_is_a_break_and_costs_no_time() -> None:
    asked = problem(
        stop("A", 1, windows=((500, 500),)), stop("B", 2, windows=((1800, 1900),)), vehicle(from_s=0, to_s=9000)
    )
    alone = drive(asked)
    both = drive(problem(*asked.stops, vehicle(from_s=0, to_s=9000, breaks=(NOON,))))
    assert rests(both) == [(600, 1000, 1500, 100, 2)]
    assert alone and both and alone.finish_s == both.finish_s


def test_a_driver_who_is_done_before_or_begins_after_a_break_needs_none_on_the_route() -> None:
    short = drive(problem(stop("A", 7, service_s=100), vehicle(from_s=0, to_s=9000, breaks=(NOON,))))
    assert rests(short) == [] and short and short.finish_s == 1500
    longer = drive(problem(stop("A", 7, service_s=101), vehicle(from_s=0, to_s=9000, breaks=(NOON,))))
    assert len(rests(longer)) == 1 and longer and longer.finish_s == 2001
    late = drive(problem(stop("A", 1, windows=((1600, 1600),)), vehicle(from_s=0, to_s=9000, breaks=(NOON,))))
    assert rests(late) == [] and late and late.departure_s == 1500


def test_a_route_on_which_no_break_can_be_kept_cannot_be_driven() -> None:
    stops = stop("A", 1, windows=((900, 1100),)), stop("B", 1, service_s=450, windows=((1000, 1900),))
    assert drive(problem(*stops, vehicle(from_s=0, to_s=9000))) is not None
    assert drive(problem(*stops, vehicle(from_s=0, to_s=9000, breaks=(Break(1000, 1800, 500),)))) is None


def test_several_breaks_are_kept_one_after_the_other() -> None:
    asked = problem(
        stop("A", 1, service_s=2000),
        vehicle(from_s=0, to_s=9000, breaks=(Break(100, 700, 100), Break(2000, 3000, 200))),
    )
    route = drive(asked)
    assert route and [(visit.kind, visit.start_s) for visit in route.visits] == [("break", 100), ("stop", 200)]
    assert route.finish_s == 2300


def test_a_vehicle_reloads_at_its_depot_between_two_trips() -> None:
    asked = problem(stop("A", 1), stop("B", 2), vehicle(from_s=0, to_s=9000, reloads=1, reload_s=600))
    matrix = travel(asked)
    route = timetable(asked, matrix, 0, [0, matrix.depots[0], 1])
    assert times(route) == [(100, 100, 100), (200, 200, 800), (1000, 1000, 1000)]
    assert route and route.visits[1].place == DEPOT and route.finish_s == 1200
