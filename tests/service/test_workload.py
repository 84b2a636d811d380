"""From orders and drivers to the planner's problem."""

import pytest

from backend.domain.accounts import Settings
from backend.domain.drivers import Driver
from backend.domain.orders import Location, Order
from backend.domain.plans import PlanRequest
from backend.domain.routes import Stop
from backend.planning.problem import Problem
from backend.service.workload import Shift, build, calendar

DAY = "2026-03-02"
PLACE = Location("L", latitude=45.8, longitude=16.0, valid=True)
ANA = Driver("ana", "Ana")
PICKUP = Order("P", None, DAY, "L", type="P", loads=(5, 0, 0, 0))


def stated(*orders: Order, kept: tuple[Stop, ...] = ()) -> Problem:
    days = calendar(Settings(), DAY, DAY)
    shifts = [Shift(ANA, None, DAY, kept)]
    return build(Settings(), PlanRequest(DAY, DAY), days, [(order, PLACE) for order in orders], shifts, [])[0]


@pytest.mark.parametrize("told_by", ["P", "D"])
def test_a_delivery_brings_what_its_related_pickup_takes_up_whichever_of_them_says_so(told_by: str) -> None:
    pickup = Order("P", None, DAY, "L", type="P", loads=(5, 0, 0, 0), related_id="D" if told_by == "P" else None)
    delivery = Order("D", None, DAY, "L", type="D", loads=(1, 0, 0, 0), related_id="P" if told_by == "D" else None)
    for orders in ((pickup, delivery), (delivery, pickup)):
        stops = {stop.key: stop for stop in stated(*orders).stops}
        assert (stops["D"].source, stops["D"].load) == ("P", (5000, 0, 0, 0))
        assert stops["P"].source is None


def test_a_pickup_is_related_to_one_delivery_and_an_order_of_another_day_to_none() -> None:
    deliveries = [Order(key, None, DAY, "L", type="D", related_id="P") for key in "DE"]
    assert [stop.source for stop in stated(PICKUP, *deliveries).stops] == [None, "P", None]
    assert stated(deliveries[0]).stops[0].source is None


def test_what_was_picked_up_already_is_delivered_by_the_same_driver() -> None:
    kept = (Stop(1, "P", 45.8, 16.0, 0, 0, 0, 0, 0),)
    (stop,) = stated(Order("D", None, DAY, "L", type="D", related_id="P"), kept=kept).stops
    assert stop.source is None and stop.vehicles == frozenset({f"ana|{DAY}"})
