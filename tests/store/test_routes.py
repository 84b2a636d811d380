"""What is left of a route when orders leave it."""

import pytest

from backend.domain.routes import Route, Stop
from backend.store.routes import without


def route(kinds: str) -> Route:
    """A letter for each stop: ``d`` a visit to the depot, ``b`` a break, others the id of an order."""
    words = {"d": "depot", "b": "break"}
    stops = [
        Stop(n, None if kind in words else kind, 45.8, 16.0, 0, 0, 0, 0, 0, words.get(kind, "order"))
        for n, kind in enumerate(kinds, 1)
    ]
    return Route("driver", "2026-03-02", None, tuple(stops), 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("kinds", "gone", "left"),
    [
        ("AdBdC", "", "AdBdC"),
        ("AbB", "A", "bB"),
        ("AdBdC", "B", "AdC"),
        ("AdBdC", "A", "BdC"),
        ("AdBdC", "C", "AdB"),
        ("AdbBdC", "B", "AdbC"),
        ("ABb", "", "ABb"),
        ("ABb", "B", "A"),
        ("AdBb", "AB", ""),
    ],
)
def test_visits_to_the_depot_and_breaks_go_with_the_orders_that_they_were_for(kinds: str, gone: str, left: str) -> None:
    found = without(route(kinds), lambda order_id, date: order_id not in gone)
    assert found is not None and [stop.number for stop in found.stops] == list(range(1, len(left) + 1))
    assert "".join(stop.order_id or stop.type[0] for stop in found.stops) == left
