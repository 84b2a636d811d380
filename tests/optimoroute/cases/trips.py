"""start_planning and get_routes: visits to the depot, breaks, and routes that keep apart."""

import uuid
from datetime import datetime
from typing import Any

from tests.optimoroute.scenes import DAY, DEPOT, MOMENT, fleet, order, orders, planned, routes, settings
from tests.optimoroute.table import MORE, Case, Play, Stage, office, phone, plan, post, refused, send

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


def the_driver_serves_two(stage: Stage) -> None:
    """The first two orders, at the times that are planned."""
    driver = stage.phone("D1").client
    served = [
        s for s in driver.get("/driver/v1/route", params={"date": DAY}).json()["route"]["stops"] if "orderId" in s
    ]
    actions = [
        {"id": str(uuid.uuid4()), "action": "success", "orderId": stop["orderId"]}
        | {"timestamp": datetime.fromisoformat(stop["departureTime"]).timestamp()}
        for stop in served[:2]
    ]
    told = driver.post("/driver/v1/actions", json={"actions": actions}).json()["actions"]
    assert all(each["success"] for each in told), told


def under_way(stage: Stage) -> None:
    (route,) = routes(stage)
    kinds = [stop.get("type", "order") for stop in route["stops"]]
    assert kinds.count("break") == 1 and kinds.count("depot") == 2, kinds  # one is behind, one to come: 60 are on board
    assert [stop["scheduledAtDt"] for stop in route["stops"]] == sorted(s["scheduledAtDt"] for s in route["stops"])
    states = stage.company.client.get("/api/routes", params={"date": DAY}).json()["items"][0]["stops"]
    done = [stop["stopNumber"] for stop in states if stop.get("status") == "success"]
    assert len(done) == 2 and "depot" in kinds[done[0] - 1 : done[1]] and "depot" in kinds[done[1] :]


def reasons(**codes: str) -> Play:
    """Why orders have no place on the plan, by the office's own API, with a sentence each."""

    def play(stage: Stage) -> None:
        told = stage.company.client.get(f"/api/plans/{DAY}").json()["unscheduled"]
        found = {each["orderNo"]: each["code"] for each in told}
        assert found == codes, f"{found}"
        assert all(each["message"].endswith(".") for each in told)

    return play


def reason_of(number: str, code: str) -> Play:
    def play(stage: Stage) -> None:
        told = stage.company.client.get(f"/api/plans/{DAY}").json()["unscheduled"]
        assert [each["code"] for each in told if each["orderNo"] == number] == [code]

    return play


NIGHT = [{"twFrom": "02:00", "twTo": "03:00"}]
EARLY = [{"twFrom": "08:00", "twTo": "08:40"}]
NEAR = {"latitude": 45.8, "longitude": 15.97}

CASES = [
    Case(
        "Why an order has no place on the plan is told by name.",
        ["start_planning/request/useOrders"],
        office("PUT", "/api/fleet", {"skills": [{"code": "SK"}], "vehicleFeatures": [{"code": "FR"}]}),
        fleet(1, breaks=[NOON | {"from": "15:00", "to": "16:00", "durationMinutes": 60}]),
        office("POST", "/api/drivers", {"name": "Ill", "serial": "ill", "enabled": False}),
        settings(planningSeconds=0.5),
        orders(
            order("SKILL1", skills=["SK"]),
            order("FRIDGE1", vehicleFeatures=["FR"]),
            order("ILL1", assignedTo={"serial": "ill"}),
            order("HEAVY1", load1=101),
            order("FULL1", load1=99, priority="L"),
            order("NIGHT1", timeWindows=NIGHT),
            order("FAR1", location={"latitude": 49.0, "longitude": 16.0, "locationName": "Far"}),
            order("TEA1", duration=10, timeWindows=[{"twFrom": "15:10", "twTo": "15:30"}]),
            order("FIRST1", duration=30, timeWindows=EARLY, priority="C", location=NEAR | {"locationName": "Here"}),
            order("SECOND1", duration=30, timeWindows=EARLY, priority="L"),
            order("WEEKEND1", allowedWeekdays=["sun"]),
            order("PICK1", type="P", skills=["SK"]),
            order("BRING1", relatedOrderNo="PICK1"),
            order("SUN1", type="P", allowedWeekdays=["sun"]),
            order("SUNNY1", relatedOrderNo="SUN1"),
            order("LONG1", duration=300, priority="H"),
            order("LONG2", duration=240, priority="L"),
            order("LEFT1"),
        ),
        post(
            "create_order",
            {"operation": "CREATE", "orderNo": "LOST", "date": DAY, "type": "D"}
            | {"location": {"address": "No Such Street 1, Nowhere", "storeInvalid": True}},
            MORE,
        ),
        plan(DAY),
        orders(order("LATE1")),
        post("create_or_update_orders", {"orders": [{"orderNo": "LEFT1", "duration": 10}]}),
        reasons(
            SKILL1="SKILL_MISSING",
            FRIDGE1="FEATURE_MISSING",
            ILL1="ASSIGNED_UNAVAILABLE",
            HEAVY1="OVER_CAPACITY",
            FULL1="VEHICLES_FULL",
            NIGHT1="WINDOW_UNREACHABLE",
            FAR1="TOO_FAR",
            TEA1="BREAK_IN_THE_WAY",
            SECOND1="WINDOW_TAKEN",
            WEEKEND1="DATE_NOT_ALLOWED",
            PICK1="SKILL_MISSING",
            BRING1="RELATED",
            SUN1="DATE_NOT_ALLOWED",
            SUNNY1="RELATED_LEFT_OUT",
            LONG2="NO_TIME_LEFT",
            LOST="LOCATION_INVALID",
            LATE1="NOT_PLANNED",
        ),
        plan(DAY, useOrders=["LEFT1"], includeScheduledOrders=False),
        reason_of("FIRST1", "NOT_CHOSEN"),
        orders(order("NEW1")),
        plan(DAY, startWith="CURRENT", lockType="ROUTES"),
        reason_of("NEW1", "LOCKED"),
    ),
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
        "Who is under way has one visit to the depot behind, and goes on from the last stop by way of the depot.",
        [REQUEST + "depotTrips"],
        fleet(1, breaks=[NOON | {"from": "08:30", "to": "09:30"}]),
        settings(planningSeconds=0.5),
        orders(*FULL[:3]),
        plan(DAY, depotTrips=True, depotVisitDuration=15),
        send(DAY),
        the_driver_serves_two,
        orders(order("O3", load1=60)),
        plan(DAY, depotTrips=True, depotVisitDuration=15),
        under_way,
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
