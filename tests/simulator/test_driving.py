import itertools
import random
from math import cos, sin
from statistics import correlation, pstdev

import pytest

from simulator.driving import ACCELERATION, BRAKING, CORNERING, Drive, Halt, Motion, paced
from simulator.geography import decode_polyline, metres_between, moved
from simulator.receiver import AXIS_SHARE, Receiver
from simulator.scenario import read

CORNERED = [(45.80, 15.95), (45.80, 15.96), (45.81, 15.96), (45.81, 15.961), (45.8101, 15.97)]


def sampled(drive: Drive, step: float = 0.5) -> list[tuple[float, Motion]]:
    return [(step * i, drive.at(step * i)) for i in range(int(drive.duration / step) + 2)]


def test_a_van_neither_jumps_nor_brakes_harder_than_a_van_can():
    drive = Drive(CORNERED, 14.0, [Halt(900.0, 20.0)])
    track = sampled(drive)
    for (t, before), (_, after) in itertools.pairwise(track):
        change = (after.speed - before.speed) / 0.5
        assert -BRAKING - 0.01 <= change <= ACCELERATION + 0.01, f"at {t}"
        assert 0.0 <= after.speed <= 14.01
        moved_m = metres_between((before.latitude, before.longitude), (after.latitude, after.longitude))
        assert moved_m <= 14.0 * 0.5 + 0.2


def test_it_begins_and_ends_at_rest_at_the_ends_of_its_line():
    drive = Drive(CORNERED, 14.0)
    first, last = drive.at(0.0), drive.at(drive.duration + 100.0)
    assert first.speed == 0.0
    assert last.speed == pytest.approx(0.0, abs=0.01)
    assert metres_between((last.latitude, last.longitude), CORNERED[-1]) < 0.5


def test_it_rounds_corners_as_fast_as_nothing_falls_over_and_stands_at_a_halt():
    drive = Drive(CORNERED, 14.0, [Halt(400.0, 30.0)])
    track = sampled(drive, 0.1)
    near_corner = [m.speed for _, m in track if metres_between((m.latitude, m.longitude), CORNERED[1]) < 4.0]
    assert 2.5 < min(near_corner) < 5.0
    for (t, before), (_, after) in itertools.pairwise(track):
        turned = abs((after.heading - before.heading + 180.0) % 360.0 - 180.0)
        assert turned < 50.0, f"turned {turned:.0f} degrees at once, at {t}"
    headings = {round(m.heading) for _, m in track if metres_between((m.latitude, m.longitude), CORNERED[1]) < 9.0}
    assert len(headings) >= 5, "it turns as it drives"
    standing = [t for t, m in track[2:-4] if m.speed == 0.0]
    assert 29.0 <= len(standing) * 0.1 <= 33.0


@pytest.mark.parametrize("radius_m", [20.0, 60.0])
def test_a_bend_of_many_points_is_driven_no_faster_than_its_circle_allows(radius_m: float):
    bend = [moved((45.8, 15.97), radius_m * sin(angle / 20), radius_m * cos(angle / 20)) for angle in range(63)]
    drive = Drive(bend, 20.0)
    fastest = max(m.speed for _, m in sampled(drive, 0.2))
    assert fastest**2 / radius_m == pytest.approx(CORNERING, rel=0.15)


def test_where_others_slow_it_down_a_slow_van_does_not_hurry():
    drive = Drive(CORNERED, 4.0, [Halt(300.0, 0.0, 9.0), Halt(600.0, 0.0, 1.0)])
    speeds = [motion.speed for _, motion in sampled(drive)]
    assert max(speeds) <= 4.01
    assert min(speeds[20:-20]) < 1.5


def test_a_drive_takes_about_as_long_as_planned():
    for seconds in (240.0, 300.0, 420.0):
        assert paced(CORNERED, seconds, 22.0).duration == pytest.approx(seconds, rel=0.05)


def test_nobody_drives_faster_than_allowed_to_keep_the_plan():
    drive = paced(CORNERED, 10.0, 15.0)
    assert max(motion.speed for _, motion in sampled(drive)) <= 15.01


def test_a_line_without_length_is_no_drive():
    assert Drive([CORNERED[0], CORNERED[0]], 10.0).duration == 0.0


def test_the_error_of_a_receiver_wanders_instead_of_jumping(seed: int):
    gps = read("gps = {accuracy_m = 7.5, correlation_s = 30}").gps
    receiver = Receiver(random.Random(seed), gps, "town")
    here = Motion(45.8, 15.97, 0.0, 0.0)
    fixes = [receiver.fix(5.0 * i, here) for i in range(4000)]
    north = [metres_between((45.8, 15.97), (fix.latitude, 15.97)) * (1 if fix.latitude > 45.8 else -1) for fix in fixes]
    assert pstdev(north) == pytest.approx(7.5 * AXIS_SHARE, rel=0.25)
    assert correlation(north, north[1:] + north[:1]) > 0.75
    assert abs(correlation(north[:-60], north[60:])) < 0.2


def test_offsets_and_encoded_lines_are_where_they_should_be():
    assert metres_between((45.8, 15.97), moved((45.8, 15.97), 300.0, -400.0)) == pytest.approx(500.0, rel=0.001)
    assert decode_polyline("_p~iF~ps|U_ulLnnqC_mqNvxq`@") == [(38.5, -120.2), (40.7, -120.95), (43.252, -126.453)]
