"""create_or_update_orders and get_orders, as a table of requests and answers."""

from typing import Any

import pytest

from tests.serving import Company

PLACE = {"locationName": "Depot street", "latitude": 45.8, "longitude": 16.0}
DAY = "2026-03-02"
FLEET = {
    "skills": [{"code": "SK001", "name": "Fridge"}],
    "vehicleFeatures": [{"code": "FR", "name": "Freezer"}],
    "drivers": [{"externalId": "DRV001", "serial": "001", "name": "Ana"}],
    "locations": [{"locationNo": "LOC1", "locationName": "Known", "latitude": 45.7, "longitude": 15.9}],
}


def new(order_no: str | None = "N1", **fields: Any) -> dict[str, Any]:
    named = {} if order_no is None else {"orderNo": order_no}
    return named | {"date": DAY, "location": PLACE} | fields


def save(company: Company, *orders: Any) -> list[dict[str, Any]]:
    answer = company.v1("create_or_update_orders", {"orders": list(orders)})
    parts = answer["orders"]
    assert answer["success"] is any(part["success"] for part in parts)
    return parts


def saved(company: Company, order: dict[str, Any]) -> dict[str, Any]:
    (part,) = save(company, order)
    assert part["success"], part
    return get(company, id=part["id"])


def get(company: Company, **name: str) -> dict[str, Any]:
    (part,) = company.v1("get_orders", {"orders": [name]})["orders"]
    assert part["success"], part
    return part["data"]


@pytest.fixture
def stocked(company: Company) -> Company:
    """A fleet, two drivers that share a serial, two locations that share a number, and orders A, B and B."""
    assert company.client.put("/api/fleet", json=FLEET).status_code == 200
    for name in ("Twin 1", "Twin 2"):
        assert company.client.post("/api/drivers", json={"name": name, "serial": "twin"}).status_code == 201
        double = {"locationNo": "TWIN", "locationName": name, "latitude": 1, "longitude": 1}
        assert company.client.post("/api/locations", json=double).status_code == 201
    twice = new("B", operation="CREATE", acceptDuplicateOrderNo=True)
    assert all(part["success"] for part in save(company, new("A", type="P"), twice, twice))
    return company


REFUSED = {
    "not an order": ({"orderNo": "X", "date": 5}, "ERR_INVALID_PARAM_FORMAT"),
    "no date": ({"orderNo": "X", "location": PLACE}, "ERR_INVALID_PARAM_FORMAT"),
    "no location": ({"orderNo": "X", "date": DAY}, "ERR_INVALID_PARAM_FORMAT"),
    "a date that is none": (new("X", date="2026-02-30"), "ERR_INVALID_PARAM_FORMAT"),
    "a date in another form": (new("X", date="20260302"), "ERR_INVALID_PARAM_FORMAT"),
    "a type that is none": (new("X", type="Q"), "ERR_INVALID_PARAM_FORMAT"),
    "a priority that is none": (new("X", priority="Z"), "ERR_INVALID_PARAM_FORMAT"),
    "a duration below 0": (new("X", duration=-1), "ERR_INVALID_PARAM_FORMAT"),
    "a duration as text": (new("X", duration="5"), "ERR_INVALID_PARAM_FORMAT"),
    "a load without end": (new("X", load1=10**400), "ERR_INVALID_PARAM_FORMAT"),
    "a window at 24:00": (new("X", timeWindows=[{"twFrom": "08:00", "twTo": "24:00"}]), "ERR_INVALID_PARAM_FORMAT"),
    "half a window": (new("X", timeWindows=[{"twFrom": "08:00"}]), "ERR_INVALID_PARAM_FORMAT"),
    "a weekday that is none": (new("X", allowedWeekdays=["monday"]), "ERR_INVALID_PARAM_FORMAT"),
    "a moment that is none": (
        new("X", allowedDateTimes=[{"from": "2026-02-30T00:00:00"}]),
        "ERR_INVALID_PARAM_FORMAT",
    ),
    "a notification that is none": (new("X", notificationPreference="pigeon"), "ERR_INVALID_PARAM_FORMAT"),
    "an operation that is none": (new("X", operation="DEFAULT"), "ERR_INVALID_PARAM_FORMAT"),
    "CREATE with an id": (new("X", operation="CREATE", id="0" * 32), "ERR_INVALID_PARAM_FORMAT"),
    "UPDATE of nothing": ({"operation": "UPDATE", "duration": 1}, "ERR_INVALID_PARAM_FORMAT"),
    "CREATE of a known number": (new("A", operation="CREATE"), "ERR_ORD_EXISTS"),
    "UPDATE of an unknown number": ({"operation": "UPDATE", "orderNo": "X"}, "ERR_ORD_NOT_FOUND"),
    "an unknown id": ({"id": "0" * 32, "duration": 1}, "ERR_ORD_NOT_FOUND"),
    "an unknown id beside a known number": ({"id": "0" * 32, "orderNo": "A"}, "ERR_ORD_NOT_FOUND"),
    "SYNC of an unknown id": (new("X", operation="SYNC", id="0" * 32), "ERR_ORD_NOT_FOUND"),
    "a number that two have": ({"orderNo": "B", "duration": 1}, "ERR_MULTIPLE_ORD_FOUND"),
    "an unknown related order": (new("X", type="D", relatedOrderNo="X0"), "ERR_RELATED_ORD_MISSING"),
    "two related orders": (new("X", type="D", relatedOrderNo="B"), "ERR_RELATED_ORD_MULTIPLE"),
    "two pickups": (new("X", type="P", relatedOrderNo="A"), "ERR_RELATED_ORD_LINK"),
    "a task with a pickup": (new("X", type="T", relatedOrderNo="A"), "ERR_RELATED_ORD_LINK"),
    "an unknown driver": (new("X", assignedTo={"externalId": "NOBODY"}), "ERR_DRV_NOT_EXISTS"),
    "a driver whose names do not fit": (
        new("X", assignedTo={"externalId": "DRV001", "serial": "002"}),
        "ERR_DRV_NOT_EXISTS",
    ),
    "two drivers": (new("X", assignedTo={"serial": "twin"}), "ERR_DRV_MULTIPLE"),
    "a driver without a name": (new("X", assignedTo={}), "ERR_INVALID_PARAM_FORMAT"),
    "an unknown location number": (new("X", location={"locationNo": "NOWHERE"}), "ERR_LOC_NON_EXISTING_LOC"),
    "an unknown location without coordinates": (
        new("X", location={"locationNo": "NOWHERE", "address": "1 Some Street"}),
        "ERR_LOC_NOT_VALID",
    ),
    "a new location by address alone": (new("X", location={"address": "1 Some Street"}), "ERR_LOC_NOT_VALID"),
    "coordinates without a name": (new("X", location={"latitude": 1, "longitude": 1}), "ERR_LOC_NOT_VALID"),
    "half of the coordinates": (new("X", location={"locationName": "x", "latitude": 1}), "ERR_LOC_NOT_VALID"),
    "coordinates off the earth": (
        new("X", location={"locationName": "x", "latitude": 91, "longitude": 1}),
        "ERR_LOC_NOT_VALID",
    ),
    "two locations": (new("X", location={"locationNo": "TWIN"}), "ERR_LOC_MULTIPLE_LOC"),
    "an unknown vehicle feature": (new("X", vehicleFeatures=["FR", "XX"]), "ERR_VF_NOT_EXISTS"),
    "an unknown skill": (new("X", skills=["SK001", "XX"]), "ERR_SK_NOT_EXISTS"),
}


@pytest.mark.parametrize(("order", "code"), list(REFUSED.values()), ids=list(REFUSED))
def test_an_order_that_does_not_fit_is_refused_by_name_and_leaves_no_trace(
    stocked: Company, order: dict[str, Any], code: str
) -> None:
    part, neighbour = save(stocked, order, new("Y"))
    assert part["success"] is False and part["code"] == code, part
    assert part["message"]
    assert part.get("orderNo") == order.get("orderNo")
    assert ("locationNo" in part) == (code.startswith("ERR_LOC") and "locationNo" in order["location"])
    assert "id" not in part or part["id"] == order["id"]
    assert neighbour["success"] is True
    if order.get("orderNo") == "X":
        assert stocked.v1("get_orders", orderNo="X")["orders"][0]["code"] == "ERR_ORD_NOT_FOUND"


def test_a_new_order_has_the_documents_defaults(company: Company) -> None:
    order = saved(company, new("N1"))
    place = order.pop("location")
    assert place == {
        "locationNo": "",
        "address": "",
        "locationName": "Depot street",
        "latitude": 45.8,
        "longitude": 16.0,
        "valid": True,
        "checkInTime": 0,
        "notes": "",
    }
    assert order.pop("id")
    assert order == {
        "orderNo": "N1",
        "relatedOrderNo": None,
        "relatedId": None,
        "date": DAY,
        "duration": 5,
        "priority": "M",
        "type": "T",
        "load1": 0,
        "load2": 0,
        "load3": 0,
        "load4": 0,
        "assignedTo": None,
        "timeWindows": [],
        "allowedWeekdays": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
        "allowedDates": {},
        "allowedDateTimes": [],
        "skills": [],
        "vehicleFeatures": [],
        "notes": "",
        "email": "",
        "phone": "",
        **{f"customField{n}": "" for n in range(1, 6)},
        "customFields": {},
        "notificationPreference": "both",
        "barcode": [],
    }


FULL = {
    "duration": 60,
    "priority": "H",
    "type": "D",
    "load1": 1.5,
    "load2": 2,
    "load3": 3,
    "load4": 4,
    "assignedTo": {"externalId": "DRV001", "serial": "001"},
    "timeWindows": [{"twFrom": "11:00", "twTo": "17:00"}],
    "allowedWeekdays": ["mon", "tue"],
    "allowedDates": {"from": "2026-01-01", "to": "2026-12-31"},
    "allowedDateTimes": [{"from": "2026-01-01T07:39:00", "to": "2026-12-31T19:39:00"}, {"to": "2026-12-31T00:00:00"}],
    "skills": ["SK001"],
    "vehicleFeatures": ["FR"],
    "notes": "Notify ☎ manager",
    "email": "john.doe@example.com",
    "phone": "1",
    **{f"customField{n}": f"c{n}" for n in range(1, 6)},
    "customFields": {"fruit_type": "apple", "quantity": 100, "purity": 99.99},
    "notificationPreference": "email",
    "barcode": [{"barcode": "12345678"}],
}


def test_all_that_an_order_says_comes_back(stocked: Company) -> None:
    order = saved(stocked, new("F", **FULL, location=PLACE | {"locationNo": "LF", "checkInTime": 3, "notes": "gate"}))
    assert {name: order[name] for name in FULL} == FULL
    assert order["location"] == PLACE | {
        "locationNo": "LF",
        "checkInTime": 3,
        "notes": "gate",
        "address": "",
        "valid": True,
    }


@pytest.mark.parametrize("operation", ["SYNC", "MERGE", "UPDATE"])
def test_what_was_read_can_be_sent_back_as_it_is(stocked: Company, operation: str) -> None:
    (part,) = save(stocked, new(None, **FULL, location=PLACE | {"locationNo": "LF", "notes": "gate"}))
    before = get(stocked, id=part["id"])
    assert before["orderNo"] == "-"
    assert saved(stocked, before | {"operation": operation}) == before
    assert stocked.v1("get_orders", orderNo="-")["success"] is False
    plain = get(stocked, orderNo="A")
    assert saved(stocked, plain | {"operation": operation}) == plain


@pytest.mark.parametrize("operation", [None, "MERGE", "UPDATE"])
@pytest.mark.parametrize("by", ["id", "orderNo"])
def test_an_update_keeps_what_it_does_not_give(stocked: Company, operation: str | None, by: str) -> None:
    before = saved(stocked, new("F", **FULL))
    change = {by: before[by], "notes": "changed", "load2": 7} | ({"operation": operation} if operation else {})
    assert saved(stocked, change) == before | {"notes": "changed", "load2": 7}


def test_sync_replaces_what_it_does_not_give_with_defaults(stocked: Company) -> None:
    saved(stocked, new("F", **FULL))
    fresh = saved(stocked, new("G"))
    synced = saved(stocked, new("F", operation="SYNC"))
    assert synced | {"id": "", "orderNo": ""} == fresh | {"id": "", "orderNo": ""}


def test_sync_and_merge_and_no_operation_create_what_is_not_there(company: Company) -> None:
    for number, operation in enumerate(({}, {"operation": "SYNC"}, {"operation": "MERGE"}, {"operation": "CREATE"})):
        assert saved(company, new(f"N{number}", **operation))["orderNo"] == f"N{number}"


def test_orders_without_a_number_are_always_new(company: Company) -> None:
    first, second = save(company, new(None), new(None))
    assert first["id"] != second["id"] and "orderNo" not in first
    assert get(company, id=first["id"])["orderNo"] == "-"


def test_the_id_comes_before_the_number(company: Company) -> None:
    first, second = save(company, new("N1"), new("N2"))
    save(company, {"id": first["id"], "orderNo": "N2", "notes": "renamed"})
    assert get(company, id=first["id"])["orderNo"] == "N2" and get(company, id=second["id"])["notes"] == ""
    (part,) = company.v1("get_orders", orderNo="N2")["orders"]
    assert part["code"] == "ERR_MULTIPLE_ORD_FOUND"


def test_one_call_sees_its_own_earlier_orders(company: Company) -> None:
    pickup, delivery, again, double = save(
        company,
        new("P", type="P"),
        new("D", type="D", relatedOrderNo="P"),
        {"orderNo": "P", "notes": "later"},
        new("P", operation="CREATE"),
    )
    assert pickup["success"] and delivery["success"] and again["id"] == pickup["id"]
    assert double["code"] == "ERR_ORD_EXISTS"
    order = get(company, orderNo="D")
    assert (order["relatedOrderNo"], order["relatedId"]) == ("P", pickup["id"])
    assert get(company, orderNo="P")["notes"] == "later"
    assert saved(company, {"orderNo": "D", "relatedOrderNo": None})["relatedId"] is None


def test_a_location_with_a_known_number_is_updated_for_all_its_orders(stocked: Company) -> None:
    saved(stocked, new("X1", location={"locationNo": "LOC1"}))
    saved(stocked, new("X2", location={"locationNo": "LOC1", "notes": "gate 7"}))
    place = get(stocked, orderNo="X1")["location"]
    assert (place["notes"], place["locationName"], place["latitude"]) == ("gate 7", "Known", 45.7)


def test_without_a_number_the_orders_own_location_is_updated(company: Company) -> None:
    saved(company, new("X1", location=PLACE | {"locationNo": "L1"}))
    saved(company, {"orderNo": "X1", "location": {"notes": "ring twice"}})
    place = get(company, orderNo="X1")["location"]
    assert (place["locationNo"], place["notes"], place["latitude"]) == ("L1", "ring twice", 45.8)


def test_an_unknown_location_number_makes_a_new_location(company: Company) -> None:
    saved(company, new("X1", location=PLACE | {"locationNo": "L1"}))
    saved(company, {"orderNo": "X1", "location": {"locationNo": "L2", "latitude": 1, "longitude": 2}})
    assert get(company, orderNo="X1")["location"]["locationNo"] == "L2"
    saved(company, new("X2", location={"locationNo": "L1"}))
    assert get(company, orderNo="X2")["location"]["latitude"] == 45.8


def test_new_locations_need_coordinates_and_one_name(company: Company) -> None:
    for number, name in enumerate(("locationNo", "address", "locationName")):
        place = saved(company, new(f"X{number}", location={name: "Here", "latitude": 1, "longitude": 2}))["location"]
        assert place[name] == "Here" and place["valid"] is True


def test_an_account_sets_the_default_duration(company: Company) -> None:
    assert company.client.patch("/api/settings", json={"defaultDurationMinutes": 12.5}).status_code == 200
    assert saved(company, new("X"))["duration"] == 12.5


FIELDS = [
    {"key": "fruit", "type": "select", "options": ["apple", "pear"]},
    {"key": "purity", "type": "number", "decimals": 2},
    {"key": "quantity", "type": "number"},
    {"key": "note", "type": "text"},
]


def test_custom_fields_turn_what_is_given_into_their_type(company: Company) -> None:
    assert saved(company, new("X", customFields={"anything": True}))["customFields"] == {"anything": True}
    assert company.client.patch("/api/settings", json={"customFields": FIELDS}).status_code == 200
    given = {"fruit": "pear", "purity": "99.987", "quantity": 5.4, "note": 7}
    order = saved(company, new("Y", customFields=given))
    assert order["customFields"] == {"fruit": "pear", "purity": 99.99, "quantity": 5, "note": "7"}
    order = saved(company, {"orderNo": "Y", "customFields": {"note": None, "quantity": 6}})
    assert order["customFields"] == {"fruit": "pear", "purity": 99.99, "quantity": 6}
    for misfit in ({"fruit": "plum"}, {"quantity": "many"}, {"quantity": "nan"}, {"unknown": 1}):
        (part,) = save(company, new("Z", customFields=misfit))
        assert part["code"] == "ERR_INVALID_PARAM_FORMAT", misfit


def test_getting_orders_answers_each_name_in_order(company: Company) -> None:
    (part,) = save(company, new("N1"))
    body = {"orders": [{"orderNo": "N1"}, {"orderNo": "none"}, {"id": part["id"], "orderNo": "ignored"}, {"id": "x"}]}
    answer = company.v1("get_orders", body)
    assert answer["success"] is True
    first, second, third, fourth = answer["orders"]
    assert first["id"] == third["id"] == part["id"] and first["data"] == third["data"]
    assert second == {
        "success": False,
        "code": "ERR_ORD_NOT_FOUND",
        "message": second["message"],
        "orderNo": "none",
    }
    assert (fourth["code"], fourth["id"]) == ("ERR_ORD_NOT_FOUND", "x")
    again = company.v1("get_orders", orderNo=["N1", "none", "N1"])
    assert [each["success"] for each in again["orders"]] == [True, False, True]
    assert company.v1("get_orders", orderNo="none")["success"] is False
    assert company.v1("get_orders")["code"] == "ERR_MISSING_MAND_FIELD"
    assert company.v1("get_orders", orderNo=["x"] * 501)["code"] == "ERR_INVALID_PARAM_FORMAT"


def test_nothing_of_another_account_is_found_or_touched(server: Any, company: Company) -> None:
    (part,) = save(company, new("N1", location=PLACE | {"locationNo": "L1"}))
    stranger = server.account()
    assert stranger.v1("get_orders", {"orders": [{"id": part["id"]}]})["success"] is False
    assert save(stranger, {"id": part["id"], "notes": "mine"})[0]["code"] == "ERR_ORD_NOT_FOUND"
    assert save(stranger, new("Z", location={"locationNo": "L1"}))[0]["code"] == "ERR_LOC_NON_EXISTING_LOC"
    assert save(stranger, new("N1", type="D", relatedId=part["id"]))[0]["code"] == "ERR_RELATED_ORD_MISSING"
    assert get(company, orderNo="N1")["notes"] == ""
