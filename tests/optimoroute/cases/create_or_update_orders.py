"""create_or_update_orders: what each operation and none does, each order by itself. Locations are in ``locations``."""

from functools import partial
from typing import Any

from tests.optimoroute.cases.create_order import FULL, HERE, THERE, code_twice, whole
from tests.optimoroute.cases.order_object import CODES, save, shows
from tests.optimoroute.scenes import DAY, fleet, order, orders, settings, twins
from tests.optimoroute.table import MORE, OK, Case, Name, Stage, Step, get, office, post, refused

ROW = "create_or_update_orders/"
ERROR, PART = ROW + "errors/", ROW + "response/Order Response/"
FLEET = office("PUT", "/api/fleet", CODES)
BASE = {"date": DAY, "type": "D", "location": HERE}
MADE = {"success": True, "id": Name("N1"), "orderNo": "N1"}


def one(answer: Any, operation: str | None = None, number: str = "N1", **fields: Any) -> Step:
    """One order, of which nothing is told but this."""
    told = {"operation": operation, "orderNo": number, **fields}
    given = {name: value for name, value in told.items() if value is not ... and (name, value) != ("operation", None)}
    return save(given, answers=[answer])


def no(code: str, **fields: Any) -> dict[Any, Any]:
    return refused(code, **({"orderNo": "N1"} | fields))


def calls(body: Any, code: str) -> Step:
    return post("create_or_update_orders", body, refused(code))


def sent_back(fields: dict[str, str], stage: Stage) -> None:
    """Reads N1, and saves what was read."""
    (read,) = stage.company.v1("get_orders", orderNo="N1")["orders"]
    save(read["data"] | fields, answers=[MADE])(stage)
    assert stage.company.v1("get_orders", orderNo="N1")["orders"] == [read]


CASES = [
    Case(
        "The whole call is refused that is not a list of 1 to 500 orders.",
        [ROW + "request/orders"],
        calls({}, "ERR_MISSING_MAND_FIELD"),
        calls({"orders": {}}, "ERR_INVALID_PARAM_FORMAT"),
        calls({"orders": []}, "ERR_INVALID_PARAM_FORMAT"),
        calls({"orders": [order(f"N{n}") for n in range(501)]}, "ERR_INVALID_PARAM_FORMAT"),
        get("get_orders", {**MORE, "success": False}, orderNo="N1"),
        save(*(order(f"N{n}") for n in range(500))),
    ),
    Case(
        "Each order is answered in its place; the call succeeded where one of them did.",
        [
            *(ROW + f"response/{name}" for name in ("success", "orders")),
            *(PART + name for name in ("success", "orderNo", "id", "code", "message")),
        ],
        post(
            "create_or_update_orders",
            {"orders": [order("N1"), order("N2", type="Q"), order("N3", orderNo=...), "N4", {"id": "ffff"}]},
            {
                "success": True,
                "orders": [
                    MADE,
                    refused("ERR_INVALID_PARAM_FORMAT", orderNo="N2"),
                    {"success": True, "id": str},
                    refused("ERR_INVALID_PARAM_FORMAT"),
                    refused("ERR_ORD_NOT_FOUND", id="ffff"),
                ],
            },
        ),
        post(
            "create_or_update_orders",
            {"orders": [order("N2", type="Q")]},
            {"success": False, "orders": [refused("ERR_INVALID_PARAM_FORMAT", orderNo="N2")]},
        ),
        shows(id=Name("N1")),
    ),
    Case(
        "Without an operation an order is updated by its id, else by its number, and else created.",
        [ROW + "request/Order/operation"],
        FLEET,
        one(MADE, **BASE | FULL),
        one(MADE, notes="by number"),
        one(MADE, number=..., id=Name("N1"), load2=7),
        whole(**FULL | {"notes": "by number", "load2": 7}),
        one(refused("ERR_ORD_NOT_FOUND", id="ffff"), number=..., id="ffff", notes="nobody's"),
        one({"success": True, "id": str}, number=..., date=DAY, location=HERE),
    ),
    Case(
        "MERGE changes what it is given, or creates.",
        [ROW + "request/Order/operation"],
        FLEET,
        one(MADE, "MERGE", **BASE | FULL),
        one(MADE, "MERGE", notes="changed"),
        whole(**FULL | {"notes": "changed"}),
    ),
    Case(
        "SYNC replaces the whole order, or creates it; a number, a date and a place it cannot be without.",
        [ROW + "request/Order/operation"],
        FLEET,
        one(MADE, "SYNC", **BASE | FULL),
        one(MADE, "SYNC", **BASE | {"location": THERE}),
        whole(location={**MORE, **THERE}),
        one(MADE, "SYNC", number=..., id=Name("N1"), type="D"),
        whole(location={**MORE, **THERE}),
    ),
    Case(
        "CREATE makes a new order, and is not allowed together with an id.",
        [ROW + "request/Order/operation", ERROR + "ERR_ORD_EXISTS", ROW + "request/Order/acceptDuplicateOrderNo"],
        one(MADE, "CREATE", **BASE),
        one(no("ERR_ORD_EXISTS"), "CREATE", **BASE),
        one(no("ERR_ORD_EXISTS"), "CREATE", **BASE, acceptDuplicateOrderNo=False),
        one(no("ERR_INVALID_PARAM_FORMAT", id=Name("N1")), "CREATE", **BASE, id=Name("N1")),
        one(no("ERR_INVALID_PARAM_FORMAT", orderNo="N2", id="ffff"), "CREATE", "N2", **BASE, id="ffff"),
        one({"success": True, "id": Name("second"), "orderNo": "N1"}, "CREATE", **BASE, acceptDuplicateOrderNo=True),
        one({"success": True, "id": str}, "CREATE", ..., **BASE),
        one(no("ERR_INVALID_PARAM_FORMAT"), "CREATE", **BASE, acceptDuplicateOrderNo="yes"),
    ),
    Case(
        "UPDATE changes what it is given and creates nothing.",
        [ROW + "request/Order/operation", ERROR + "ERR_ORD_NOT_FOUND"],
        one(no("ERR_ORD_NOT_FOUND"), "UPDATE", **BASE),
        one(no("ERR_ORD_NOT_FOUND", id="ffff"), "UPDATE", **BASE, id="ffff"),
        one(refused("ERR_INVALID_PARAM_FORMAT"), "UPDATE", ..., **BASE),
        *(
            one(no("ERR_ORD_NOT_FOUND", id="ffff"), operation, **BASE, id="ffff")
            for operation in (None, "SYNC", "MERGE")
        ),
        one(MADE, **BASE),
        one(MADE, "UPDATE", notes="changed"),
        whole(notes="changed", duration=5, load1=0),
    ),
    Case(
        "An order that is not there and lacks its date or its location cannot be created.",
        [ERROR + "ERR_INVALID_PARAM_FORMAT"],
        *(
            one(
                no("ERR_INVALID_PARAM_FORMAT"),
                operation,
                **{name: value for name, value in BASE.items() if name != left},
            )
            for operation in (None, "CREATE", "SYNC", "MERGE")
            for left in ("date", "location")
        ),
        one(no("ERR_INVALID_PARAM_FORMAT"), "DELETE", **BASE),
        one(no("ERR_INVALID_PARAM_FORMAT"), "", **BASE),
        settings(defaultDurationMinutes=7),
        one(MADE, date=DAY, location=HERE),
        whole(type="T", duration=7),
    ),
    Case(
        "A number that two orders have finds neither, save to tell that it may be there twice.",
        [ERROR + "ERR_MULTIPLE_ORD_FOUND"],
        save(*[order("N1", operation="CREATE", acceptDuplicateOrderNo=True)] * 2),
        *(one(no("ERR_MULTIPLE_ORD_FOUND"), operation, **BASE) for operation in (None, "UPDATE", "SYNC", "MERGE")),
    ),
    Case(
        "An order that is being planned cannot be changed until the planning has ended.",
        [ERROR + "ERR_OPT_RUNNING"],
        fleet(),
        settings(planningSeconds=60),
        orders(order("N1"), order("N2", date="2026-03-03")),
        post("start_planning", {"date": DAY}, {"success": True, "planningId": Name("job")}),
        one(no("ERR_OPT_RUNNING"), notes="changed"),
        post("create_order", {"operation": "UPDATE", "orderNo": "N1", "notes": "x"}, refused("ERR_OPT_RUNNING")),
        one(OK, number="N2", notes="changed"),
        post("stop_planning", {"planningId": Name("job")}),
        one(MADE, notes="changed"),
    ),
    Case(
        "A related order that is not there, is there twice, or is neither pickup nor delivery to the other is refused.",
        [ERROR + f"ERR_RELATED_ORD_{reason}" for reason in ("MISSING", "MULTIPLE", "LINK")],
        one(no("ERR_RELATED_ORD_MISSING"), **BASE, relatedOrderNo="P1"),
        save(order("P1", type="P"), *[order("P2", type="P", operation="CREATE", acceptDuplicateOrderNo=True)] * 2),
        one(no("ERR_RELATED_ORD_MULTIPLE"), **BASE, relatedOrderNo="P2"),
        one(no("ERR_RELATED_ORD_LINK"), **BASE | {"type": "T"}, relatedOrderNo="P1"),
        one(MADE, **BASE, relatedOrderNo="P1"),
    ),
    Case(
        "A driver to assign to that is not there, or is there twice, is refused.",
        [ERROR + "ERR_DRV_NOT_EXISTS", ERROR + "ERR_DRV_MULTIPLE"],
        *twins(),
        *(one(no("ERR_DRV_NOT_EXISTS"), **BASE, assignedTo={name: "none"}) for name in ("serial", "externalId")),
        *(one(no("ERR_DRV_MULTIPLE"), **BASE, assignedTo={name: "twin"}) for name in ("serial", "externalId")),
    ),
    Case(
        "A code of a vehicle feature or a skill that is not there, or is there twice, is refused.",
        [ERROR + f"ERR_{kind}_{reason}" for kind in ("VF", "SK") for reason in ("NOT_EXISTS", "MULTIPLE")],
        FLEET,
        *code_twice("/api/skills", "SKX"),
        *code_twice("/api/vehicle-features", "VFX"),
        one(no("ERR_VF_NOT_EXISTS"), **BASE, vehicleFeatures=["FR", "none"]),
        one(no("ERR_SK_NOT_EXISTS"), **BASE, skills=["SK001", "none"]),
        one(no("ERR_VF_MULTIPLE"), **BASE, vehicleFeatures=["FR", "VFX"]),
        one(no("ERR_SK_MULTIPLE"), **BASE, skills=["SK001", "SKX"]),
    ),
    Case(
        "The orders of one call see those before them in it.",
        [ROW + "request/orders"],
        save(
            order("P1", type="P"),
            order("D1", relatedOrderNo="P1"),
            {"orderNo": "P1", "notes": "later"},
            order("P1", operation="CREATE"),
            order("D2", location={"locationNo": "L1", "latitude": 1, "longitude": 2}),
            order("D3", location={"locationNo": "L1"}),
            answers=[OK, OK, OK, refused("ERR_ORD_EXISTS", orderNo="P1"), OK, OK],
        ),
        shows(number="P1", notes="later", relatedOrderNo="D1"),
        shows(number="D3", location={**MORE, "latitude": 1}),
    ),
    Case(
        "What was read can be sent back as it is, by every operation but CREATE.",
        [],
        FLEET,
        one(MADE, **BASE | FULL),
        *(
            step
            for operation in ({}, {"operation": "MERGE"}, {"operation": "UPDATE"}, {"operation": "SYNC"})
            for step in (partial(sent_back, operation), whole(**FULL))
        ),
    ),
]
