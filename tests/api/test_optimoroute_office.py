"""The methods for one order, for deleting and searching orders."""

from typing import Any

import pytest

from tests.api.test_optimoroute_orders import PLACE, get, new, save
from tests.api.test_optimoroute_planning import DAY, fleet, orders, plan, planned, quick, routes
from tests.serving import Company


def create(order_no: str = "X", operation: str = "CREATE", **fields: Any) -> dict[str, Any]:
    return {"operation": operation, "orderNo": order_no, "date": DAY, "type": "D", "location": PLACE} | fields


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in create().items() if name not in names}


CREATE_REFUSED = {
    "no operation": (without("operation"), "ERR_MISSING_MAND_FIELD"),
    "no date": (without("date"), "ERR_MISSING_MAND_FIELD"),
    "no type": (without("type"), "ERR_MISSING_MAND_FIELD"),
    "no location": (without("location"), "ERR_MISSING_MAND_FIELD"),
    "neither number nor id": (without("orderNo"), "ERR_MISSING_MAND_FIELD"),
    "an update of nothing": ({"operation": "UPDATE"}, "ERR_MISSING_MAND_FIELD"),
    "an operation that is none": (create(operation="MAKE"), "ERR_INVALID_PARAM_FORMAT"),
    "a type that is none": (create(type="Q"), "ERR_INVALID_PARAM_FORMAT"),
    "a known number": (create("A"), "ERR_ORD_EXISTS"),
    "an unknown number": ({"operation": "UPDATE", "orderNo": "X"}, "ERR_ORD_NOT_FOUND"),
    "a number that two have": ({"operation": "UPDATE", "orderNo": "B"}, "ERR_MULTIPLE_ORD_FOUND"),
    "an unknown driver": (create(assignedTo={"serial": "none"}), "ERR_DRV_NOT_EXISTS"),
    "two drivers": (create(assignedTo={"externalId": "twin"}), "ERR_DRV_MULTIPLE"),
    "an unknown related order": (create(relatedOrderNo="none"), "ERR_RELATED_ORD_MISSING"),
    "two related orders": (create(relatedOrderNo="B"), "ERR_RELATED_ORD_MULTIPLE"),
    "a task": (create(relatedOrderNo="A"), "ERR_RELATED_ORD_LINK"),
    "an unknown location": (create(location={"locationNo": "none"}), "ERR_LOC_NON_EXISTING_LOC"),
    "an unknown address": (create(location={"address": "nowhere"}), "ERR_LOC_GEOCODING"),
    "an empty location": (create(location={}), "ERR_LOC_NOT_VALID"),
    "an unknown feature": (create(vehicleFeatures=["none"]), "ERR_VF_NOT_EXISTS"),
    "an unknown skill": (create(skills=["none"]), "ERR_SK_NOT_EXISTS"),
}


@pytest.mark.parametrize(("body", "code"), list(CREATE_REFUSED.values()), ids=list(CREATE_REFUSED))
def test_a_single_order_that_does_not_fit_is_refused_by_name(stocked: Company, body: dict[str, Any], code: str) -> None:
    answer = stocked.v1("create_order", body)
    assert (answer["success"], answer["code"]) == (False, code), answer
    assert answer["message"] and "id" not in answer


def test_a_single_order_is_created_updated_merged_and_replaced(stocked: Company) -> None:
    made = stocked.v1("create_order", create(twFrom="10:00", twTo="10:59", notes="Deliver at back door"))
    assert made["success"] is True and "code" not in made
    assert made["location"]["latitude"] == 45.8 and made["location"]["valid"] is True
    assert get(stocked, id=made["id"])["timeWindows"] == [{"twFrom": "10:00", "twTo": "10:59"}]
    assert stocked.v1("create_order", {"operation": "UPDATE", "orderNo": "X", "duration": 7})["id"] == made["id"]
    assert stocked.v1("create_order", {"operation": "MERGE", "orderNo": "X", "priority": "H"})["id"] == made["id"]
    order = get(stocked, id=made["id"])
    assert (order["duration"], order["priority"], order["notes"]) == (7, "H", "Deliver at back door")
    assert stocked.v1("create_order", create(operation="SYNC"))["id"] == made["id"]
    order = get(stocked, id=made["id"])
    assert (order["duration"], order["priority"], order["notes"]) == (5, "M", "")
    again = stocked.v1("create_order", create(acceptDuplicateOrderNo=True))
    assert again["success"] is True and again["id"] != made["id"]


def test_a_known_address_is_found_and_an_unknown_one_kept_on_demand(stocked: Company) -> None:
    found = stocked.v1("create_order", create("1", location={"address": "1 High Street"}))
    assert (found["location"]["locationNo"], found["location"]["latitude"]) == ("L1", 1)
    named = create("2", location={"address": "1 High Street", "locationName": "Other"})
    made = stocked.v1("create_order", named)
    assert made["geocodingResults"] == [["1 High Street", 1, 2, False]] and "code" not in made
    assert (made["location"]["locationName"], made["location"]["latitude"]) == ("Other", 1)
    kept = stocked.v1("create_order", create("3", location={"address": "nowhere", "storeInvalid": True}))
    assert (kept["success"], kept["code"]) == (True, "WAR_LOC_GEOCODING") and kept["message"]
    assert kept["location"]["valid"] is False and kept["location"]["locationName"] == "nowhere"
    assert stocked.v1("start_planning", {"date": DAY, "useOrders": ["3"]}) == {
        "success": False,
        "code": "ERR_ORD_WITH_INVALID_LOC",
        "message": "One or more orders have an invalid location.",
        "ordersWithInvalidLocation": ["3"],
    }
    save(stocked, {"orderNo": "3", "location": {"latitude": 5, "longitude": 6}})
    assert get(stocked, orderNo="3")["location"]["valid"] is True


def test_one_order_is_deleted(stocked: Company) -> None:
    assert stocked.v1("delete_order", {"orderNo": "A"}) == {"success": True}
    assert stocked.v1("delete_order", {"orderNo": "A"})["code"] == "ERR_ORD_NOT_FOUND"
    assert stocked.v1("delete_order", {"orderNo": "B", "forceDelete": True})["code"] == "ERR_MULTIPLE_ORD_FOUND"
    assert stocked.v1("delete_order", {})["code"] == "ERR_MISSING_MAND_FIELD"
    assert stocked.v1("delete_order", {"orderNo": 1})["code"] == "ERR_INVALID_PARAM_FORMAT"


def test_several_orders_are_deleted_each_by_itself(stocked: Company) -> None:
    (part,) = save(stocked, new("C"))
    names = [{"orderNo": "A"}, {"orderNo": "A"}, {"orderNo": "B"}, {"id": part["id"]}, {"id": "none"}, {}]
    answer = stocked.v1("delete_orders", {"orders": names})
    assert [each.get("code") for each in answer["orders"]] == [
        None,
        "ERR_ORD_NOT_FOUND",
        "ERR_MULTIPLE_ORD_FOUND",
        None,
        "ERR_ORD_NOT_FOUND",
        "ERR_INVALID_PARAM_FORMAT",
    ]
    assert answer["success"] is True
    assert answer["orders"][0] == {"success": True, "orderNo": "A"}
    assert answer["orders"][3] == {"success": True, "id": part["id"]}
    assert stocked.v1("delete_orders", {"orders": [{"orderNo": "B"}], "deleteMultiple": True})["success"] is True
    assert stocked.v1("search_orders", {"dateRange": {"from": DAY, "to": DAY}})["orders"] == []


def test_a_deleted_order_leaves_its_route(company: Company) -> None:
    fleet(company, 1)
    quick(company)
    orders(company, 3)
    plan(company)
    assert company.client.post(f"/api/plans/{DAY}/send").status_code in (200, 201)
    assert company.v1("delete_order", {"orderNo": "O1"})["success"] is True
    assert sorted(planned(company)["DRV0"]) == ["O0", "O2"]
    stops = company.client.get("/api/routes", params={"date": DAY}).json()["items"][0]["stops"]
    assert [stop["stopNumber"] for stop in stops] == [1, 2]


def test_a_day_is_cleared_and_then_everything(company: Company) -> None:
    fleet(company, 1)
    quick(company)
    orders(company, 2)
    orders(company, 1, "T", "2026-03-03")
    plan(company)
    assert company.v1("delete_all_orders", {"date": DAY}) == {"success": True}
    assert routes(company) == [] and company.v1("get_orders", orderNo="O0")["success"] is False
    assert company.v1("get_orders", orderNo="T0")["success"] is True
    assert company.v1("delete_all_orders", {}) == {"success": True}
    assert company.v1("get_orders", orderNo="T0")["success"] is False
    assert company.v1("delete_all_orders", {"date": "x"})["code"] == "ERR_INVALID_PARAM_FORMAT"


def test_orders_that_are_being_planned_are_not_deleted(company: Company) -> None:
    fleet(company, 1)
    quick(company, 60)
    orders(company, 3)
    orders(company, 1, "T", "2026-03-03")
    job_id = company.v1("start_planning", {"date": DAY})["planningId"]
    refused = {"success": False, "code": "ERR_OPT_RUNNING", "planningId": job_id}
    for method, body in (
        ("delete_order", {"orderNo": "O0"}),
        ("delete_all_orders", {"date": DAY}),
        ("delete_all_orders", {}),
    ):
        answer = company.v1(method, body)
        assert answer | {"message": ""} == refused | {"message": ""}
    (part,) = company.v1("delete_orders", {"orders": [{"orderNo": "O0"}]})["orders"]
    assert (part["code"], part["planningId"], part["orderNo"]) == ("ERR_OPT_RUNNING", job_id, "O0")
    assert company.v1("delete_all_orders", {"date": "2026-03-03"})["success"] is True
    assert company.v1("stop_planning", {"planningId": job_id})["success"] is True


def test_scheduling_information_is_that_of_the_route(company: Company) -> None:
    fleet(company, 1)
    quick(company)
    orders(company, 2)
    assert company.v1("get_scheduling_info", orderNo="O0") == {"success": True, "orderScheduled": False}
    plan(company)
    (route,) = routes(company)
    for stop in route["stops"]:
        answer = company.v1("get_scheduling_info", id=stop["id"])
        assert answer["orderScheduled"] is True
        shown = answer["scheduleInformation"]
        assert shown == {name: {**route, **stop}[name] for name in shown}
        assert set(shown) == {
            *("driverExternalId", "driverSerial", "driverName", "vehicleRegistration", "vehicleLabel", "stopNumber"),
            *("scheduledAt", "scheduledAtDt", "arrivalTimeDt", "travelTime", "distance"),
        }
    assert company.v1("get_scheduling_info", orderNo="none")["code"] == "ERR_ORD_NOT_FOUND"
    assert company.v1("get_scheduling_info")["code"] == "ERR_MISSING_MAND_FIELD"


def test_orders_are_searched_by_name_date_and_status(stocked: Company) -> None:
    (later,) = save(stocked, new("D", date="2026-03-05"))

    def ids(**body: Any) -> list[str]:
        answer = stocked.v1("search_orders", body)
        assert answer["success"] is True, answer
        assert all(set(each) == {"id"} for each in answer["orders"]) and "after_tag" not in answer
        return [each["id"] for each in answer["orders"]]

    week = {"from": DAY, "to": "2026-04-05"}
    assert len(ids(dateRange=week)) == 4 and ids(dateRange={"from": "2026-03-03", "to": "2026-03-05"}) == [later["id"]]
    assert len(ids(orders=[{"orderNo": "B"}, {"orderNo": "none"}, {"id": later["id"]}])) == 3
    assert ids(orders=[{"orderNo": "B"}, {"id": later["id"]}], dateRange={"from": "2026-03-05", "to": "2026-03-05"})
    assert ids(dateRange=week, orderStatus=["failed", "rejected"]) == []
    assert len(ids(dateRange=week, orderStatus=["unscheduled"])) == 4
    full = stocked.v1("search_orders", {"orders": [{"orderNo": "A"}], "includeOrderData": True})
    assert full["orders"][0]["data"] == get(stocked, orderNo="A")
    where = stocked.v1("search_orders", {"orders": [{"orderNo": "A"}], "includeScheduleInformation": True})
    assert where["orders"][0]["scheduleInformation"] is None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "ERR_MISSING_MAND_FIELD"),
        ({"dateRange": {"from": DAY}}, "ERR_MISSING_MAND_FIELD"),
        ({"dateRange": {"from": DAY, "to": "2026-04-07"}}, "ERR_INVALID_PARAM_FORMAT"),
        ({"dateRange": {"from": DAY, "to": "2026-03-01"}}, "ERR_INVALID_PARAM_FORMAT"),
        ({"dateRange": DAY}, "ERR_INVALID_PARAM_FORMAT"),
        ({"orders": []}, "ERR_INVALID_PARAM_FORMAT"),
        ({"orders": [{"orderNo": "x"}] * 501}, "ERR_INVALID_PARAM_FORMAT"),
        ({"orders": [{}]}, "ERR_INVALID_PARAM_FORMAT"),
        ({"orders": [{"orderNo": "x"}], "orderStatus": ["lost"]}, "ERR_INVALID_PARAM_FORMAT"),
        ({"orders": [{"orderNo": "x"}], "after_tag": "☎"}, "ERR_INVALID_PARAM_FORMAT"),
    ],
)
def test_a_search_that_does_not_fit_is_refused_by_name(company: Company, body: dict[str, Any], code: str) -> None:
    assert company.v1("search_orders", body)["code"] == code


def test_a_search_is_read_on_page_by_page(company: Company) -> None:
    for block in range(3):
        assert all(part["success"] for part in save(company, *(new(f"N{block}-{n}") for n in range(400))))
    seen: list[str] = []
    body: dict[str, Any] = {"dateRange": {"from": DAY, "to": DAY}}
    sizes = []
    while True:
        answer = company.v1("search_orders", body)
        seen += [each["id"] for each in answer["orders"]]
        sizes.append(len(answer["orders"]))
        if "after_tag" not in answer:
            break
        body = body | {"after_tag": answer["after_tag"]}
    assert sizes == [500, 500, 200] and len(set(seen)) == 1200
