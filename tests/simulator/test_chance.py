import random
from statistics import correlation, pstdev

import pytest

from simulator.chance import Wander, draw, flaw, normal_share, percentile, quantile

TABLE = ((0.0, 1.0), (0.5, 10.0), (1.0, 30.0))


def test_a_table_gives_its_own_percentiles_and_straight_lines_between():
    assert [quantile(TABLE, share) for share in (0, 0.25, 0.5, 0.75, 1)] == [1, 5.5, 10, 20, 30]
    assert quantile(7.0, 0.9) == 7.0


def test_what_is_drawn_has_the_percentiles_of_the_table(seed: int):
    rng = random.Random(seed)
    drawn = sorted(draw(TABLE, rng) for _ in range(20_000))
    for share in (0.1, 0.5, 0.9):
        assert percentile(drawn, share) == pytest.approx(quantile(TABLE, share), rel=0.06)


@pytest.mark.parametrize(
    ("spread", "told"),
    [
        (((0.0, 1.0), (0.5, 2.0)), "rise from 0 to 1"),
        (((0.0, 1.0), (0.0, 2.0), (1.0, 3.0)), "rise from 0 to 1"),
        (((0.0, 3.0), (1.0, 2.0)), "fall"),
        (((0.0, 3.0), (1.0, 200.0)), "outside 0 to 100"),
        (101.0, "not 0 to 100"),
        (TABLE, None),
        (100.0, None),
    ],
)
def test_a_flawed_table_is_told_apart(spread, told: str | None):
    found = flaw(spread, 0, 100)
    assert found is None if told is None else told in str(found)


def test_what_wanders_stays_normal_and_forgets(seed: int):
    wander = Wander(random.Random(seed), 20.0)
    values = [wander.at(5.0 * step) for step in range(8000)]
    assert pstdev(values) == pytest.approx(1.0, abs=0.15)
    assert correlation(values[:-1], values[1:]) == pytest.approx(0.78, abs=0.05)
    assert abs(correlation(values[:-40], values[40:])) < 0.15
    assert [round(normal_share(value), 3) for value in (-1.96, 0.0, 1.96)] == [0.025, 0.5, 0.975]
