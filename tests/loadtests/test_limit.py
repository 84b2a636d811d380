"""What the load tests make of what they measure, and how they know that they were too slow themselves."""

import json

import pytest

from loadtests.gates import FAILED, NOT_MEASURED, PASSED, verdict
from loadtests.generator import TICK_S, Own
from loadtests.limit import Steps, write_knee
from loadtests.machine import machine
from loadtests.shapes import SHAPES, STEP_S, WARM_UP_S, step, step_rate


def counted(rates: dict[int, tuple[float, int]]) -> Steps:
    """Steps with so many milliseconds and failures each, at their full rate."""
    steps = Steps()
    for number, (milliseconds, failures) in rates.items():
        elapsed = WARM_UP_S + number * STEP_S + 1
        for index in range(round(step_rate(number) * STEP_S)):
            steps.count(elapsed + milliseconds / 1000, milliseconds, "refused" if index < failures else None)
    return steps


def generator(late_ms: dict[int, float]) -> Own:
    """One that was so late in each step."""
    own = Own()
    for number, milliseconds in late_ms.items():
        for _ in range(100):
            own.late[number].add(milliseconds)
    return own


def test_the_limit_is_the_last_step_that_was_held_before_two_that_were_not(tmp_path):
    steps = counted({0: (20, 0), 1: (900, 0), 2: (30, 0), 3: (900, 0), 4: (900, 0), 5: (20, 0)})
    assert [steps.passed(number, generator({})) for number in range(6)] == [False, False, False, False, True, False]
    told = steps.knee(6, generator({}))
    said = write_knee({**machine("http://x"), **told}, tmp_path / "limit.json")
    written = json.loads((tmp_path / "limit.json").read_text())
    assert written["limit"] == {"requestsPerSecond": 182.3, "positionsPerSecond": 1823}
    assert written["endedBy"] == "server" and "held 182.3 requests (1823 positions) a second" in said
    assert written["steps"][2]["p99"] == pytest.approx(30, rel=0.02)
    assert [each["beyond"] for each in written["steps"]] == [[], ["late"], [], ["late"], ["late"], []]
    assert written["machine"]["cores"] >= 1 and written["at"].endswith("+00:00")


def test_a_limit_that_the_generator_set_is_not_the_servers(tmp_path):
    steps = counted({0: (20, 0), 1: (900, 0), 2: (900, 0), 3: (900, 0), 4: (900, 0)})
    assert steps.knee(3, generator({0: 300, 1: 20, 2: 20}))["endedBy"] == "server"
    late = generator({0: 5, 1: 20, 2: 300, 3: 300, 4: 300})
    assert [steps.passed(number, late) for number in range(5)] == [False, False, False, False, True]
    told = steps.knee(5, late)
    assert told["endedBy"] == "generator" and told["limit"]["requestsPerSecond"] == 100.0
    assert any(line.startswith("GENERATOR") for line in write_knee(told, tmp_path / "limit.json"))
    assert steps.knee(2, generator({}))["endedBy"] == "nothing"


def test_refusals_and_requests_that_were_not_sent_are_beyond_the_limit():
    assert counted({0: (20, 13)}).beyond(0) == ["refused"]
    assert Steps().beyond(0) == ["unanswered"]
    assert counted({0: (20, 0)}).beyond(0, scale=2.0) == ["unanswered"]


def test_workers_add_up_and_the_warm_up_does_not_count():
    one, whole = counted({0: (20, 1)}), Steps()
    one.count(1.0, 5.0, None)
    whole.add(json.loads(json.dumps(one.take())))
    assert len(whole.times[0]) == round(step_rate(0) * STEP_S) and whole.failed[0] == 1
    assert list(whole.times) == [0] and not one.times


def test_a_generator_that_was_held_up_is_late_for_all_that_was_due_meanwhile():
    own, moments = Own(), iter([0, 0, 0, None])

    def held_up(_: float) -> None:
        own_clock.append(own_clock[-1] + 1.0)

    own_clock = [100.0]
    own.watch(held_up, lambda: next(moments), clock=lambda: own_clock[-1])
    assert len(own.late[0]) == pytest.approx(3 / TICK_S, abs=3)
    assert own.late[0].percentile(0.5) == pytest.approx(500, rel=0.05)
    whole = Own()
    whole.add(json.loads(json.dumps(own.take())))
    assert whole.late_ms() == pytest.approx(1000 * (1 - TICK_S), rel=0.04) and not own.late


def test_the_exit_code_tells_a_slow_server_from_a_slow_generator():
    assert verdict([], generator({0: 20}))[0] == PASSED == 0
    assert verdict(["GET x: 900 ms"], generator({0: 20})) == (
        FAILED,
        [
            "GATE GET x: 900 ms",
            "the generator was 20 ms late itself (99 of 100), its busiest process used 0% of a core",
        ],
    )
    code, said = verdict(["GET x: 900 ms"], generator({0: 20, 1: 300}))
    assert code == NOT_MEASURED and said[0] == "GATE GET x: 900 ms" and said[-1].startswith("GENERATOR")
    assert verdict([], Own())[0] == NOT_MEASURED  # its workers are gone, or never began


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
