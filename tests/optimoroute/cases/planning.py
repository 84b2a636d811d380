"""start_planning, stop_planning and get_planning_status."""

import re
from collections.abc import Iterable
from typing import Any

from tests.optimoroute.scenes import DAY, fleet, order, orders, planned, routes, settings, twins
from tests.optimoroute.table import (
    MORE,
    OK,
    PLANNED_S,
    Case,
    Name,
    Play,
    Stage,
    Step,
    get,
    office,
    plan,
    post,
    refused,
)
from tests.serving import eventually

REQUEST, ERRORS = "start_planning/request/", "start_planning/errors/"
INVALID, MISSING = refused("ERR_INVALID_PARAM_FORMAT"), refused("ERR_MISSING_MAND_FIELD")
TUESDAY, FRIDAY = "2026-03-03", "2026-03-06"
STOCK = (fleet(2), orders(order("O1"), order("O2"), order("O3", date=TUESDAY)))


def start(answer: dict[Any, Any], **body: Any) -> Step:
    return post("start_planning", {"date": DAY} | body, answer)


def running(name: str = "job") -> dict[str, Any]:
    return {"success": True, "planningId": Name(name)}


def status(word: str, percent: Any = int, job: str = "job") -> Step:
    """``status`` N new, R running, C cancelled, F finished, E error."""
    answer = {"success": True, "status": re.compile(word), "percentageComplete": percent}
    return Step("GET", "/v1/get_planning_status", query={"planningId": Name(job)}, answer=answer, until=True)


def stop(job: str = "job", answer: dict[Any, Any] | None = None) -> Step:
    return post("stop_planning", {"planningId": Name(job)}, answer or {"success": True})


def under_way(job: str = "job") -> Play:
    """The search has begun: a planning that is stopped before, has found nothing."""

    def play(stage: Stage) -> None:
        def percent() -> int:
            return int(stage.company.v1("get_planning_status", planningId=stage.names[job])["percentageComplete"])

        eventually(percent, within_s=PLANNED_S, what="a search")

    return play


def each_has(*numbers: int) -> Play:
    """How many stops the routes have, from the least to the most."""

    def play(stage: Stage) -> None:
        assert lengths(stage) == numbers

    return play


def lengths(stage: Stage) -> tuple[int, ...]:
    return tuple(sorted(len(each["stops"]) for each in routes(stage)))


def spread(*numbers: int, **fields: Any) -> Play:
    """Planned, the routes have so many stops, from the least to the most; a busy machine needs longer for it."""

    def play(stage: Stage) -> None:
        for seconds in (0.5, 3, 10):
            settings(planningSeconds=seconds)(stage)
            plan(DAY, **fields)(stage)
            if lengths(stage) == numbers:
                return
        raise AssertionError(f"the routes have {lengths(stage)} stops, and not {numbers}")

    return play


def another_company_does_not_find_it(stage: Stage) -> None:
    other, job_id = stage.server.account(), stage.names["job"]
    assert other.v1("get_planning_status", planningId=job_id)["code"] == "ERR_JOB_NOT_FOUND"
    assert other.v1("stop_planning", {"planningId": job_id})["code"] == "ERR_JOB_NOT_FOUND"


def the_id_is_a_number(stage: Stage) -> None:
    assert type(stage.names["job"]) is int


def refusals(answer: dict[Any, Any], bodies: Iterable[dict[str, Any]]) -> list[Step]:
    return [post("start_planning", body, answer) for body in bodies]


CASES = [
    Case(
        "A day is planned; how far it is can be asked until it is finished, and then it can no longer be stopped.",
        [
            REQUEST + "date",
            "start_planning/response/success",
            "start_planning/response/planningId",
            "get_planning_status/request/planningId",
            "get_planning_status/response/success",
            "get_planning_status/response/status",
            "get_planning_status/response/percentageComplete",
            "stop_planning/response/code",
            "stop_planning/errors/ERR_OPT_NOT_RUNNING",
        ],
        *STOCK,
        settings(planningSeconds=0.2),
        start(running()),
        the_id_is_a_number,
        status("[NR]|F"),
        status("F", 100),
        each_has(2),
        stop(answer=refused("ERR_OPT_NOT_RUNNING")),
    ),
    Case(
        "While a planning runs its date and its orders are taken, until it is stopped with what it found.",
        [
            ERRORS + "ERR_OPT_RUNNING_FOR_DATE",
            ERRORS + "ERR_OPT_RUNNING_FOR_ORDER",
            "start_planning/response/code",
            "stop_planning/request/planningId",
            "stop_planning/response/success",
        ],
        *STOCK,
        settings(planningSeconds=60),
        start(running()),
        status("[NR]"),
        another_company_does_not_find_it,
        start(refused("ERR_OPT_RUNNING_FOR_DATE", planningId=Name("job"))),
        start(refused("ERR_OPT_RUNNING_FOR_DATE", planningId=Name("job")), dateRange={"from": "2026-03-01", "to": DAY}),
        start(refused("ERR_OPT_RUNNING_FOR_ORDER", planningId=Name("job")), useOrders=["O1"]),
        start(refused("ERR_OPT_RUNNING_FOR_ORDER", planningId=Name("job")), useOrderObjects=[{"id": Name("O2")}]),
        post(
            "create_or_update_orders",
            {"orders": [{"id": Name("O1"), "notes": "x"}, {"orderNo": "O2"}, order("O9")]},
            {
                "success": True,
                "orders": [
                    refused("ERR_OPT_RUNNING", id=Name("O1")) | MORE,
                    refused("ERR_OPT_RUNNING", orderNo="O2") | MORE,
                    OK,
                ],
            },
        ),
        start(running("other day"), date=TUESDAY),
        under_way(),
        # The document's own example has a blank in front of the name.
        post("stop_planning", {" planningId": Name("job")}, {"success": True}),
        status("C"),
        each_has(2),
        stop("other day"),
        status("C", job="other day"),
        stop(answer=refused("ERR_OPT_NOT_RUNNING")),
    ),
    Case(
        "A planning that nobody started is not found, nor is another company's.",
        [
            "stop_planning/errors/ERR_JOB_NOT_FOUND",
            "get_planning_status/errors/ERR_JOB_NOT_FOUND",
            "get_planning_status/response/code",
        ],
        *(
            step
            for number in (1, 2**62, -1, 10**18)
            for step in (
                get("get_planning_status", refused("ERR_JOB_NOT_FOUND"), planningId=number),
                post("stop_planning", {"planningId": number}, refused("ERR_JOB_NOT_FOUND")),
            )
        ),
        *(get("get_planning_status", INVALID, planningId=number) for number in ("x", "1.5", "²", "1e3")),
        *(post("stop_planning", {"planningId": number}, INVALID) for number in ("1", None, 1.5, 2**70)),
        get("get_planning_status", MISSING),
        post("stop_planning", {}, MISSING),
    ),
    Case(
        "A range of days is planned at once, in place of the date; an order goes to a day that it allows.",
        [REQUEST + "dateRange", ERRORS + "ERR_DATE_RANGE_TOO_LONG", ERRORS + "ERR_DATE_RANGE_INVALID"],
        fleet(),
        settings(planningSeconds=0.2),
        orders(order("O1", allowedWeekdays=["wed"]), order("O2", date=FRIDAY, allowedWeekdays=["fri"])),
        plan("a date that is ignored", dateRange={"from": DAY, "to": FRIDAY}),
        get("get_routes", {"success": True, "routes": []}, date=DAY),
        get("get_routes", {"success": True, "routes": [{"driverSerial": "S1", ...: ...}]}, date="2026-03-04"),
        get("get_routes", {"success": True, "routes": [{"driverSerial": "S1", ...: ...}]}, date=FRIDAY),
        post("start_planning", {"dateRange": {"from": DAY, "to": "2026-04-06"}}, refused("ERR_DATE_RANGE_TOO_LONG")),
        post("start_planning", {"dateRange": {"from": DAY, "to": "2026-03-01"}}, refused("ERR_DATE_RANGE_INVALID")),
        *refusals(MISSING, [{}, {"dateRange": {"from": DAY}}, {"dateRange": {}}]),
        *refusals(INVALID, [{"date": "2026-02-30"}, {"date": 20260302}, {"dateRange": DAY}]),
    ),
    Case(
        "Work is spread over the drivers where that is asked for, by number or by time, and forced on all of them.",
        [REQUEST + "balancing", REQUEST + "balanceBy", REQUEST + "balancingFactor"],
        fleet(2),
        orders(*map(order, ("O1", "O2", "O3", "O4"))),
        spread(4, balancing="OFF"),
        spread(2, 2, balancing="ON_FORCE", balanceBy="NUM", balancingFactor=1.0),
        settings(planningSeconds=0.5),
        plan(DAY, balancing="ON", balanceBy="WT", balancingFactor=0),
        *refusals(
            INVALID,
            (
                {"date": DAY, **field}
                for field in (
                    {"balancing": "MAYBE"},
                    {"balancing": True},
                    {"balanceBy": "KM"},
                    {"balancingFactor": 1.1},
                    {"balancingFactor": -0.1},
                    {"balancingFactor": "0.3"},
                )
            ),
        ),
    ),
    Case(
        "A planning goes on from the routes there are, and leaves of them what it is told to leave.",
        [REQUEST + "startWith", REQUEST + "lockType"],
        fleet(2),
        settings(planningSeconds=0.2),
        orders(order("O1"), order("O2")),
        plan(DAY, useDrivers=[{"driverExternalId": "D1"}]),
        orders(order("O3")),
        plan(DAY, startWith="CURRENT", lockType="ROUTES"),
        planned({"D1": ["O1", "O2"], "D2": ["O3"]}),
        orders(order("O4", assignedTo={"serial": "S1"})),
        plan(DAY, startWith="CURRENT", lockType="RESOURCES"),
        planned({"D1": ["O1", "O2", "O4"], "D2": ["O3"]}),
        plan(DAY, startWith="CURRENT"),
        plan(DAY, startWith="EMPTY", lockType="ROUTES"),
        *refusals(INVALID, ({"date": DAY, "lockType": "ALL"}, {"date": DAY, "startWith": "HERE"})),
    ),
    Case(
        "Chosen drivers and orders alone are planned; what these drivers had goes along unless it shall not.",
        [
            REQUEST + "useDrivers",
            REQUEST + "useOrders",
            REQUEST + "useOrderObjects",
            REQUEST + "includeScheduledOrders",
            "objects/SelectedDriver/driverExternalId",
            "objects/SelectedDriver/driverSerial",
        ],
        fleet(2),
        settings(planningSeconds=0.2),
        orders(*map(order, ("O1", "O2", "O3", "O4"))),
        plan(DAY, useDrivers=[{"driverExternalId": "D1"}], useOrders=["O1", "O2"]),
        planned({"D1": ["O1", "O2"]}),
        plan(DAY, useDrivers=[{"driverSerial": "S1"}], useOrderObjects=[{"orderNo": "O3"}], useOrders=["O4"]),
        planned({"D1": ["O1", "O2", "O3"]}),
        plan(DAY, useDrivers=[{"driverSerial": "S1"}], useOrders=["O4"], includeScheduledOrders=False),
        planned({"D1": ["O4"]}),
        get("get_scheduling_info", {"success": True, "orderScheduled": False}, orderNo="O1"),
        plan(DAY, useDrivers=[{"driverSerial": "S2"}], useOrders=["O4"]),
        planned({"D2": ["O4"]}),
        plan(DAY, useDrivers=[{"driverSerial": "S1"}], startWith="CURRENT", lockType="RESOURCES"),
        planned({"D1": ["O1", "O2", "O3"], "D2": ["O4"]}),
        # All orders of the date are meant where none is chosen, also those of other drivers.
        plan(DAY, useDrivers=[{"driverSerial": "S1"}], useOrders=[]),
        planned({"D1": ["O1", "O2", "O3", "O4"]}),
        plan(DAY, useDrivers=[], useOrderObjects=[]),
        *refusals(INVALID, ({"date": DAY, "useDrivers": [{}]}, {"date": DAY, "useOrderObjects": [{}]})),
        *refusals(INVALID, ({"date": DAY, "useDrivers": ["D1"]}, {"date": DAY, "useOrders": "O1"})),
    ),
    Case(
        "Orders that are named and not there, there twice, or nowhere on the map are told.",
        [
            ERRORS + "ERR_ORD_NOT_FOUND",
            ERRORS + "ERR_MULTIPLE_ORD_FOUND",
            ERRORS + "ERR_ORD_WITH_INVALID_LOC",
            "start_planning/response/missingOrders",
            "start_planning/response/ordersWithInvalidLocation",
        ],
        *STOCK,
        start(refused("ERR_ORD_NOT_FOUND", missingOrders=["N1", "N2"]), useOrders=["O1", "N1", "N2"]),
        start(refused("ERR_ORD_NOT_FOUND", missingOrders=["O3"]), useOrders=["O3"]),  # of another date
        start(refused("ERR_ORD_NOT_FOUND", missingOrders=["O1"]), useOrderObjects=[{"id": "O1"}]),
        post(
            "create_or_update_orders",
            {"orders": [order("O2", operation="CREATE", acceptDuplicateOrderNo=True)]},
        ),
        start(refused("ERR_MULTIPLE_ORD_FOUND"), useOrders=["O1", "O2"]),
        post(
            "create_order",
            {"operation": "CREATE", "orderNo": "LOST", "date": DAY, "type": "D"}
            | {"location": {"address": "No Such Street 1, Nowhere", "storeInvalid": True}},
            {"success": True, "location": {"valid": False, ...: ...}, ...: ...},
        ),
        start(
            refused("ERR_ORD_WITH_INVALID_LOC", ordersWithInvalidLocation=["LOST"]),
            useOrderObjects=[{"orderNo": "O1"}, {"orderNo": "LOST"}],
        ),
        # Where none is named, those that are somewhere are planned.
        settings(planningSeconds=0.2),
        plan(DAY),
        get("get_scheduling_info", {"success": True, "orderScheduled": True, **MORE}, orderNo="O1"),
        get("get_scheduling_info", {"success": True, "orderScheduled": False}, orderNo="LOST"),
    ),
    Case(
        "Drivers that are named and not there, or there twice, are told; without drivers or orders nothing is planned.",
        [
            ERRORS + "ERR_DRIVER_NOT_FOUND",
            ERRORS + "ERR_MULTIPLE_DRV",
            ERRORS + "ERR_OPT_NO_RESOURCES",
            ERRORS + "ERR_OPT_NO_REQUESTS",
            "start_planning/response/missingDrivers",
        ],
        orders(order("O1")),
        start(refused("ERR_OPT_NO_RESOURCES")),
        fleet(),
        *twins(),
        start(
            refused("ERR_DRIVER_NOT_FOUND", missingDrivers=[{"driverExternalId": "N"}, {"driverSerial": "N"}]),
            useDrivers=[{"driverExternalId": "N"}, {"driverExternalId": "D1"}, {"driverSerial": "N"}],
        ),
        start(
            refused("ERR_DRIVER_NOT_FOUND", missingDrivers=[{"driverExternalId": "D1", "driverSerial": "N"}]),
            useDrivers=[{"driverExternalId": "D1", "driverSerial": "N"}],
        ),
        start(refused("ERR_MULTIPLE_DRV"), useDrivers=[{"driverSerial": "twin"}]),
        office("POST", "/api/drivers", {"name": "Off", "serial": "off", "enabled": False}),
        start(refused("ERR_OPT_NO_RESOURCES"), useDrivers=[{"driverSerial": "off"}]),
        start(refused("ERR_OPT_NO_REQUESTS"), date="2026-03-09"),
    ),
]
