"""When a driver will be where."""

from backend.domain.routes import Stop, Underway, estimate


def stop(number: int, begins_s: int, travel_s: int = 600, service_s: int = 300) -> Stop:
    times = (begins_s, begins_s, begins_s + service_s)
    return Stop(number, f"o{number}", 45.0, 16.0, *times, travel_s, 1000)


DAY = [stop(1, 600), stop(2, 1500), stop(3, 2400)]  # planned to set out at 0


def test_before_the_start_everything_is_as_planned() -> None:
    assert estimate([Underway(each) for each in DAY], 0, None, -3600) == [600, 1500, 2400]


def test_a_late_start_moves_the_whole_day() -> None:
    assert estimate([Underway(each) for each in DAY], 0, 500, 500) == [1100, 2000, 2900]


def test_who_should_have_set_out_is_expected_later_and_later() -> None:
    assert estimate([Underway(each) for each in DAY], 0, None, 1000) == [1000, 1900, 2800]


def test_the_delay_at_the_last_stop_moves_what_remains() -> None:
    stops = [Underway(DAY[0], finished_s=1200), Underway(DAY[1]), Underway(DAY[2])]
    assert estimate(stops, 0, 0, 1200) == [None, 1800, 2700]


def test_nothing_is_expected_in_the_past() -> None:
    stops = [Underway(DAY[0], finished_s=900), Underway(DAY[1]), Underway(DAY[2])]
    assert estimate(stops, 0, 0, 2000) == [None, 2000, 2900]


def test_a_service_that_lasts_keeps_the_others_waiting() -> None:
    stops = [Underway(DAY[0], started_s=600), Underway(DAY[1]), Underway(DAY[2])]
    assert estimate(stops, 0, 0, 700) == [None, 1500, 2400]
    assert estimate(stops, 0, 0, 1400) == [None, 2000, 2900]


def test_nobody_begins_before_the_window_opens() -> None:
    stops = [Underway(DAY[0], finished_s=400), Underway(DAY[1], opens_s=1500), Underway(DAY[2])]
    assert estimate(stops, 0, 0, 400) == [None, 1500, 2400]


def test_a_check_in_takes_its_time_and_a_wait_takes_up_a_delay() -> None:
    checked = Stop(2, "o2", 45.0, 16.0, 1500, 1620, 1920, 600, 1000)
    assert estimate([Underway(DAY[0], finished_s=1200), Underway(checked)], 0, 0, 1200) == [None, 1920]
    waiting = [Underway(DAY[0], finished_s=1000), Underway(checked, opens_s=1620)]
    assert estimate(waiting, 0, 0, 1000) == [None, 1620]


def test_a_stop_that_was_skipped_is_expected_next() -> None:
    stops = [Underway(DAY[0]), Underway(DAY[1], finished_s=1800), Underway(DAY[2])]
    assert estimate(stops, 0, 0, 1800) == [1800, None, 2700]


def test_a_break_and_a_visit_to_the_depot_take_their_time_and_are_over_when_the_next_stop_has_begun() -> None:
    rest = Stop(2, None, 45.0, 16.0, 1500, 1500, 2100, 600, 1000, "break")
    after = Stop(3, "o3", 45.0, 16.0, 2100, 2100, 2400, 0, 0)
    ahead = [Underway(DAY[0], finished_s=1200), Underway(rest), Underway(after)]
    assert estimate(ahead, 0, 0, 1200) == [None, 1800, 2400]
    assert estimate(ahead, 0, 0, 2000) == [None, 2000, 2400]  # it began at 1800, as far as anybody knows
    behind = [Underway(DAY[0], finished_s=1200), Underway(rest), Underway(after, started_s=1300)]
    assert estimate(behind, 0, 0, 1300) == [None, None, None]
    last = Underway(Stop(4, "o4", 45.0, 16.0, 3000, 3000, 3300, 600, 1000))
    assert estimate([*behind[:2], Underway(after, finished_s=1500), last], 0, 0, 1500) == [None, None, None, 2100]
