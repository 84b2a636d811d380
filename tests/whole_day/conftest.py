"""The set-ups that the same day is driven over."""

from collections.abc import Iterator

import pytest

from tests.whole_day import set_ups
from tests.whole_day.set_ups import SetUp


@pytest.fixture(scope="module", params=list(set_ups.KINDS))
def set_up(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SetUp]:
    """Each way to run the product in turn."""
    yield from set_ups.KINDS[request.param](tmp_path_factory.mktemp("set-up"))
