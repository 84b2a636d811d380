"""When there is room for more of what phones send."""

from dataclasses import dataclass

import pytest

from backend.domain.errors import Refusal
from backend.service.inflow import Inflow
from backend.service.tally import Tally


@dataclass
class Queue:
    waiting: int = 0
    room: int = 1000
    crowded: bool = False


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def inflow(queue: Queue) -> Inflow:
    made = Inflow()
    made.open(queue, Tally())
    return made


def test_what_waits_for_the_disk_is_not_counted_against_the_processor(inflow: Inflow, queue: Queue) -> None:
    inflow.under_way, queue.waiting = 900, 800
    assert not inflow.full(101) and inflow.full(100)


def test_what_would_wait_for_the_disk_for_long_counts(inflow: Inflow, queue: Queue) -> None:
    inflow.under_way, queue.waiting, queue.room = 900, 800, 300
    assert not inflow.full(601) and inflow.full(600)


def test_a_crowd_before_the_disk_is_full_whatever_the_processor_does(inflow: Inflow, queue: Queue) -> None:
    assert not inflow.full(1)
    queue.crowded = True
    assert inflow.full(1)


def test_what_was_let_in_is_counted_until_it_ends_however_it_ends(inflow: Inflow) -> None:
    with pytest.raises(ValueError), inflow.let_in(1):
        assert inflow.under_way == 1
        with pytest.raises(Refusal, match="ERR_OVERLOADED"), inflow.let_in(1):
            pass
        raise ValueError
    assert inflow.under_way == 0
