"""update_driver_parameters and update_drivers_parameters."""

from collections.abc import Sequence
from typing import Any

from tests.optimoroute.scenes import DAY, DEPOT, fleet, order, orders, planned, routes, settings, twins
from tests.optimoroute.table import MORE, Case, Play, Stage, Step, get, plan, post, refused

SINGLE, BULK = "update_driver_parameters/", "update_drivers_parameters/"
OBJECT = BULK + "request/DriverParameters/"
CAPACITIES = tuple(f"vehicleCapacity{n}" for n in range(1, 5))
TUESDAY = "2026-03-03"
WHO = {"externalId": "D1", "date": DAY}
D1 = {"driver": {"externalId": "D1"}, "date": DAY}
INVALID, MISSING = refused("ERR_INVALID_PARAM_FORMAT"), refused("ERR_MISSING_MAND_FIELD")
# O1 needs no room; each of the others needs 50 of one of the four loads.
GOODS = orders(
    order("O1", load1=0), *(order(f"L{n}", load1=0) | {f"load{n}": 50} for n in range(1, 5)), order("T1", date=TUESDAY)
)


def single(answer: dict[Any, Any] | None = None, **fields: Any) -> Step:
    body = {name: value for name, value in (WHO | fields).items() if value is not ...}
    return post("update_driver_parameters", body, answer or {"success": True})


def bulk(*pairs: tuple[Any, dict[Any, Any]]) -> Step:
    answer = {"success": any(told["success"] for _, told in pairs), "updates": [told for _, told in pairs]}
    return post("update_drivers_parameters", {"updates": [item for item, _ in pairs]}, answer)


def done(item: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return item, {"success": True, "driver": item["driver"], "date": item["date"]}


def plan_one(date: str = DAY) -> Play:
    return plan(date, useDrivers=[{"driverExternalId": "D1"}])


def route(vehicle: str, start: dict[str, Any], end: dict[str, Any], earliest: str) -> Play:
    """The one route: whose vehicle, from where to where, and when it begins."""

    def play(stage: Stage) -> None:
        (found,) = routes(stage, includeRouteStartEnd="true")
        assert (found["vehicleRegistration"], found["startLocation"], found["endLocation"]) == (vehicle, start, end)
        assert found["stops"][0]["scheduledAt"] >= earliest

    return play


def usual(start: dict[str, Any], end: dict[str, Any]) -> Play:
    """Where the driver begins and ends on every date that is not different."""

    def play(stage: Stage) -> None:
        found = stage.company.client.get(f"/api/drivers/{stage.phone('D1').driver_id}").json()
        assert (found["startLocation"], found["endLocation"]) == (start, end)

    return play


def places(*expected: tuple[str, str, float]) -> Play:
    """The account's locations that are not orders': name, address, latitude."""

    def play(stage: Stage) -> None:
        items = stage.company.client.get("/api/locations").json()["items"]
        found = [(each["locationName"], each["address"], each["latitude"]) for each in items]
        assert sorted(each for each in found if not each[0].startswith("Place")) == sorted(expected)

    return play


def each_refused(answer: dict[Any, Any], items: Sequence[dict[str, Any]]) -> Step:
    """Each item of a call is refused, and the one after them all is not."""
    echoes = [{name: item[name] for name in ("driver", "date") if item.get(name)} for item in items]
    pairs = [(item, answer | echo) for item, echo in zip(items, echoes, strict=True)]
    return bulk(*pairs, done(D1 | {"enabled": True}))


HOME = {"latitude": 45.7, "longitude": 16.0, "address": "Home"}
YARD = {"latitude": 45.6, "longitude": 16.0, "address": "Yard 1"}
BARE = {"latitude": 45.9, "longitude": 16.0, "address": ""}

CASES = [
    Case(
        "What is different for a driver on a date holds on that date and takes the route of that date off the plan.",
        [
            *(SINGLE + "request/" + name for name in ("externalId", "date", "enabled", "workTimeFrom", "workTimeTo")),
            *(SINGLE + "request/" + name for name in ("assignedVehicle", *CAPACITIES)),
            SINGLE + "response/success",
        ],
        fleet(2),
        settings(planningSeconds=0.2),
        GOODS,
        plan_one(TUESDAY),
        plan_one(),
        planned({"D1": ["L1", "L2", "L3", "L4", "O1"]}),
        single(**dict.fromkeys(CAPACITIES, 40)),
        planned({}),
        get("get_scheduling_info", {"success": True, "orderScheduled": False}, orderNo="O1"),
        get("get_routes", {"success": True, "routes": [{"driverSerial": "S1", **MORE}]}, date=TUESDAY),
        plan_one(),
        planned({"D1": ["O1"]}),
        # A vehicle comes with its own room, save where something else is said.
        single(assignedVehicle="V2", vehicleCapacity3=40, workTimeFrom="12:30", workTimeTo="18:00"),
        plan_one(),
        planned({"D1": ["L1", "L2", "L4", "O1"]}),
        route("VEH2", DEPOT, DEPOT, "12:30"),
        single(workTimeTo="12:31"),
        plan_one(),
        planned({}),
        single(enabled=False),
        post(
            "start_planning",
            {"date": DAY, "useDrivers": [{"driverSerial": "S1"}]},
            refused("ERR_OPT_NO_RESOURCES"),
        ),
    ),
    Case(
        "Where a driver starts and ends is changed for ever, and half of a pair of coordinates changes nothing.",
        [
            SINGLE + f"request/{side}{part}"
            for side in ("start", "end")
            for part in ("Latitude", "Longitude", "Address")
        ],
        fleet(),
        settings(planningSeconds=0.2),
        orders(order("O1")),
        single(startLatitude=45.9, endLongitude=16.0),
        single(startAddress="Nowhere", endAddress="Nowhere"),
        usual(DEPOT, DEPOT),
        bulk(done(D1 | {"startLocation": YARD | {"type": "custom"}, "endLocation": {"type": "startLocation"}})),
        single(startLatitude=45.9, startLongitude=16.0, endLatitude=45.7, endLongitude=16.0, endAddress="Home"),
        usual(BARE, HOME),
        plan_one(),
        route("VEH1", BARE, HOME, "08:00"),  # on this date too
    ),
    Case(
        "An update that does not fit is refused by name, and changes nothing.",
        [
            *(SINGLE + f"errors/ERR_{code}" for code in ("DRIVER_NOT_FOUND", "MULTIPLE_DRV")),
            *(SINGLE + f"errors/ERR_{code}" for code in ("VEH_NOT_FOUND", "MULTIPLE_VEH")),
            SINGLE + "response/code",
        ],
        fleet(),
        *twins(),
        single(refused("ERR_DRIVER_NOT_FOUND"), externalId="S1"),
        single(refused("ERR_MULTIPLE_DRV"), externalId="twin"),
        single(refused("ERR_VEH_NOT_FOUND"), assignedVehicle="VEH1", startLatitude=1, startLongitude=1),
        single(refused("ERR_MULTIPLE_VEH"), assignedVehicle="twin"),
        single(MISSING, externalId=...),
        single(MISSING, date=...),
        *(
            single(INVALID, **fields)
            for fields in (
                {"date": "2026-02-30"},
                {"enabled": "yes"},
                {"workTimeFrom": "8:00"},
                {"workTimeTo": "24:00"},
                {"vehicleCapacity1": -1},
                {"vehicleCapacity4": "many"},
                {"startLatitude": 91, "startLongitude": 16},
                {"endLatitude": 45, "endLongitude": "16"},
            )
        ),
        usual(DEPOT, DEPOT),
    ),
    Case(
        "Several drivers and dates are changed at once, for these dates alone; a new place becomes a location.",
        [
            BULK + "request/updates",
            *(OBJECT + name for name in ("driver", "date", "enabled", "workTime", "assignedVehicle", *CAPACITIES)),
            *(OBJECT + name for name in ("startLocation", "endLocation")),
            *(BULK + f"request/WorkTime/{name}" for name in ("from", "to")),
            *(BULK + f"request/LocationType/{name}" for name in ("type", "address", "latitude", "longitude")),
            *(BULK + f"response/{name}" for name in ("success", "updates")),
            *(BULK + f"response/Driver Response/{name}" for name in ("success", "driver", "date")),
        ],
        fleet(2),
        settings(planningSeconds=0.2),
        GOODS,
        plan_one(),
        bulk(
            done(
                D1
                | {
                    "workTime": {"from": "12:30", "to": "18:00"},
                    "assignedVehicle": {"registration": "VEH2"},
                    "vehicleCapacity1": 40,
                    "vehicleCapacity4": 40,
                    "startLocation": {"type": "custom", "latitude": 45.9, "longitude": 16.0},
                    "endLocation": YARD | {"type": "custom"},
                }
            ),
            done({"driver": {"serial": "S2"}, "date": DAY, "enabled": False}),
            done({"driver": {"serial": "S2", "externalId": "D2"}, "date": TUESDAY, "assignedVehicle": "V1"}),
        ),
        planned({}),
        places(("45.9, 16.0", "", 45.9), ("Yard 1", "Yard 1", 45.6)),
        plan(DAY),
        planned({"D1": ["L2", "L3", "O1"]}),
        route("VEH2", BARE, YARD, "12:30"),
        usual(DEPOT, DEPOT),
        bulk(
            done(
                D1
                | {
                    "assignedVehicle": {"externalId": "V1", "registration": ""},
                    "vehicleCapacity2": 40,
                    "vehicleCapacity3": 40,
                }
                | {"startLocation": YARD | {"type": "custom"}, "endLocation": {"type": "startLocation"}}
            )
        ),
        places(("45.9, 16.0", "", 45.9), ("Yard 1", "Yard 1", 45.6)),
        plan(DAY),
        planned({"D1": ["L1", "L4", "O1"]}),
        route("VEH1", YARD, YARD, "12:30"),
        bulk(
            done(
                D1
                | {"startLocation": {"type": "employeeDefault"}, "endLocation": {"type": "employeeDefault"}}
                | {"workTime": {"from": "09:00", "to": "17:00"}}
            )
        ),
        plan(DAY),
        route("VEH1", DEPOT, DEPOT, "09:00"),
    ),
    Case(
        "Of many updates those that do not fit are refused by name, the others are made.",
        [
            *(BULK + f"response/Driver Response/{name}" for name in ("code", "message")),
            *(BULK + f"errors/ERR_{code}" for code in ("DRIVER_NOT_FOUND", "MULTIPLE_DRV")),
            *(BULK + f"errors/ERR_{code}" for code in ("VEH_NOT_FOUND", "MULTIPLE_VEH", "LOC_NOT_VALID")),
        ],
        fleet(),
        *twins(),
        each_refused(
            refused("ERR_DRIVER_NOT_FOUND"),
            [D1 | {"driver": {"serial": "D1"}}, D1 | {"driver": {"serial": "S2", "externalId": "D1"}}],
        ),
        each_refused(
            refused("ERR_MULTIPLE_DRV"), [D1 | {"driver": {"serial": "twin"}}, D1 | {"driver": {"externalId": "twin"}}]
        ),
        each_refused(
            refused("ERR_VEH_NOT_FOUND"),
            [D1 | {"assignedVehicle": name} for name in ("VEH1", {"registration": "V1"}, {"externalId": "VEH1"})],
        ),
        each_refused(
            refused("ERR_MULTIPLE_VEH"),
            [D1 | {"assignedVehicle": name} for name in ("twin", {"registration": "TWIN"}, {"externalId": "twin"})],
        ),
        each_refused(
            refused("ERR_LOC_NOT_VALID"),
            [
                D1 | {"startLocation": {"type": "custom"}},
                D1 | {"endLocation": {"type": "custom", "latitude": 45.8, "address": "Home"}},
                D1 | {"startLocation": {"type": "custom", "latitude": 91, "longitude": 16}},
            ],
        ),
        each_refused(
            INVALID,
            [
                D1 | {"date": "2026-02-30"},
                D1 | {"driver": {}},
                D1 | {"workTime": {"from": "09:00", "to": "25:00"}},
                D1 | {"startLocation": {"type": "startLocation"}},
                D1 | {"endLocation": {"type": "home"}},
                D1 | {"assignedVehicle": {}},
                D1 | {"assignedVehicle": {"externalId": "", "registration": ""}},
                D1 | {"vehicleCapacity2": "many"},
                D1 | {"enabled": 1},
            ],
        ),
        each_refused(
            MISSING,
            [
                {"date": DAY},
                {"driver": {"externalId": "D1"}},
                # The document's own example has a colon in the name.
                D1 | {"workTime": {"from": "09:00", "to:": "17:00"}},
                D1 | {"startLocation": {"latitude": 45.8, "longitude": 16}},
            ],
        ),
        post("update_drivers_parameters", {"updates": [D1] * 501}, INVALID),
        post("update_drivers_parameters", {}, MISSING),
        bulk(
            (D1 | {"driver": {"serial": "none"}}, refused("ERR_DRIVER_NOT_FOUND", driver={"serial": "none"}, date=DAY))
        ),
    ),
]
