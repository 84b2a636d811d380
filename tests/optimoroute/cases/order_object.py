"""The Order object: each property as it is told, kept, refused, and left out."""

from typing import Any

from tests.optimoroute.scenes import DAY, order, orders, settings, twins
from tests.optimoroute.table import ABSENT, MORE, OK, Case, Name, Step, get, office, post, refused

INVALID = refused("ERR_INVALID_PARAM_FORMAT", orderNo="N1")
WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
CODES = {
    "skills": [{"code": "SK001", "name": "Fridge"}, {"code": "SK002", "name": "Piano"}],
    "vehicleFeatures": [{"code": "FR", "name": "Freezer"}],
    "drivers": [{"externalId": "DRV001", "serial": "001", "name": "Ana"}],
}
FIELDS = [
    {"key": "fruit_type", "type": "select", "options": ["apple", "pear"]},
    {"key": "quantity", "type": "number", "decimals": 0},
    {"key": "purity", "type": "number", "decimals": 2},
    {"key": "instructions", "type": "text"},
]
OFF = dict.fromkeys(("note", "signature", "images", "barcode"), "off")
UNSAID = {  # what an order is of which no more is told than what has to be
    "id": Name("N1"),
    "orderNo": "N1",
    "relatedOrderNo": None,
    "relatedId": None,
    "date": DAY,
    "type": "T",
    "duration": 5,
    "priority": "M",
    "load1": 0,
    "load2": 0,
    "load3": 0,
    "load4": 0,
    "assignedTo": None,
    "location": dict,
    "timeWindows": [],
    "allowedWeekdays": WEEK,
    "allowedDates": {},
    "allowedDateTimes": [],
    "skills": [],
    "vehicleFeatures": [],
    "notes": "",
    "email": "",
    "phone": "",
    "customField1": "",
    "customField2": "",
    "customField3": "",
    "customField4": "",
    "customField5": "",
    "customFields": {},
    "notificationPreference": "both",
    "barcode": [],
}


def shows(*, number: str = "N1", **fields: Any) -> Step:
    """What of the order is read again."""
    return get("get_orders", {"success": True, "orders": [{**MORE, "data": {**MORE, **fields}}]}, orderNo=number)


def save(*given: dict[str, Any], answers: list[Any] | None = None) -> Step:
    told = [OK] * len(given) if answers is None else answers
    return post("create_or_update_orders", {"orders": list(given)}, {"success": bool, "orders": told})


def told(
    row: str, says: str, default: Any, *good: Any, bad: tuple[Any, ...] = (), code: str = "ERR_INVALID_PARAM_FORMAT"
) -> Case:
    """``row`` is ``default`` until it is told; each good value is kept as it is, or as the second of a pair; a bad one
    changes nothing; SYNC without it makes it the default again."""
    steps = [office("PUT", "/api/fleet", CODES), save(base := order("N1", duration=..., type=..., load1=...))]
    steps.append(shows(**{row: default}))
    for value in good:
        given, kept = value if isinstance(value, tuple) else (value, value)
        steps += [save({"orderNo": "N1", row: given}), shows(**{row: kept})]
    if bad:
        steps.append(
            save(*({"orderNo": "N1", row: each} for each in bad), answers=[refused(code, orderNo="N1")] * len(bad))
        )
        steps.append(shows(**{row: kept}))
    required = {row: kept} if row == "date" else {}
    steps += [save(base | {"operation": "SYNC"} | required), shows(**{row: required.get(row, default)})]
    return Case(says, [f"objects/Order/{row}"], *steps)


CASES = [
    Case(
        "An order of which little is told has the defaults of the document.",
        [],
        save(order("N1", duration=..., type=..., load1=...)),
        get("get_orders", {"success": True, "orders": [{"success": True, "id": str, "data": UNSAID}]}, orderNo="N1"),
    ),
    Case(
        "An order has an id, made here, which finds it before its number does and cannot be chosen.",
        ["objects/Order/id"],
        orders(order("N1"), order("N2")),
        save({"id": Name("N1"), "orderNo": "N2", "notes": "by id"}, answers=[{**OK, "id": Name("N1")}]),
        get(
            "get_orders",
            {**MORE, "orders": [refused("ERR_MULTIPLE_ORD_FOUND", orderNo="N2")]},
            orderNo="N2",
        ),
        post(
            "get_orders",
            {"orders": [{"id": Name("N1"), "orderNo": "none"}, {"id": Name("N2")}]},
            {
                "success": True,
                "orders": [
                    {**MORE, "id": Name("N1"), "data": {**MORE, "notes": "by id"}},
                    {**MORE, "id": Name("N2"), "data": {**MORE, "notes": ""}},
                ],
            },
        ),
        save(order("N3", id="ffff"), answers=[refused("ERR_ORD_NOT_FOUND", orderNo="N3", id="ffff")]),
        post("delete_orders", {"orders": [{"id": Name("N1"), "orderNo": "N3"}]}),
        shows(number="N2", id=Name("N2")),
    ),
    Case(
        "An order number finds its order; an order without one is new each time and shown with a dash.",
        ["objects/Order/orderNo"],
        save(order("N1")),
        save({"orderNo": "N1", "notes": "the same"}),
        shows(orderNo="N1", notes="the same"),
        save(order("N1", orderNo=...), answers=[{"success": True, "id": Name("first")}]),
        save(order("N1", orderNo=""), answers=[{"success": True, "id": Name("second")}]),
        post(
            "get_orders",
            {"orders": [{"id": Name("first")}, {"id": Name("second")}]},
            {"success": True, "orders": [{**MORE, "data": {**MORE, "orderNo": "-"}}] * 2},
        ),
        save(order("N1", orderNo=5), answers=[refused("ERR_INVALID_PARAM_FORMAT")]),
    ),
    told(
        "date",
        "An order has a date, and no other form of it.",
        DAY,
        "2024-02-29",
        "2013-12-20",
        bad=("2026-02-30", "20.12.2013", "2013-12-20T00:00:00", "20131220", "2013-W51-5", "", 20131220, None),
    ),
    told("type", "An order is a delivery, a pickup or a task.", "T", "D", "P", "T", bad=("t", "depot", "", 1, None)),
    told(
        "duration",
        "The duration is in minutes, of which there are fractions, and by default the account's.",
        5,
        60,
        0,
        12.5,
        bad=("60", -1, None, [60]),
    ),
    Case(
        "The account says how long an order takes of which nothing is said.",
        ["objects/Order/duration"],
        settings(defaultDurationMinutes=12.5),
        save(order("N1", duration=...), order("N2", duration=1)),
        shows(duration=12.5),
        shows(number="N2", duration=1),
    ),
    told(
        "timeWindows",
        "An order has any number of time windows from 00:00 to 23:59.",
        [],
        [{"twFrom": "10:00", "twTo": "14:00"}],
        [{"twFrom": "00:00", "twTo": "09:30"}, {"twFrom": "16:00", "twTo": "23:59"}],
        bad=(
            [{"twFrom": "10:00", "twTo": "24:00"}],
            [{"twFrom": "10:00"}],
            [{"twFrom": "10", "twTo": "11"}],
            [{"twFrom": "10:00:00", "twTo": "11:00:00"}],
            {"twFrom": "10:00", "twTo": "14:00"},
            ["10:00"],
        ),
    ),
    told(
        "allowedWeekdays",
        "An order is for any day of the week until some are named; their order does not matter.",
        WEEK,
        ["mon", "tue"],
        (["sun", "wed", "wed", "mon"], ["mon", "wed", "sun"]),
        ([], WEEK),
        bad=(["monday"], ["Mon"], "mon", [1]),
    ),
    told(
        "allowedDates",
        "Dates from one to another are allowed, both included; an empty object allows all.",
        {},
        {"from": "2018-06-01", "to": "2018-07-01"},
        {"from": "2018-06-01", "to": "2018-06-01"},
        {"from": "2018-06-01"},
        ({"from": None, "to": "2018-06-01"}, {"to": "2018-06-01"}),
        {},
        bad=({"from": "2018-07-01", "to": "2018-06-01"}, {"from": "2018-06-31"}, {"to": "today"}, ["2018-06-01"]),
    ),
    told(
        "allowedDateTimes",
        "Moments to begin the service are allowed between two, or on one side of one.",
        [],
        [{"from": "2019-12-26T00:00:00", "to": "2019-12-31T23:59:59"}],
        [{"from": "2020-01-30T15:54:02"}, {"to": "2020-01-30T15:54:02"}],
        ([{"from": None, "to": "2020-01-30T15:54:02"}], [{"to": "2020-01-30T15:54:02"}]),
        bad=(
            [{"from": "2020-01-30"}],
            [{"from": "2020-01-30T15:54"}],
            [{"from": "2020-01-30T15:54:02Z"}],
            [{"from": "2020-01-30 15:54:02"}],
            [{"from": "2020-02-30T15:54:02"}],
            [{"from": "2020-01-30T15:54:02", "to": "2020-01-30T15:54:01"}],
            {"from": "2020-01-30T15:54:02"},
        ),
    ),
    told(
        "assignedTo",
        "An order is assigned to the driver with this externalId or serial; both have to fit where both are given.",
        None,
        ({"serial": "001"}, {"externalId": "DRV001", "serial": "001"}),
        None,
        ({"externalId": "DRV001"}, {"externalId": "DRV001", "serial": "001"}),
        {"externalId": "DRV001", "serial": "001"},
        bad=({"serial": "002"}, {"externalId": "001"}, {"externalId": "DRV001", "serial": "002"}),
        code="ERR_DRV_NOT_EXISTS",
    ),
    Case(
        "A driver is named by texts, and by at least one.",
        ["objects/Order/assignedTo"],
        *twins(),
        save(
            *(order("N1", assignedTo=each) for each in ({}, {"serial": 1}, {"serial": ""}, "001")),
            *(order("N1", assignedTo=each) for each in ({"serial": "twin"}, {"externalId": "twin"})),
            answers=[INVALID] * 4 + [refused("ERR_DRV_MULTIPLE", orderNo="N1")] * 2,
        ),
    ),
    told("priority", "The priority is low, medium, high or critical.", "M", "L", "M", "H", "C", bad=("X", "h", 1)),
    *(
        told(
            f"load{index}",
            f"Load {index} is what the order takes up of the vehicle, in the account's own units.",
            0,
            10,
            2.5,
            0,
            bad=("1", -1, None, [1], 1e10, 10**400),
        )
        for index in range(1, 5)
    ),
    told(
        "vehicleFeatures",
        "An order may need vehicle features, named by their codes.",
        [],
        ["FR"],
        [],
        bad=(["XX"], ["FR", "XX"], ["fr"]),
        code="ERR_VF_NOT_EXISTS",
    ),
    told(
        "skills",
        "An order may need skills, named by their codes.",
        [],
        ["SK001"],
        ["SK001", "SK002"],
        bad=(["XX"], ["SK001", "XX"], ["Fridge"]),
        code="ERR_SK_NOT_EXISTS",
    ),
    Case(
        "Codes are given as a list of texts.",
        ["objects/Order/skills", "objects/Order/vehicleFeatures"],
        save(
            *(order("N1", **{name: each}) for name in ("skills", "vehicleFeatures") for each in ("SK", [1], None)),
            answers=[INVALID] * 6,
        ),
    ),
    told("notes", "The notes are a text of any form.", "", "Notify ☎ manager\n2nd floor", "", bad=(5, ["x"])),
    *(
        told(f"customField{index}", f"Custom field {index} is a text.", "", "300", "č", bad=(300, True))
        for index in range(1, 6)
    ),
    told(
        "customFields",
        "Custom fields are kept as they are told where the account has not said which there are.",
        {},
        {"fruit_type": "apple", "quantity": 100, "purity": 99.99, "organic": True},
        ({"fruit_type": None, "organic": None}, {"quantity": 100, "purity": 99.99}),
        bad=(["apple"], {"fruit_type": ["apple"]}, "apple"),
    ),
    Case(
        "A custom field that is configured has its type: what fits is converted, an option is matched to the letter.",
        ["objects/CustomFields/{custom_field_key}", "objects/Order/customFields"],
        settings(customFields=FIELDS),
        save(
            order(
                "N1",
                customFields={
                    "fruit_type": "apple",
                    "quantity": 100,
                    "purity": 99.99,
                    "instructions": "Deliver to the customer's door.",
                },
            )
        ),
        shows(
            customFields={
                "fruit_type": "apple",
                "quantity": 100,
                "purity": 99.99,
                "instructions": "Deliver to the customer's door.",
            }
        ),
        save({"orderNo": "N1", "customFields": {"quantity": "7.4", "purity": "1.009", "instructions": 5}}),
        shows(customFields={"fruit_type": "apple", "quantity": 7, "purity": 1.01, "instructions": "5"}),
        save({"orderNo": "N1", "customFields": {"instructions": True, "purity": 3}}),
        shows(customFields={"fruit_type": "apple", "quantity": 7, "purity": 3, "instructions": "true"}),
        save(
            *(
                {"orderNo": "N1", "customFields": each}
                for each in (
                    {"fruit_type": "plum"},
                    {"fruit_type": "Apple"},
                    {"fruit_type": 1},
                    {"quantity": "many"},
                    {"colour": "red"},
                    {"custom_field_1": "x"},
                )
            ),
            answers=[INVALID] * 6,
        ),
    ),
    told("email", "The customer's email is a text.", "", "john.doe@example.com", "", bad=(5, ["x"])),
    told("phone", "The customer's phone number is a text.", "", "+385 1 234-567", "", bad=(38512345, None)),
    told(
        "notificationPreference",
        "Notifications go to the email address, to the phone, to both or nowhere.",
        "both",
        "dont_notify",
        "email",
        "sms",
        "both",
        bad=("pigeon", "Email", "", None),
    ),
    told(
        "barcode",
        "Any number of barcodes is attached to an order, each any text.",
        [],
        [{"barcode": "12345678"}],
        [{"barcode": "000123"}, {"barcode": "https://example.com/?q=ž"}],
        [],
        bad=(["12345678"], [{"barcode": 12345678}], {"barcode": "12345678"}, [{}]),
    ),
    Case(
        "Barcodes are told where the account collects any proof of delivery, and kept in any case.",
        ["objects/Order/barcode"],
        settings(proofOfDelivery={"success": OFF, "failed": OFF}),
        save(order("N1", barcode=[{"barcode": "000123"}])),
        shows(barcode=ABSENT),
        post(
            "search_orders",
            {"orders": [{"orderNo": "N1"}], "includeOrderData": True},
            {"success": True, "orders": [{**MORE, "data": {**MORE, "barcode": ABSENT}}]},
        ),
        settings(proofOfDelivery={"success": OFF, "failed": OFF | {"note": "optional"}}),
        shows(barcode=[{"barcode": "000123"}]),
    ),
    Case(
        "Fields that nobody knows are accepted and forgotten.",
        [],
        save(order("N1", colour="red", location={"locationName": "x", "latitude": 1, "longitude": 2, "floor": 3})),
        get(
            "get_orders",
            {**MORE, "orders": [{**MORE, "data": UNSAID | {"type": "D", "duration": 10, "load1": 1}}]},
            orderNo="N1",
        ),
    ),
]
