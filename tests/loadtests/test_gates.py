"""What a load test must not be: slow, refused, or without what it is about."""

from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from loadtests.gates import GATES_MS, judge
from loadtests.shapes import SHAPES


class Counted(NamedTuple):
    """What locust counted of one kind of request."""

    num_requests: int
    num_failures: int
    late_ms: float

    def get_response_time_percentile(self, share: float) -> float:
        assert share == 0.99
        return self.late_ms


def judged(shape: str, counted: Counted) -> list[str]:
    """A run in which all but one kind is as slow as it may be, and fails as often."""
    kinds = {kind: Counted(1000, 1, limit * SHAPES[shape].patience) for kind, limit in GATES_MS.items()}
    kinds["POST", "phone positions"] = counted
    stats: Any = SimpleNamespace(get=lambda name, method: kinds[method, name])
    return judge(stats, SHAPES[shape])


@pytest.mark.parametrize(
    ("counted", "told"),
    [
        (Counted(2000, 2, 250.0), []),
        (Counted(2000, 2, 251.0), ["POST phone positions: 251 ms (99 of 100), 250 ms are allowed"]),
        (Counted(2000, 3, 250.0), ["POST phone positions: 3 of 2000 failed"]),
        (Counted(0, 0, 0.0), ["POST phone positions: nothing was measured"]),
    ],
)
def test_a_gate_is_for_what_is_slow_for_what_fails_and_for_what_never_happens(counted: Counted, told: list[str]):
    assert judged("steady", counted) == told


def test_in_a_storm_everything_may_take_longer_and_nothing_may_fail_more_often():
    assert judged("storm", Counted(2000, 2, 2000.0)) == []
    assert judged("storm", Counted(2000, 3, 2001.0)) == [
        "POST phone positions: 2001 ms (99 of 100), 2000 ms are allowed",
        "POST phone positions: 3 of 2000 failed",
    ]
