"""Events that arrive at two servers at once have one order, and no reader skips or repeats one at either."""

import random

import pytest

from tests.optimoroute.rush import Rush
from tests.serving import Company


@pytest.mark.timeout(300)
def test_readers_of_every_lag_see_the_same_events_once_each_at_both_servers(
    companies: tuple[Company, Company], rng: random.Random
) -> None:
    Rush(companies, rng).run()
