"""The Location object, and how an order comes to its location in the call for one and in the call for many."""

from datetime import datetime, timedelta
from typing import Any

from tests.optimoroute.cases.order_object import save, shows
from tests.optimoroute.scenes import DAY, fleet, order, orders, settings
from tests.optimoroute.table import MORE, Case, Name, Stage, Step, office, plan, post, refused

BULK, ONE = "create_or_update_orders/", "create_order/"
SHOP = {
    "locationNo": "LOC001",
    "locationName": "Green Cross Pharmacy North End",
    "address": "393 Hanover St, Boston, MA 02113, USA",
    "latitude": 42.365142,
    "longitude": -71.052882,
    "notes": "GATE CODE 4412",
    "checkInTime": 3,
}
KNOWN = office("POST", "/api/locations", SHOP)
WHOLE = SHOP | {"valid": True}
PLACED = ("address", "latitude", "longitude")
BLANK = {"locationNo": "", "locationName": "", "address": "", "notes": "", "checkInTime": 0, "valid": True}
HERE = {"locationName": "Here", "latitude": 45.8, "longitude": 16.0}


def place(number: str = "N1", **fields: Any) -> Step:
    """The whole location of the order."""
    return shows(number=number, location=fields)


def created(location: Any, answer: Any, number: str = "N1", operation: str = "CREATE", **fields: Any) -> Step:
    body = {"operation": operation, "orderNo": number, "date": DAY, "type": "D", "location": location} | fields
    if "success" not in answer:
        answer = {"success": True, "id": str, "location": answer}
    return post("create_order", body, answer)


def misfit(code: str, number: str = "N1", **fields: Any) -> dict[Any, Any]:
    return refused(code, orderNo=number, **fields)


def one_check_in(stage: Stage) -> None:
    """Seven minutes before the first of the orders at the shop, and none before the next."""
    (route,) = stage.company.v1("get_routes", date=DAY)["routes"]
    first, second, *others = route["stops"]
    assert {first["orderNo"], second["orderNo"]} == {"N1", "N2"} and not others
    arrived, begun, arrived_again, begun_again = (
        datetime.fromisoformat(stop[moment])
        for stop in (first, second)
        for moment in ("arrivalTimeDt", "scheduledAtDt")
    )
    assert begun - arrived == timedelta(minutes=7)
    assert arrived_again - begun == timedelta(minutes=10) and begun_again == arrived_again
    assert (second["travelTime"], second["distance"]) == (0, 0)


TWINS = [office("POST", "/api/locations", HERE | {"locationNo": "TWIN"})] * 2
NOT_VALID, INVALID = "ERR_LOC_NOT_VALID", "ERR_INVALID_PARAM_FORMAT"
NOWHERE: tuple[dict[str, Any], ...] = (
    {},
    {"latitude": 1, "longitude": 1},
    {"locationName": "x", "latitude": 1},
    {"locationName": "x", "longitude": 1},
    {"locationName": "x", "latitude": 90.1, "longitude": 1},
    {"locationName": "x", "latitude": 1, "longitude": -180.1},
    {"locationName": "x"},
    {"notes": "gate"},
)

CASES = [
    Case(
        "A location has all its properties in every answer, and those that are not told are empty.",
        ["objects/Order/location", *(f"objects/Location/{name}" for name in WHOLE)],
        save(order("N1", location=SHOP), order("N2", location=HERE)),
        place(**WHOLE),
        place("N2", **BLANK | HERE),
        created({"locationNo": "LOC001"}, WHOLE, "N3"),
    ),
    Case(
        "Properties of a location in another form are refused.",
        [f"objects/Location/{name}" for name in SHOP],
        save(
            *(
                order("N1", location=HERE | bad)
                for bad in (
                    {"locationNo": 5},
                    {"locationName": 5},
                    {"address": ["x"]},
                    {"latitude": "45.8"},
                    {"longitude": None},
                    {"notes": 5},
                    {"checkInTime": 1.5},
                    {"checkInTime": -1},
                    {"checkInTime": "3"},
                )
            ),
            order("N1", location="Here"),
            order("N1", location=None),
            # Where the location itself has a number, it is said which one it is.
            answers=[misfit(INVALID)] * 11,
        ),
    ),
    Case(
        "A whole number may be written with a fraction of nothing.",
        ["objects/Location/checkInTime"],
        post(
            "create_or_update_orders",
            None,
            content=b'{"orders": [{"orderNo": "N1", "date": "2026-03-02", "duration": 20.0, "location": '
            b'{"locationName": "x", "latitude": 1.0, "longitude": 2, "checkInTime": 3.0}}]}',
        ),
        shows(duration=20, location={**MORE, "checkInTime": 3}),
    ),
    Case(
        "Whether a location is valid is not for the request to say.",
        ["objects/Location/valid"],
        save(order("N1", location=HERE | {"valid": False}), order("N2", location=HERE | {"valid": "perhaps"})),
        place(**BLANK | HERE),
        place("N2", **BLANK | HERE),
        office("POST", "/api/locations", {"locationNo": "LOST", "address": "Nowhere"}),
        save(order("N3", location={"locationNo": "LOST", "valid": True})),
        shows(number="N3", location={**MORE, "valid": False, "latitude": float, "longitude": float}),
        save({"orderNo": "N3", "location": {"latitude": 45.8, "longitude": 16.0}}),
        shows(number="N3", location={**MORE, "valid": True, "latitude": 45.8, "longitude": 16}),
    ),
    Case(
        "The account says what orders and locations are of which nothing is said.",
        ["objects/Location/checkInTime", "objects/Order/type", BULK + "request/Order/operation"],
        settings(defaultCheckInMinutes=4, defaultOrderType="D"),
        save(order("N1", type=..., location=HERE | {"locationNo": "L1"})),
        save(order("N2", type="P", location=HERE | {"checkInTime": 0})),
        shows(type="D", location={**MORE, "checkInTime": 4}),
        shows(number="N2", type="P", location={**MORE, "checkInTime": 0}),
        save(order("N2", type=..., operation="SYNC", location={"locationNo": "L1", "checkInTime": 1})),
        shows(number="N2", type="D", location={**MORE, "checkInTime": 1}),
        save(order("N2", operation="SYNC", location={"locationNo": "L1"})),
        shows(number="N2", location={**MORE, "checkInTime": 4}),
        created(HERE, BLANK | HERE | {"checkInTime": 4}, "N3"),
        office("POST", "/api/locations", {"locationNo": "L2"}, {**MORE, "checkInTime": 4}),
        office("PUT", "/api/fleet", {"locations": [{"locationNo": "L3", "latitude": 0, "longitude": 0}]}),
        created(
            {"locationNo": "L3"}, BLANK | {"locationNo": "L3", "latitude": 0, "longitude": 0, "checkInTime": 4}, "N4"
        ),
    ),
    Case(
        "A driver waits for the check-in once for all the orders at a location.",
        ["objects/Location/checkInTime", "objects/Order/duration"],
        fleet(),
        settings(planningSeconds=0.2),
        orders(*(order(number, location=HERE | {"locationNo": "L1", "checkInTime": 7}) for number in ("N1", "N2"))),
        plan(DAY),
        one_check_in,
    ),
    # The call for many.
    Case(
        "A location with the number is updated for all its orders, with what is given, if anything.",
        [BULK + "request/orders", "objects/Location/locationNo"],
        KNOWN,
        save(order("N1", location={"locationNo": "LOC001"})),
        place(**WHOLE),
        save(order("N2", location={"locationNo": "LOC001", "notes": "", "latitude": 42.4})),
        place(**WHOLE | {"notes": "", "latitude": 42.4}),
        place("N2", **WHOLE | {"notes": "", "latitude": 42.4}),
    ),
    Case(
        "A number that no location has makes a new location, also for an order that has one.",
        [BULK + "request/orders"],
        save(order("N1", location=HERE), order("N2", location=HERE | {"locationNo": "L2"})),
        save({"orderNo": "N1", "location": {"locationNo": "L1", "latitude": 1, "longitude": 2}}),
        place(**BLANK | {"locationNo": "L1", "latitude": 1, "longitude": 2}),
        place("N2", **BLANK | HERE | {"locationNo": "L2"}),
        save(order("N3", location={"locationNo": "L1"})),
        place("N3", **BLANK | {"locationNo": "L1", "latitude": 1, "longitude": 2}),
    ),
    Case(
        "Without a number the order's own location is updated.",
        [BULK + "request/orders"],
        KNOWN,
        save(order("N1", location={"locationNo": "LOC001"})),
        save({"orderNo": "N1", "location": {"checkInTime": 7, "locationName": "Shop"}}),
        place(**WHOLE | {"checkInTime": 7, "locationName": "Shop"}),
        save({"orderNo": "N1", "operation": "UPDATE", "location": {}}),
        save({"orderNo": "N1", "location": {"locationNo": "", "checkInTime": 7}}),
        place(**WHOLE | {"checkInTime": 7, "locationName": "Shop"}),
    ),
    Case(
        "SYNC resets what it does not give of a location, save the coordinates.",
        [BULK + "request/Order/operation"],
        KNOWN,
        save(order("N1", operation="SYNC", location={"locationNo": "LOC001", "notes": "new"})),
        place(**BLANK | {name: SHOP[name] for name in ("locationNo", "latitude", "longitude")} | {"notes": "new"}),
        save(order("N1", operation="SYNC", location={"locationName": "Shop"})),
        shows(location={**MORE, "locationName": "Shop", "notes": "", "latitude": SHOP["latitude"]}),
    ),
    Case(
        "A new location has coordinates and one of number, address and name.",
        [BULK + "errors/ERR_LOC_NOT_VALID"],
        save(*(order("N1", location=each) for each in NOWHERE), answers=[misfit(NOT_VALID)] * len(NOWHERE)),
        save(
            order("N1", location={"locationNo": "L9", "locationName": "x", "latitude": 1}),
            order("N1", location={"locationNo": "L9", "address": "Ilica 1"}),
            order("N1", location={"address": "Ilica 1"}),
            answers=[misfit(NOT_VALID, locationNo="L9")] * 2 + [misfit(NOT_VALID)],
        ),
        save(
            order("N1", location={"locationNo": "L1", "latitude": -90, "longitude": 180}),
            order("N2", location={"address": "Ilica 1", "latitude": 45.8, "longitude": 16}),
            order("N3", location={"locationName": "x", "latitude": 0, "longitude": 0}),
        ),
        shows(location={**MORE, "locationNo": "L1", "locationName": "", "address": ""}),
        shows(number="N2", location={**MORE, "locationNo": "", "locationName": "Ilica 1", "address": "Ilica 1"}),
        shows(number="N3", location={**MORE, "locationNo": "", "locationName": "x", "address": "", "valid": True}),
    ),
    Case(
        "A number by which nothing is found and of which nothing more is told is named in the refusal.",
        [BULK + "errors/ERR_LOC_NON_EXISTING_LOC", BULK + "response/Order Response/locationNo"],
        save(
            order("N1", location={"locationNo": "999999999"}),
            order("N2", location={"locationNo": "999999999", "notes": "gate"}),
            answers=[misfit("ERR_LOC_NON_EXISTING_LOC", f"N{n}", locationNo="999999999") for n in (1, 2)],
        ),
    ),
    Case(
        "A number that two locations have is refused by name.",
        [BULK + "errors/ERR_LOC_MULTIPLE_LOC", ONE + "errors/ERR_LOC_MULTIPLE_LOC"],
        *TWINS,
        save(
            order("N1", location=HERE | {"locationNo": "TWIN"}),
            answers=[misfit("ERR_LOC_MULTIPLE_LOC", locationNo="TWIN")],
        ),
        created({"locationNo": "TWIN"}, refused("ERR_LOC_MULTIPLE_LOC")),
    ),
    Case(
        "Addresses are not looked up in the call for many.",
        [BULK + "errors/ERR_LOC_NOT_VALID"],
        KNOWN,
        save(order("N1", location={"address": SHOP["address"]}), answers=[misfit(NOT_VALID)]),
    ),
    # The call for one.
    Case(
        "A known number alone is that location as it is, whatever the operation.",
        [ONE + "response/location"],
        KNOWN,
        created({"locationNo": "LOC001"}, WHOLE, "N1"),
        created({"locationNo": "LOC001"}, WHOLE, "N1", "SYNC"),
        created({"locationNo": "LOC001", "notes": "ring"}, WHOLE | {"notes": "ring"}, "N2", "MERGE"),
    ),
    Case(
        "Coordinates and a name define a location; address and number are what they are told to be, or blank.",
        [ONE + "response/location"],
        created(HERE, BLANK | HERE),
        created(
            HERE | {"address": "Ilica 1", "locationNo": "L1"},
            BLANK | HERE | {"address": "Ilica 1", "locationNo": "L1"},
            "N2",
        ),
    ),
    Case(
        "A known number with coordinates is the location of that number, now there.",
        [ONE + "response/location"],
        KNOWN,
        created(
            {"locationNo": "LOC001", "latitude": 45.8, "longitude": 16.0}, WHOLE | {"latitude": 45.8, "longitude": 16}
        ),
        created({"locationNo": "LOC001"}, WHOLE | {"latitude": 45.8, "longitude": 16}, "N2"),
    ),
    Case(
        "A known address is found; by another name it is another location, at the same place.",
        [ONE + "response/location", ONE + "errors/ERR_LOC_GEOCODING"],
        KNOWN,
        created({"address": SHOP["address"]}, WHOLE),
        created({"address": SHOP["address"], "locationName": SHOP["locationName"]}, WHOLE, "N2"),
        created(
            {"address": SHOP["address"], "locationName": "Other"},
            {
                "success": True,
                "id": str,
                "location": BLANK | {name: SHOP[name] for name in PLACED} | {"locationName": "Other"},
                "geocodingResults": [[*(SHOP[name] for name in PLACED), False]],
            },
            "N3",
        ),
        created({"address": "Nowhere"}, refused("ERR_LOC_GEOCODING"), "N5"),
        created({"locationNo": "LOC001", "address": SHOP["address"]}, WHOLE, "N4"),
        created({"locationNo": "LOC001", "address": "Nowhere"}, refused("ERR_LOC_GEOCODING"), "N5"),
    ),
    Case(
        "An order that is told another place goes there, and the place that it shared stays where it is.",
        [ONE + "request/operation"],
        KNOWN,
        orders(order("N1", location={"locationNo": "LOC001"}), order("N2", location={"locationNo": "LOC001"})),
        post(
            "create_order",
            {"operation": "UPDATE", "orderNo": "N1", "location": HERE},
            {"success": True, "id": Name("N1"), "location": BLANK | HERE},
        ),
        place("N2", **WHOLE),
        post("create_order", {"operation": "UPDATE", "orderNo": "N1", "location": HERE | {"notes": "2nd floor"}}),
        post("create_order", {"operation": "UPDATE", "orderNo": "N1", "location": {"checkInTime": 2}}),
        place(**BLANK | HERE | {"notes": "2nd floor", "checkInTime": 2}),
        office("GET", "/api/locations", answer={"items": [MORE, MORE]}),
    ),
    Case(
        "An order that is told other coordinates and no more has its own place there, by the name that it had.",
        [ONE + "request/operation", "objects/Location/valid"],
        KNOWN,
        office("POST", "/api/locations", {"locationNo": "LOST", "address": "Nowhere"}),
        orders(*(order(f"N{n}", location={"locationNo": "LOST" if n > 2 else "LOC001"}) for n in range(1, 5))),
        *(
            post(
                "create_order", {"operation": "UPDATE", "orderNo": number, "location": {"latitude": 1, "longitude": 2}}
            )
            for number in ("N1", "N3")
        ),
        place("N1", **WHOLE | {"locationNo": "", "latitude": 1, "longitude": 2}),
        place("N2", **WHOLE),
        *(
            shows(number=number, location={**MORE, "locationNo": "LOST", "valid": True, "latitude": 1})
            for number in ("N3", "N4")
        ),
    ),
    Case(
        "A location that cannot be defined by what is told is not valid.",
        [ONE + "errors/ERR_LOC_NOT_VALID"],
        *(created(each, refused(NOT_VALID)) for each in NOWHERE),
    ),
    Case(
        "A number that no location has defines none.",
        [ONE + "errors/ERR_LOC_NON_EXISTING_LOC"],
        created({"locationNo": "999999999"}, refused("ERR_LOC_NON_EXISTING_LOC")),
    ),
]
