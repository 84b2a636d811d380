"""create_order: operations, mandatory fields, what is deprecated, and every refusal. Locations are in ``locations``."""

from typing import Any

from tests.optimoroute.cases.order_object import CODES, UNSAID, shows
from tests.optimoroute.scenes import DAY, order, orders, twins
from tests.optimoroute.table import ABSENT, MORE, OK, Case, Name, Play, Step, get, office, post, refused

HERE = {"locationName": "Here", "latitude": 45.8, "longitude": 16.0}
THERE = {"locationName": "There", "latitude": 45.9, "longitude": 16.1}
MISSING = refused("ERR_MISSING_MAND_FIELD")
WRONG = refused("ERR_INVALID_PARAM_FORMAT")
ROW = "create_order/"
ERROR = ROW + "errors/"
OPERATIONS = ("CREATE", "UPDATE", "SYNC", "MERGE")
MADE = {"success": True, "id": Name("N1"), "location": {**MORE, "valid": True}}
FULL: dict[str, Any] = {
    "duration": 20,
    "priority": "H",
    "load1": 10,
    "load2": 25,
    "timeWindows": [{"twFrom": "10:00", "twTo": "10:59"}],
    "allowedWeekdays": ["mon"],
    "allowedDates": {"from": DAY, "to": DAY},
    "allowedDateTimes": [{"from": f"{DAY}T08:00:00"}],
    "skills": ["SK001"],
    "vehicleFeatures": ["FR"],
    "assignedTo": {"externalId": "DRV001", "serial": "001"},
    "notes": "Deliver at back door",
    "email": "john.doe@example.com",
    "phone": "1",
    **{f"customField{index}": f"c{index}" for index in range(1, 6)},
    "customFields": {"fruit_type": "apple"},
    "notificationPreference": "email",
    "barcode": [{"barcode": "12345678"}],
}


def given(operation: str | None, number: str = "N1", **fields: Any) -> dict[str, Any]:
    """``...`` is left out, and so is no operation."""
    told = {"operation": operation, "orderNo": number, "date": DAY, "type": "D", "location": HERE} | fields
    return {name: value for name, value in told.items() if value is not ... and (name, value) != ("operation", None)}


def create(answer: Any, number: str = "N1", operation: str | None = "CREATE", **fields: Any) -> Step:
    return post("create_order", given(operation, number, **fields), answer)


def only(operation: str, answer: Any = OK, **fields: Any) -> Step:
    """Nothing is told but this."""
    return post("create_order", {"operation": operation, **fields}, answer)


def whole(**fields: Any) -> Step:
    """All of N1, with what it is of which only the mandatory is told, but for these fields."""
    data = UNSAID | {"type": "D", "location": {**MORE, **HERE}} | fields
    return get("get_orders", {"success": True, "orders": [{"success": True, "id": str, "data": data}]}, orderNo="N1")


def code_twice(path: str, code: str) -> list[Play]:
    return [office("POST", path, {"code": code}, status=201)] * 2


FLEET = office("PUT", "/api/fleet", CODES)

CASES = [
    Case(
        "An order is created with all that is told of it, and the answer has its id and its location.",
        [ROW + "request/operation", *(ROW + f"response/{name}" for name in ("success", "id", "location"))],
        FLEET,
        create(
            {
                "success": True,
                "id": Name("N1"),
                "location": {
                    "locationNo": "",
                    "locationName": "Here",
                    "address": "",
                    "latitude": 45.8,
                    "longitude": 16,
                    "valid": True,
                    "checkInTime": 0,
                    "notes": "",
                },
            },
            **FULL,
        ),
        whole(**FULL),
    ),
    Case(
        "The operation is mandatory, and one of four.",
        [ROW + "request/operation"],
        create(MISSING, operation=None),
        *(create(WRONG, operation=each) for each in ("create", "DELETE", "DEFAULT", "")),
        post("create_order", given("CREATE") | {"operation": None}, WRONG),
        post("create_order", {}, MISSING),
    ),
    Case(
        "Date, type, location and a number or an id are mandatory for all operations but UPDATE.",
        [ROW + "request/operation"],
        *(
            create(MISSING, operation=operation, **{name: ...})
            for operation in ("CREATE", "SYNC", "MERGE")
            for name in ("date", "type", "location", "orderNo")
        ),
        only("UPDATE", MISSING, notes="of nothing"),
        only("UPDATE", MISSING, orderNo=""),
    ),
    Case(
        "CREATE refuses a number that is there, unless it is told that it may be there twice.",
        [
            ERROR + "ERR_ORD_EXISTS",
            ROW + "request/acceptDuplicateOrderNo",
            *(ROW + f"response/{n}" for n in ("code", "message")),
        ],
        create(MADE),
        create(refused("ERR_ORD_EXISTS")),
        create(refused("ERR_ORD_EXISTS"), acceptDuplicateOrderNo=False),
        create({"success": True, "id": Name("second"), "location": dict}, acceptDuplicateOrderNo=True),
        create(WRONG, acceptDuplicateOrderNo="yes"),
        only("UPDATE", refused("ERR_MULTIPLE_ORD_FOUND"), orderNo="N1", notes="which one?"),
        create(refused("ERR_MULTIPLE_ORD_FOUND"), operation="SYNC", acceptDuplicateOrderNo=True),
        only("UPDATE", {**OK, "id": Name("second")}, id=Name("second"), notes="this one"),
    ),
    Case(
        "An id is not looked at by CREATE, and is enough to name an order that has no number.",
        [ROW + "request/operation"],
        create(MADE),
        create({"success": True, "id": Name("second"), "location": dict}, "N2", id=Name("N1")),
        create({"success": True, "id": Name("third"), "location": dict}, orderNo=..., id="mine"),
        shows(number="N2", id=Name("second")),
        only("UPDATE", {**OK, "id": Name("third")}, id=Name("third"), notes="without a number"),
    ),
    Case(
        "A number that another order has is not given to a second one by a change either, unless that is accepted.",
        [ROW + "request/acceptDuplicateOrderNo"],
        create(MADE),
        create(OK, "N2"),
        only("UPDATE", refused("ERR_ORD_EXISTS"), id=Name("N1"), orderNo="N2"),
        only("MERGE", refused("ERR_ORD_EXISTS"), id=Name("N1"), orderNo="N2"),
        only("UPDATE", id=Name("N1"), orderNo="N3"),
        only("UPDATE", id=Name("N1"), orderNo="N2", acceptDuplicateOrderNo=True),
        get("get_orders", {**MORE, "orders": [refused("ERR_MULTIPLE_ORD_FOUND", orderNo="N2")]}, orderNo="N2"),
    ),
    Case(
        "UPDATE changes what it is given of an order that is there, and refuses to create one.",
        [ROW + "request/operation"],
        FLEET,
        create(refused("ERR_ORD_NOT_FOUND"), operation="UPDATE"),
        create(refused("ERR_ORD_NOT_FOUND"), operation="UPDATE", id="ffff"),
        create(MADE, **FULL),
        only("UPDATE", {**OK, "id": Name("N1"), "location": {**MORE, **HERE}}, orderNo="N1", load2=7, notes="changed"),
        whole(**FULL | {"load2": 7, "notes": "changed"}),
        only("UPDATE", orderNo="N1"),
        whole(**FULL | {"load2": 7, "notes": "changed"}),
    ),
    Case(
        "MERGE changes what it is given of an order that is there, and creates one that is not.",
        [ROW + "request/operation"],
        FLEET,
        create(MADE, operation="MERGE", **FULL),
        create(MADE, operation="MERGE", load2=7),
        only("MERGE", {**OK, "id": Name("N1")}, orderNo="N1", notes="changed"),
        whole(**FULL | {"load2": 7, "notes": "changed"}),
        only("MERGE", refused("ERR_ORD_NOT_FOUND"), id="ffff", notes="nobody's"),
    ),
    Case(
        "SYNC replaces an order that is there by what it is given, and creates one that is not.",
        [ROW + "request/operation"],
        FLEET,
        create(MADE, operation="SYNC", **FULL),
        whole(**FULL),
        create(MADE, operation="SYNC", notes="fresh", location=THERE),
        whole(notes="fresh", location={**MORE, **THERE}),
        create(MADE, operation="SYNC", orderNo=..., id=Name("N1")),
        whole(),
        create(refused("ERR_ORD_NOT_FOUND"), operation="SYNC", id="ffff"),
    ),
    Case(
        "The older way to tell one time window is taken, and ignored where there is the newer one.",
        [ROW + "request/twFrom", ROW + "request/twTo"],
        create(OK, twFrom="10:00", twTo="10:59"),
        shows(timeWindows=[{"twFrom": "10:00", "twTo": "10:59"}]),
        only("UPDATE", orderNo="N1", twFrom="16:00"),
        shows(timeWindows=[{"twFrom": "16:00", "twTo": "23:59"}]),
        only("UPDATE", orderNo="N1", twTo="17:00"),
        shows(timeWindows=[{"twFrom": "00:00", "twTo": "17:00"}]),
        only("UPDATE", WRONG, orderNo="N1", twFrom="24:00"),
        only("UPDATE", WRONG, orderNo="N1", twTo="5pm"),
        only(
            "UPDATE", orderNo="N1", twFrom="08:00", twTo="nonsense", timeWindows=[{"twFrom": "12:00", "twTo": "13:00"}]
        ),
        shows(timeWindows=[{"twFrom": "12:00", "twTo": "13:00"}]),
        only("UPDATE", orderNo="N1", twFrom="08:00", timeWindows=[]),
        shows(timeWindows=[]),
    ),
    Case(
        "An order that does not fit is refused, by its first misfit, and leaves no trace.",
        [ROW + "response/code", ROW + "response/message"],
        *(
            create(WRONG, operation=operation, **fields)
            for operation in OPERATIONS
            for fields in ({"type": "Q"}, {"date": "14.10.2014"}, {"duration": "20"}, {"location": "Here"})
        ),
        get("get_orders", {"success": False, "orders": [refused("ERR_ORD_NOT_FOUND", orderNo="N1")]}, orderNo="N1"),
        office("GET", "/api/locations", answer={"items": []}),
    ),
    Case(
        "A related order that is not there, is there twice, or is neither pickup nor delivery to the other is refused.",
        [ERROR + f"ERR_RELATED_ORD_{reason}" for reason in ("MISSING", "MULTIPLE", "LINK")],
        create(refused("ERR_RELATED_ORD_MISSING"), relatedOrderNo="P1"),
        create(refused("ERR_RELATED_ORD_MISSING"), relatedId="ffff"),
        create(OK, "P1", type="P"),
        create(OK, "T1", type="T"),
        create(refused("ERR_RELATED_ORD_LINK"), relatedOrderNo="T1"),
        create(refused("ERR_RELATED_ORD_LINK"), relatedOrderNo="P1", type="P"),
        create(refused("ERR_RELATED_ORD_LINK"), relatedOrderNo="P1", type="T"),
        create(OK, "P1", type="P", acceptDuplicateOrderNo=True),
        create(refused("ERR_RELATED_ORD_MULTIPLE"), relatedOrderNo="P1"),
    ),
    Case(
        "A driver to assign to that is not there, or is there twice, is refused.",
        [ERROR + "ERR_DRV_NOT_EXISTS", ERROR + "ERR_DRV_MULTIPLE"],
        *twins(),
        *(create(refused("ERR_DRV_NOT_EXISTS"), assignedTo={name: "none"}) for name in ("serial", "externalId")),
        *(create(refused("ERR_DRV_MULTIPLE"), assignedTo={name: "twin"}) for name in ("serial", "externalId")),
    ),
    Case(
        "A code of a vehicle feature or a skill that is not there, or is there twice, is refused.",
        [ERROR + f"ERR_{kind}_{reason}" for kind in ("VF", "SK") for reason in ("NOT_EXISTS", "MULTIPLE")],
        FLEET,
        create(refused("ERR_VF_NOT_EXISTS"), vehicleFeatures=["FR", "none"]),
        create(refused("ERR_SK_NOT_EXISTS"), skills=["SK001", "none"]),
        *code_twice("/api/skills", "SKX"),
        *code_twice("/api/vehicle-features", "VFX"),
        create(refused("ERR_VF_MULTIPLE"), vehicleFeatures=["FR", "VFX"]),
        create(refused("ERR_SK_MULTIPLE"), skills=["SK001", "SKX"]),
        create(OK, vehicleFeatures=["FR"], skills=["SK002"]),
    ),
    Case(
        "A refusal has a code and a message and nothing else.",
        [ROW + "response/success"],
        create({"success": False, "code": "ERR_VF_NOT_EXISTS", "message": str, "id": ABSENT}, vehicleFeatures=["none"]),
        orders(order("N1")),
        create({**MORE, "success": False, "id": ABSENT, "location": ABSENT}),
    ),
]
