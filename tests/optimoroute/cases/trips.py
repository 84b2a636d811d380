"""start_planning and get_routes: visits to the depot, breaks, and routes that keep apart."""

from typing import Any

from tests.optimoroute.scenes import DAY, DEPOT, MOMENT, fleet, order, orders, planned, routes, settings
from tests.optimoroute.table import Case, Play, Stage, office, phone, plan, post, refused, send

REQUEST = "start_planning/request/"
INVALID = refused("ERR_INVALID_PARAM_FORMAT")
FULL = tuple(order(f"O{n}", load1=60) for n in range(4))  # a van of the fleet carries 100
NOON = {"from": "12:00", "to": "13:00", "durationMinutes": 30}


def kinds(*expected: str) -> Play:
    """What the one route there is consists of, orders as ``order``."""

    def play(stage: Stage) -> None:
        (route,) = routes(stage)
        assert [stop.get("type", "order") for stop in route["stops"]] == list(expected)
        assert [stop["stopNumber"] for stop in route["stops"]] == list(range(1, len(expected) + 1))

    return play


def stop_of(kind: str, where: dict[str, Any]) -> Play:
    """All that is told of the first stop of this kind."""

    def play(stage: Stage) -> None:
        stop = next(stop for (route,) in [routes(stage)] for stop in route["stops"] if stop.get("type") == kind)
        for name in ("scheduledAtDt", "arrivalTimeDt"):
            assert MOMENT.fullmatch(stop[name]), stop
        nothing = {"orderNo": "-", "id": "", "locationNo": "", "type": kind}
        assert stop | nothing | where == stop, stop
        assert kind != "break" or "12:00" <= stop["scheduledAt"] <= "12:30", stop
        assert set(stop) == {*nothing, "stopNumber", "scheduledAt", "scheduledAtDt", "arrivalTimeDt", "travelTime"} | {
            *("distance", "address", "latitude", "longitude", "locationName")
        }

    return play


def _office_routes(stage: Stage) -> list[dict[str, Any]]:
    return list(stage.company.client.get("/api/routes", params={"date": DAY}).json()["items"])


def the_depot_takes(minutes: int) -> Play:
    def play(stage: Stage) -> None:
        (route,) = _office_routes(stage)
        took = [stop["duration"] for stop in route["stops"] if stop["type"] == "depot"]
        assert took and set(took) == {minutes * 60}

    return play


def the_phone_and_the_office_have_it_too(stage: Stage) -> None:
    (told,) = routes(stage)
    (office_route,) = _office_routes(stage)
    phone_route = stage.phone("D1").client.get("/driver/v1/route", params={"date": DAY}).json()["route"]
    for seen in (office_route, phone_route):
        assert [each["type"] for each in seen["stops"]] == [each.get("type", "order") for each in told["stops"]]
    assert [each.get("address") for each in phone_route["stops"] if each["type"] == "depot"] == ["Depot", "Depot"]


CASES = [
    Case(
        "With depot trips a driver comes back to load what does not fit at once; without them it stays behind.",
        [REQUEST + "depotTrips", REQUEST + "depotVisitDuration", "get_routes/response/Stop/type"],
        fleet(),
        settings(planningSeconds=0.5),
        orders(*FULL[:3]),
        plan(DAY),
        kinds("order"),
        plan(DAY, depotTrips=True, depotVisitDuration=15),
        kinds("order", "depot", "order", "depot", "order"),
        stop_of("depot", DEPOT | {"locationName": "Depot"}),
        the_depot_takes(15),
        plan(DAY, startWith="CURRENT", lockType="ROUTES"),
        kinds("order", "depot", "order", "depot", "order"),
        the_depot_takes(15),
        send(DAY),
        the_phone_and_the_office_have_it_too,
        plan(DAY, startWith="CURRENT"),
        kinds("order"),
        *(
            post("start_planning", {"date": DAY} | field, INVALID)
            for field in ({"depotTrips": 1}, {"depotVisitDuration": -1}, {"depotVisitDuration": 1.5})
        ),
    ),
    Case(
        "The visits to the depot that an order needed go with it.",
        ["delete_order/request/orderNo"],
        fleet(),
        settings(planningSeconds=0.5),
        orders(*FULL[:2]),
        plan(DAY, depotTrips=True),
        kinds("order", "depot", "order"),
        post("delete_order", {"orderNo": "O0"}),
        kinds("order"),
    ),
    Case(
        "A driver's break is a stop of the route, where the driver is when its time has come.",
        ["get_routes/response/Stop/type"],
        fleet(1, breaks=[NOON]),
        settings(planningSeconds=0.5),
        orders(*(order(f"O{n}", duration=60) for n in range(6))),
        plan(DAY),
        kinds("order", "order", "order", "order", "break", "order", "order"),
        stop_of("break", {"locationName": "", "address": ""}),
        send(DAY),
        phone("D1", f"route?date={DAY}"),
        office("PUT", "/api/fleet", {"drivers": [{"externalId": "D1", "name": "Driver 1", "breaks": []}]}),
        plan(DAY),
        kinds(*["order"] * 6),
    ),
    Case(
        "Routes that shall keep apart are planned like others.",
        [REQUEST + "clustering"],
        fleet(2),
        settings(planningSeconds=0.5),
        orders(*FULL[:2]),
        plan(DAY, clustering=True),
        planned({"D1": ["O0"], "D2": ["O1"]}, {"D1": ["O1"], "D2": ["O0"]}),
        *(post("start_planning", {"date": DAY, "clustering": wrong}, INVALID) for wrong in (1, "true", None)),
    ),
]
