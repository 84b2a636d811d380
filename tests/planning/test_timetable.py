"""The times of a route whose order is fixed."""

from backend.planning.matrix import travel
from backend.planning.problem import Problem, Route
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
