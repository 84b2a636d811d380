"""The methods for drivers' dates and for the office's word on what became of an order."""

from typing import Any

import pytest

from tests.api.test_optimoroute_orders import save
from tests.api.test_optimoroute_planning import DAY, ended, fleet, orders, plan, planned, quick, routes
from tests.serving import Company


def parameters(company: Company, *updates: Any) -> list[dict[str, Any]]:
    answer = company.v1("update_drivers_parameters", {"updates": list(updates)})
    assert answer["success"] is any(part["success"] for part in answer["updates"]), answer
    return answer["updates"]


def test_a_drivers_date_differs_from_the_usual_and_takes_the_route_off_the_plan(company: Company) -> None:
    fleet(company, 2)
    quick(company)
    orders(company, 2)
    plan(company, useDrivers=[{"driverSerial": "000"}])
    assert set(planned(company)) == {"DRV0"}
    answer = company.v1("update_driver_parameters", {"externalId": "DRV0", "date": DAY, "enabled": False})
    assert answer == {"success": True}
    assert planned(company) == {}
    plan(company)
    assert set(planned(company)) == {"DRV1"}
    late = {"externalId": "DRV1", "date": DAY, "workTimeFrom": "12:30", "workTimeTo": "18:00", "assignedVehicle": "V0"}
    assert company.v1("update_driver_parameters", late) == {"success": True}
    plan(company)
    (route,) = routes(company)
    assert route["vehicleRegistration"] == "VEH000" and route["stops"][0]["scheduledAt"] >= "12:30"
    assert company.v1("update_driver_parameters", late | {"vehicleCapacity1": 1}) == {"success": True}
    plan(company)
    (route,) = routes(company)
    assert len(route["stops"]) == 1


def test_where_a_driver_starts_is_for_ever_by_one_method_and_for_a_date_by_the_other(company: Company) -> None:
    fleet(company, 1)
    quick(company)
    orders(company, 1)

    def ends() -> tuple[Any, Any]:
        plan(company)
        (route,) = routes(company, includeRouteStartEnd="true")
        return route["startLocation"]["latitude"], route["endLocation"]["latitude"]

    assert ends() == (45.8, 45.8)
    who = {"externalId": "DRV0", "date": DAY}
    half = who | {"startLatitude": 45.9, "endLatitude": 45.7, "endLongitude": 16.0, "endAddress": "Home"}
    assert company.v1("update_driver_parameters", half) == {"success": True}
    assert ends() == (45.8, 45.7)
    update = {"driver": {"externalId": "DRV0"}, "date": DAY}
    custom = {"type": "custom", "latitude": 45.6, "longitude": 16.0}
    (part,) = parameters(company, update | {"startLocation": custom, "endLocation": {"type": "startLocation"}})
    assert part == {"success": True, "driver": {"externalId": "DRV0"}, "date": DAY}
    assert ends() == (45.6, 45.6)
    places = company.client.get("/api/locations").json()["items"]
    assert [each["locationName"] for each in places if each["latitude"] == 45.6] == ["45.6, 16.0"]
    parameters(
        company, update | {"startLocation": {"type": "employeeDefault"}, "endLocation": {"type": "employeeDefault"}}
    )
    assert ends() == (45.8, 45.7)


PARAMETERS_REFUSED = {
    "an unknown driver": ({"driver": {"serial": "none"}, "date": DAY}, "ERR_DRIVER_NOT_FOUND"),
    "two drivers": ({"driver": {"externalId": "twin"}, "date": DAY}, "ERR_MULTIPLE_DRV"),
    "no driver": ({"date": DAY}, "ERR_MISSING_MAND_FIELD"),
    "no date": ({"driver": {"externalId": "DRV001"}}, "ERR_MISSING_MAND_FIELD"),
    "an unknown vehicle": (
        {"driver": {"externalId": "DRV001"}, "date": DAY, "assignedVehicle": "none"},
        "ERR_VEH_NOT_FOUND",
    ),
    "two vehicles": (
        {"driver": {"externalId": "DRV001"}, "date": DAY, "assignedVehicle": {"registration": "TWIN"}},
        "ERR_MULTIPLE_VEH",
    ),
    "half a working day": (
        {"driver": {"externalId": "DRV001"}, "date": DAY, "workTime": {"from": "09:00", "to:": "17:00"}},
        "ERR_MISSING_MAND_FIELD",
    ),
    "a place without coordinates": (
        {"driver": {"externalId": "DRV001"}, "date": DAY, "startLocation": {"type": "custom"}},
        "ERR_LOC_NOT_VALID",
    ),
    "a start that starts where it starts": (
        {"driver": {"externalId": "DRV001"}, "date": DAY, "startLocation": {"type": "startLocation"}},
        "ERR_INVALID_PARAM_FORMAT",
    ),
}


@pytest.mark.parametrize(("item", "code"), list(PARAMETERS_REFUSED.values()), ids=list(PARAMETERS_REFUSED))
def test_parameters_that_do_not_fit_are_refused_by_name(stocked: Company, item: dict[str, Any], code: str) -> None:
    part, neighbour = parameters(stocked, item, {"driver": {"serial": "001"}, "date": DAY, "enabled": True})
    assert (part["success"], part["code"]) == (False, code) and part["message"]
    assert part.get("date") == item.get("date") and neighbour["success"] is True
    single = {"externalId": item.get("driver", {}).get("externalId", "none"), "date": DAY}
    if code in ("ERR_DRIVER_NOT_FOUND", "ERR_MULTIPLE_DRV"):
        assert stocked.v1("update_driver_parameters", single)["code"] == code
    if code == "ERR_VEH_NOT_FOUND":
        assert stocked.v1("update_driver_parameters", single | {"assignedVehicle": "none"})["code"] == code
    if code == "ERR_MULTIPLE_VEH":
        assert stocked.v1("update_driver_parameters", single | {"assignedVehicle": "twin"})["code"] == code


def word(company: Company, *updates: Any) -> list[dict[str, Any]]:
    answer = company.v1("update_completion_details", {"updates": list(updates)})
    assert answer["success"] is any(part["success"] for part in answer["updates"]), answer
    assert answer["orders"] == answer["updates"]
    return answer["updates"]


def test_the_office_sets_what_became_of_an_order(company: Company) -> None:
    orders(company, 4)
    start, end = {"unixTimestamp": 1604264327}, {"utcTime": "2020-11-01T21:48:25"}
    failed, servicing, cancelled, local = word(
        company,
        {"orderNo": "O0", "data": {"status": "failed", "startTime": start, "endTime": end}},
        {"orderNo": "O1", "data": {"status": "servicing", "startTime": start, "endTime": end}},
        {"orderNo": "O2", "data": {"status": "cancelled", "startTime": start}},
        {"orderNo": "O3", "data": {"status": "success", "endTime": {"localTime": "2020-11-01T16:48:25"}}},
    )
    assert failed["success"] is True and failed["orderNo"] == "O0"
    assert failed["data"] == {
        "status": "failed",
        "startTime": {
            "unixTimestamp": 1604264327,
            "utcTime": "2020-11-01T20:58:47",
            "localTime": "2020-11-01T21:58:47",
        },
        "endTime": {
            "unixTimestamp": 1604267305,
            "utcTime": "2020-11-01T21:48:25",
            "localTime": "2020-11-01T22:48:25",
        },
    }
    assert set(servicing["data"]) == {"status", "startTime"} and cancelled["data"] == {"status": "cancelled"}
    assert local["data"]["endTime"]["utcTime"] == "2020-11-01T15:48:25"  # the places are an hour before UTC
    (shown,) = company.v1("get_completion_details", orderNo="O0")["orders"]
    assert shown["data"] == failed["data"]
    assert company.v1("get_events")["events"] == []
    (again,) = word(company, {"orderNo": "O0", "data": {"status": "scheduled"}})
    assert again["data"] == {"status": "scheduled"}


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ({"orderNo": "none", "data": {"status": "failed"}}, "ERR_ORD_NOT_FOUND"),
        ({"orderNo": "B", "data": {"status": "failed"}}, "ERR_MULTIPLE_ORD_FOUND"),
        ({"orderNo": "A"}, "ERR_MISSING_MAND_FIELD"),
        ({"orderNo": "A", "data": {}}, "ERR_MISSING_MAND_FIELD"),
        ({"orderNo": "A", "data": {"status": "lost"}}, "ERR_INVALID_PARAM_FORMAT"),
        ({"orderNo": "A", "data": {"status": "failed", "startTime": {}}}, "ERR_INVALID_PARAM_FORMAT"),
        ({"orderNo": "A", "data": {"status": "failed", "endTime": {"utcTime": "x"}}}, "ERR_INVALID_PARAM_FORMAT"),
        (
            {"orderNo": "A", "data": {"status": "failed", "endTime": {"unixTimestamp": 1e12}}},
            "ERR_INVALID_PARAM_FORMAT",
        ),
        (
            {"orderNo": "A", "data": {"status": "failed", "endTime": {"localTime": "0001-01-01T00:00:00"}}},
            "ERR_INVALID_PARAM_FORMAT",
        ),
        ({"data": {"status": "failed"}}, "ERR_INVALID_PARAM_FORMAT"),
    ],
)
def test_an_office_word_that_does_not_fit_is_refused_by_name(stocked: Company, item: dict[str, Any], code: str) -> None:
    part, neighbour = word(stocked, item, {"orderNo": "A", "data": {"status": "cancelled"}})
    assert (part["success"], part["code"]) == (False, code) and "data" not in part
    assert part.get("orderNo") == item.get("orderNo") and neighbour["success"] is True


def test_the_plan_leaves_out_what_is_finished_and_keeps_it_with_its_driver(company: Company) -> None:
    fleet(company, 2)
    quick(company)
    orders(company, 4, assignedTo={"serial": "000"})
    plan(company)
    company.client.post(f"/api/plans/{DAY}/send")
    first = planned(company)["DRV0"][0]
    word(company, {"orderNo": first, "data": {"status": "success"}})
    save(company, *({"orderNo": f"O{n}", "assignedTo": {"serial": "001"}} for n in range(4)))
    job = company.v1("start_planning", {"date": DAY})["planningId"]
    ended(company, job)
    now = planned(company)
    assert now["DRV0"] == [first] and len(now["DRV1"]) == 3
    (shown,) = company.v1("get_completion_details", orderNo=first)["orders"]
    assert shown["data"]["status"] == "success"
