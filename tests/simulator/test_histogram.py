import random

import pytest

from simulator.histogram import Histogram


def test_percentiles_are_within_two_per_cent(seed: int):
    rng = random.Random(seed)
    times = [rng.lognormvariate(3, 1.5) for _ in range(5000)]
    counted = Histogram()
    for each in times:
        counted.add(each)
    times.sort()
    for share in (0.01, 0.5, 0.99):
        assert counted.percentile(share) == pytest.approx(times[int(share * len(times))], rel=0.025)
    assert len(counted) == 5000


def test_two_are_added_up_and_an_empty_one_says_nothing():
    one, other = Histogram(), Histogram()
    for each in (1.0, 1.0, 0.0):
        one.add(each)
    other.add(100.0)
    both = one.merged(other)
    assert len(both) == 4 and both.percentile(0.99) == pytest.approx(100, rel=0.02)
    assert Histogram({str(k): v for k, v in both.counts.items()}).told() == both.told()  # as it comes from JSON
    assert Histogram().told() == {"p50": 0.0, "p99": 0.0}
