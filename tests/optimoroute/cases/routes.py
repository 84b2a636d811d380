"""get_routes and get_scheduling_info."""

import datetime
import re
from typing import Any

from tests.optimoroute.scenes import DAY, DEPOT, MOMENT, fleet, order, orders, planned, routes, sent, settings
from tests.optimoroute.table import MORE, Case, Name, Play, Stage, Step, get, office, plan, post, refused, send

ROUTE, STOP = "get_routes/response/Route/", "get_routes/response/Stop/"
INFO = "get_scheduling_info/response/Order Scheduling Information/"
WHO = ("driverExternalId", "driverSerial", "driverName", "vehicleRegistration", "vehicleLabel")
WHEN = ("stopNumber", "scheduledAt", "scheduledAtDt", "arrivalTimeDt", "travelTime", "distance")
ANA = dict(zip(WHO, ("D1", "S1", "Driver 1", "VEH1", "Van 1"), strict=True))


CLOCK = re.compile(r"(0[89]|1[0-6]):[0-5]\d")


def stop(number: int, order_no: str, **fields: Any) -> dict[str, Any]:
    """Of the first case; ``type`` is for breaks and depot trips alone."""
    return {
        "stopNumber": number,
        "orderNo": order_no,
        "id": Name(order_no),
        "locationNo": "",
        "locationName": f"Place {order_no}",
        "address": "",
        "latitude": float,
        "longitude": 16.0,
        "scheduledAt": CLOCK,
        "scheduledAtDt": MOMENT,
        "arrivalTimeDt": MOMENT,
        "travelTime": int,
        "distance": int,
    } | fields


def the_numbers_fit_one_another(stage: Stage) -> None:
    """Ways add up, nobody is served before the arrival, and the route lasts as long as its parts."""
    (route,) = routes(stage)
    before = datetime.datetime.fromisoformat(f"{DAY} 08:00:00")
    for each in route["stops"]:
        arrival, start = (datetime.datetime.fromisoformat(each[name]) for name in ("arrivalTimeDt", "scheduledAtDt"))
        assert each["scheduledAt"] == f"{start:%H:%M}"
        assert before + datetime.timedelta(seconds=each["travelTime"]) <= arrival <= start
        assert each["travelTime"] > 0 and each["distance"] > 0
        before = start + datetime.timedelta(minutes=10)
    assert route["distance"] * 1000 > sum(each["distance"] for each in route["stops"])  # and the way home
    assert route["duration"] >= (before - start).total_seconds() / 60


def decoded(line: str) -> list[tuple[float, float]]:
    """A line of the Encoded Polyline Algorithm."""
    values, value, shift = [], 0, 0
    for letter in line:
        value |= (ord(letter) - 63 & 0x1F) << shift
        shift += 5
        if ord(letter) - 63 < 0x20:
            values.append(~(value >> 1) if value & 1 else value >> 1)
            value, shift = 0, 0
    points, latitude, longitude = [], 0, 0
    for north, east in zip(values[::2], values[1::2], strict=True):
        latitude, longitude = latitude + north, longitude + east
        points.append((latitude / 1e5, longitude / 1e5))
    return points


def the_office_has_the_same_moments_in_utc(stage: Stage) -> None:
    told = stage.company.client.get("/api/routes", params={"date": DAY}).json()["items"][0]["stops"]
    assert told[1]["scheduledAt"] == f"{DAY}T17:00:00.000Z"


def the_line_goes_from_the_start_by_every_stop_to_the_end(stage: Stage) -> None:
    (route,) = routes(stage, includeRoutePolyline="true")
    points = decoded(route["routePolyline"])
    depot = (DEPOT["latitude"], DEPOT["longitude"])
    wanted = [depot, *((each["latitude"], each["longitude"]) for each in route["stops"]), depot]
    passed = iter(points)
    assert points[0] == points[-1] == depot and all(each in passed for each in wanted), (points, wanted)
    assert "routePolyline" not in routes(stage)[0] and "routePolyline" not in routes(stage, includeRouteStartEnd=1)[0]


def start_and_end_are_told_where_they_are_asked_for(stage: Stage) -> None:
    (route,) = routes(stage, includeRouteStartEnd="true", includeRoutePolyline="")
    assert route["startLocation"] == route["endLocation"] == DEPOT
    start, *between, end = route["stops"]
    (plain,) = routes(stage)
    assert between == plain["stops"] and (start["stopNumber"], end["stopNumber"]) == (0, len(between) + 1)
    for each in (start, end):
        assert (each["type"], each["orderNo"], each["address"]) == ("depot", "-", DEPOT["address"])
        assert (each["latitude"], each["longitude"]) == (DEPOT["latitude"], DEPOT["longitude"])
    assert start["scheduledAtDt"] < between[0]["arrivalTimeDt"] and start["distance"] == start["travelTime"] == 0
    assert round(sum(each["distance"] for each in route["stops"]) / 1000, 3) == route["distance"]
    times = [datetime.datetime.fromisoformat(each["scheduledAtDt"]) for each in route["stops"]]
    assert times[-1] - times[-2] == datetime.timedelta(minutes=10, seconds=end["travelTime"])
    assert abs(times[-1] - times[0] - datetime.timedelta(minutes=route["duration"])) <= datetime.timedelta(seconds=30)
    for asked in ({}, {"includeRouteStartEnd": "false"}, {"includeRoutePolyline": "True"}):
        assert not {"startLocation", "endLocation"} & routes(stage, **asked)[0].keys()


def the_phone_has(*statuses: str) -> Step:
    """The first driver's phone has a route of as many stops, or none."""
    route = {"stops": [{"status": status, **MORE} for status in statuses], **MORE} if statuses else None
    return Step("GET", "/driver/v1/route", query={"date": DAY}, answer={"route": route, **MORE}, driver="D1")


def times_are(*numbers: str) -> Play:
    """The stops are these, each at the same time as before."""

    def play(stage: Stage) -> None:
        (route,) = routes(stage)
        found = {each["orderNo"]: each["scheduledAtDt"] for each in route["stops"]}
        before = stage.names.setdefault("times", found)
        assert tuple(found) == numbers and all(before[number] == at for number, at in found.items())

    return play


NIGHT = {1: {"twFrom": "01:30", "twTo": "01:50"}, 3: {"twFrom": "03:00", "twTo": "03:20"}}


def wall_times(date: str, minutes: tuple[int, int]) -> Play:
    """The two stops of the night, and about how long the route is."""

    def play(stage: Stage) -> None:
        (route,) = routes(stage, date=date)
        assert minutes[0] <= route["duration"] <= minutes[1]
        for each, window in zip(route["stops"], NIGHT.values(), strict=True):
            assert window["twFrom"] <= each["scheduledAt"] <= window["twTo"]
            assert each["scheduledAtDt"][:16] == f"{date} {each['scheduledAt']}"

    return play


FOUND_O1 = {"success": True, "orders": [{"id": Name("O1")}]}
CASES = [
    Case(
        "A route has its driver, its vehicle and every stop in order, in the account's time zone.",
        [
            "get_routes/request/date",
            "get_routes/request/includeRoutePolyline",
            "get_routes/request/includeRouteStartEnd",
            "get_routes/response/success",
            "get_routes/response/routes",
            *(ROUTE + name for name in (*WHO, "duration", "distance", "load1", "load2", "load3", "load4", "stops")),
            ROUTE + "routePolyline",
            *(STOP + name for name in (*WHEN, "orderNo", "id", "locationNo", "locationName", "address")),
            *(STOP + name for name in ("latitude", "longitude")),
            "get_scheduling_info/request/orderNo",
            "get_scheduling_info/request/id",
            "get_scheduling_info/response/success",
            "get_scheduling_info/response/orderScheduled",
            "get_scheduling_info/response/scheduleInformation",
            *(INFO + name for name in (*WHO, *WHEN)),
        ],
        settings(planningSeconds=0.2, timeZone="America/New_York"),
        fleet(),
        orders(
            order("O1", timeWindows=[{"twFrom": "12:00", "twTo": "13:00"}], load1=2.5, load2=3, load3=0.5),
            order("O2", timeWindows=[{"twFrom": "10:00", "twTo": "11:00"}])
            | {
                "location": {
                    "locationNo": "L2",
                    "locationName": "Shop",
                    "address": "1 High Street",
                    "latitude": 45.83,
                    "longitude": 16.0,
                }
            },
        ),
        get("get_scheduling_info", {"success": True, "orderScheduled": False}, orderNo="O1"),
        get("get_routes", {"success": True, "routes": []}, date=DAY),
        plan(DAY),
        get(
            "get_routes",
            {
                "success": True,
                "routes": [
                    ANA
                    | {
                        "duration": int,
                        "distance": float,
                        "load1": 4,  # 3.5: what is begun takes up room
                        "load2": 3,
                        "load3": 1,
                        "load4": 0,
                        "stops": [
                            stop(
                                *(1, "O2"),
                                locationNo="L2",
                                locationName="Shop",
                                address="1 High Street",
                                latitude=45.83,
                            ),
                            stop(2, "O1", scheduledAt="12:00", scheduledAtDt=f"{DAY} 12:00:00"),
                        ],
                    }
                ],
            },
            date=DAY,
        ),
        the_numbers_fit_one_another,
        the_office_has_the_same_moments_in_utc,
        the_line_goes_from_the_start_by_every_stop_to_the_end,
        start_and_end_are_told_where_they_are_asked_for,
        *(
            get(
                "get_scheduling_info",
                {
                    "success": True,
                    "orderScheduled": True,
                    "scheduleInformation": ANA
                    | {
                        "stopNumber": 2,
                        "scheduledAt": "12:00",
                        "scheduledAtDt": f"{DAY} 12:00:00",
                        "arrivalTimeDt": MOMENT,
                        "travelTime": int,
                        "distance": int,
                    },
                },
                **name,
            )
            for name in ({"orderNo": "O1"}, {"id": Name("O1")}, {"id": Name("O1"), "orderNo": "O2"})
        ),
    ),
    Case(
        "A driver without a number, a vehicle and a home has them empty, and the way begins at the first stop.",
        [*(ROUTE + name for name in WHO), STOP + "travelTime", STOP + "distance", STOP + "orderNo"],
        settings(planningSeconds=0.2),
        office("POST", "/api/drivers", {"name": "Ana"}),
        post("create_or_update_orders", {"orders": [order("O1", orderNo=...)]}),
        plan(DAY),
        get(
            "get_routes",
            {
                "success": True,
                "routes": [
                    dict.fromkeys(WHO, "")
                    | {
                        "driverName": "Ana",
                        "duration": 10,
                        "distance": 0,
                        "load1": 1,
                        "load2": 0,
                        "load3": 0,
                        "load4": 0,
                    }
                    | {"stops": [stop(1, "O1", orderNo="-", travelTime=0, distance=0)]}
                ],
            },
            date=DAY,
            includeRouteStartEnd="true",
        ),
    ),
    Case(
        "On the days on which the clocks change a route is as long as it takes, and its times are those on the wall.",
        [STOP + "scheduledAt", STOP + "scheduledAtDt", ROUTE + "duration"],
        settings(planningSeconds=0.2, timeZone="Europe/Zagreb"),
        fleet(workTime={"from": "00:00", "to": "08:00"}),
        *(
            step
            for date, minutes in (("2026-03-29", (30, 80)), ("2026-10-25", (130, 200)))  # from 1:40 to 3:00 or so
            for step in (
                orders(*(order(f"{date} {n}", date=date, timeWindows=[NIGHT[n]]) for n in (1, 3))),
                plan(date),
                wall_times(date, minutes),
            )
        ),
    ),
    Case(
        "Routes are filtered by driver and by vehicle, and by all that is given at once.",
        [
            "get_routes/request/driverExternalId",
            "get_routes/request/driverSerial",
            "get_routes/request/vehicleRegistration",
        ],
        settings(planningSeconds=0.2),
        fleet(2),
        orders(*(order(f"O{n}", assignedTo={"externalId": f"D{n}"}) for n in (1, 2))),
        plan(DAY),
        *(
            get("get_routes", {"success": True, "routes": [{"driverName": "Driver 2", ...: ...}]}, date=DAY, **chosen)
            for chosen in (
                {"driverExternalId": "D2"},
                {"driverSerial": "S2"},
                {"vehicleRegistration": "VEH2"},
                {"driverExternalId": "D2", "driverSerial": "S2", "vehicleRegistration": "VEH2"},
                {"driverExternalId": "D2", "driverSerial": ""},
            )
        ),
        *(
            get("get_routes", {"success": True, "routes": []}, date=DAY, **chosen)
            for chosen in (
                {"driverExternalId": "D3"},
                {"driverSerial": "D2"},
                {"vehicleRegistration": "V2"},
                {"driverExternalId": "D2", "driverSerial": "S1"},
            )
        ),
        get("get_routes", {"success": True, "routes": [{...: ...}] * 2}, date=DAY),
        get("get_routes", {"success": True, "routes": []}, date="2026-03-03"),
    ),
    Case(
        "Routes are asked for by a date of the calendar.",
        ["get_routes/response/code", "get_routes/response/message"],
        get("get_routes", refused("ERR_MISSING_MAND_FIELD", routes=[])),
        *(
            get("get_routes", refused("ERR_INVALID_PARAM_FORMAT", routes=[]), date=date)
            for date in ("today", "2026-02-30", "2026-3-2", "20260302", "2026-W10-1", "9999-12-31", "\0")
        ),
        get("get_routes", refused("ERR_INVALID_PARAM_FORMAT", routes=[]), date=DAY, includeRoutePolyline="maybe"),
        get("get_routes", refused("ERR_INVALID_PARAM_FORMAT", routes=[]), date=DAY, includeRouteStartEnd="yes"),
    ),
    Case(
        "What is taken off the plan is on no route any more, while the driver has it until the plan is sent again.",
        ["get_routes/response/routes", "get_scheduling_info/response/orderScheduled"],
        *sent("O1", "O2", drivers=2),
        plan(DAY, useDrivers=[{"driverSerial": "S1"}]),
        send(DAY),
        post("update_driver_parameters", {"externalId": "D1", "date": DAY, "enabled": False}),
        get("get_routes", {"success": True, "routes": []}, date=DAY),
        get("get_scheduling_info", {"success": True, "orderScheduled": False}, orderNo="O1"),
        post("search_orders", {"orders": [{"orderNo": "O1"}], "orderStatus": ["unscheduled"]}, FOUND_O1),
        the_phone_has("scheduled", "scheduled"),
        plan(DAY),
        planned({"D2": ["O1", "O2"]}),
        post("search_orders", {"orders": [{"orderNo": "O1"}], "orderStatus": ["scheduled"]}, FOUND_O1),
        the_phone_has("scheduled", "scheduled"),
        send(DAY),
        the_phone_has(),
    ),
    Case(
        "A route that lost an order has its ways, its load and its line over what is left, at the times as planned.",
        [*(STOP + name for name in ("stopNumber", "travelTime", "distance")), ROUTE + "distance", ROUTE + "load1"],
        settings(planningSeconds=0.2, averageSpeedKmh=36, circuity=1),
        fleet(),
        orders(
            *(order(f"O{n}", timeWindows=[{"twFrom": f"{n + 7:02}:30", "twTo": f"{n + 8:02}:30"}]) for n in (1, 3, 5))
        ),
        plan(DAY),
        send(DAY),
        times_are("O1", "O3", "O5"),
        post("delete_order", {"orderNo": "O3"}),
        times_are("O1", "O5"),
        get(
            "get_routes",
            {
                "success": True,
                "routes": [
                    {
                        "load1": 2,
                        "stops": [
                            stop(1, "O1", distance=2391, travelTime=240),
                            stop(2, "O5", distance=2224, travelTime=223),  # 0.02° at ten metres a second
                        ],
                        **MORE,
                    }
                ],
            },
            date=DAY,
        ),
        the_numbers_fit_one_another,
        the_line_goes_from_the_start_by_every_stop_to_the_end,
        get(
            "get_scheduling_info",
            {
                "success": True,
                "orderScheduled": True,
                "scheduleInformation": {"stopNumber": 2, "distance": 2224, **MORE},
            },
            orderNo="O5",
        ),
    ),
    Case(
        "Only one order is looked up, and one that there is.",
        [
            "get_scheduling_info/response/code",
            "get_scheduling_info/response/message",
            "get_scheduling_info/errors/ERR_ORD_NOT_FOUND",
            "get_scheduling_info/errors/ERR_MULTIPLE_ORD_FOUND",
        ],
        orders(order("O1")),
        get("get_scheduling_info", refused("ERR_ORD_NOT_FOUND"), orderNo="none"),
        get("get_scheduling_info", refused("ERR_ORD_NOT_FOUND"), id="O1"),
        get("get_scheduling_info", refused("ERR_ORD_NOT_FOUND"), id="0" * 32, orderNo="O1"),
        get("get_scheduling_info", refused("ERR_MISSING_MAND_FIELD")),
        get("get_scheduling_info", refused("ERR_MISSING_MAND_FIELD"), orderNo="", id=""),
        get("get_scheduling_info", {"success": True, "orderScheduled": False}, orderNo="O1"),
        lambda stage: stage.names.clear(),
        orders(order("O1", operation="CREATE", acceptDuplicateOrderNo=True)),
        get("get_scheduling_info", refused("ERR_MULTIPLE_ORD_FOUND"), orderNo="O1"),
        get("get_scheduling_info", {"success": True, "orderScheduled": False}, id=Name("O1")),
    ),
]
