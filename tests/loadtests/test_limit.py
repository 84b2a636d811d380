"""What the load tests make of what they measure. The rest of them needs locust, and `make load`."""

import json

import pytest

from loadtests.limit import Steps, write_knee
from loadtests.shapes import SHAPES, STEP_S, WARM_UP_S, step, step_rate


def counted(rates: dict[int, tuple[float, int]]) -> Steps:
    """Steps with so many milliseconds and failures each, at their full rate."""
    steps = Steps()
    for number, (milliseconds, failures) in rates.items():
        elapsed = WARM_UP_S + number * STEP_S + 1
        for index in range(round(step_rate(number) * STEP_S)):
            steps.count(elapsed + milliseconds / 1000, milliseconds, "refused" if index < failures else None)
    return steps


def test_the_limit_is_the_last_step_that_was_held(tmp_path):
    steps = counted({0: (20, 0), 1: (30, 0), 2: (900, 0)})
    assert [steps.beyond(number) for number in range(3)] == [False, False, True]
    told = write_knee(steps, 3, tmp_path / "limit.json")
    written = json.loads((tmp_path / "limit.json").read_text())
    assert written["limit"] == {"requestsPerSecond": 52.0, "positionsPerSecond": 520} and "held 52.0 requests" in told
    assert written["steps"][1]["p99"] == pytest.approx(30, rel=0.02) and not written["steps"][2]["held"]


def test_refusals_and_requests_that_were_not_sent_are_beyond_the_limit():
    assert counted({0: (20, 10)}).beyond(0)
    assert Steps().beyond(0)


def test_workers_add_up_and_the_warm_up_does_not_count():
    one, whole = counted({0: (20, 1)}), Steps()
    one.count(1.0, 5.0, None)
    whole.add(json.loads(json.dumps(one.take())))
    assert len(whole.times[0]) == round(step_rate(0) * STEP_S) and whole.failed[0] == 1
    assert list(whole.times) == [0] and not one.times


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_has_users_and_arrivals_to_its_end(name: str):
    shape = SHAPES[name]
    for t in (0.0, shape.seconds / 2, shape.seconds - 1):
        assert shape.users(t) > 0 and shape.arrivals(t) > 0
    assert step(0) < 0 <= step(WARM_UP_S)


def test_the_storm_is_dark_and_light_again_and_the_proofs_come_in_a_burst():
    dark = [SHAPES["storm"].dark(t) for t in range(150)]
    assert dark.index(True) > 0 and not dark[-1] and sum(dark) == 40
    assert sum(SHAPES["proofs"].proofs(t) for t in range(90)) == 15
