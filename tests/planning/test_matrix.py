"""Travel times, distances and polylines."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.planning.matrix import EARTH_RADIUS_M, leg, polyline, travel
from backend.planning.problem import Options, Place, Problem, Stop
from tests.planning.builders import at, problem, stop, vehicle

DEGREES = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


def haversine(a: Place, b: Place) -> float:
    south, north = math.radians(a.latitude), math.radians(b.latitude)
    across = math.radians(b.longitude - a.longitude)
    half = math.sin((north - south) / 2) ** 2 + math.cos(south) * math.cos(north) * math.sin(across / 2) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(min(1, math.sqrt(half)))


def unfold(line: str) -> list[tuple[float, float]]:
    """The points of an encoded polyline."""
    numbers: list[int] = []
    bits = shift = 0
    for letter in line:
        chunk = ord(letter) - 63
        bits |= (chunk & 0x1F) << shift
        shift += 5
        if chunk < 0x20:
            numbers.append(~(bits >> 1) if bits & 1 else bits >> 1)
            bits = shift = 0
    assert shift == 0, "it is cut short"
    points, latitude, longitude = [], 0, 0
    for down, across in zip(numbers[::2], numbers[1::2], strict=True):
        latitude, longitude = latitude + down, longitude + across
        points.append((latitude / 1e5, longitude / 1e5))
    return points


@given(DEGREES, DEGREES, st.floats(1, 2))
def test_a_leg_is_the_great_circle_times_circuity(
    a: tuple[float, float], b: tuple[float, float], circuity: float
) -> None:
    metres, seconds = leg(Place(*a), Place(*b), Options(circuity=circuity, speed_kmh=36))
    assert metres == pytest.approx(haversine(Place(*a), Place(*b)) * circuity, rel=1e-6, abs=1)
    assert seconds == math.ceil(metres / 10)


def test_the_table_holds_the_legs_between_stops_and_the_vehicles_places() -> None:
    asked = problem(stop("A", 1), stop("B", 3), vehicle("V", end=at(5)), vehicle("W", start=None))
    table = travel(asked)
    depot, end, nowhere = table.starts[0], table.ends[0], table.starts[1]
    assert table.ends[1] == depot
    assert (table.travel_s[depot][0], table.travel_s[0][1], table.travel_s[1][end]) == (100, 200, 200)
    assert (table.distance_m[depot][0], table.distance_m[1][0]) == (1000, 2000)
    assert list(table.travel_s[nowhere]) == [0] * len(table.travel_s) == [row[nowhere] for row in table.travel_s]


@given(st.lists(DEGREES, min_size=2, max_size=12), st.floats(1, 2), st.floats(1, 200))
def test_the_table_and_a_single_leg_agree_to_the_last_metre_and_second(
    points: list[tuple[float, float]], circuity: float, speed_kmh: float
) -> None:
    options = Options(circuity=circuity, speed_kmh=speed_kmh)
    places = [Place(*point) for point in points]
    table = travel(Problem(tuple(Stop(key=str(n), place=place) for n, place in enumerate(places)), (), options))
    for i, a in enumerate(places):
        for j, b in enumerate(places):
            assert (table.distance_m[i][j], table.travel_s[i][j]) == leg(a, b, options)


def test_check_in_leads_to_a_location_and_not_from_order_to_order_at_it() -> None:
    asked = problem(stop("A", 1, check_in_s=60), stop("B", 1, check_in_s=60), stop("C", 2), vehicle(start=at(1)))
    table = travel(asked)
    assert table.lead_s[0][1] == table.lead_s[1][0] == 0
    assert table.lead_s[2][0] == 160 and table.lead_s[0][2] == 100
    assert table.lead_s[table.starts[0]][0] == 60


def test_a_polyline_is_encoded_as_in_its_specification() -> None:
    assert polyline([(38.5, -120.2), (40.7, -120.95), (43.252, -126.453)]) == "_p~iF~ps|U_ulLnnqC_mqNvxq`@"


@given(st.lists(DEGREES))
def test_a_polyline_unfolds_to_its_points_within_half_of_the_last_decimal(points: list[tuple[float, float]]) -> None:
    unfolded = unfold(polyline(points))
    assert len(unfolded) == len(points)
    for point, back in zip(points, unfolded, strict=True):
        assert back == pytest.approx(point, abs=0.51e-5)
