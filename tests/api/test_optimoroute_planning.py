"""start_planning, stop_planning, get_planning_status and get_routes, through to the sent plan."""

import datetime
from typing import Any

import pytest

from tests.serving import Company, Server, eventually

DAY = "2026-03-02"  # a Monday
PLANNED_S = 60.0  # the planner's processes share the machine with everything else


def fleet(company: Company, drivers: int = 2, **fields: Any) -> None:
    depot = {"latitude": 45.8, "longitude": 15.97, "address": "Depot"}
    document = {
        "skills": [{"code": "SK", "name": "Fridge"}],
        "vehicles": [
            {"externalId": f"V{n}", "registration": f"VEH00{n}", "label": f"Van {n}", "capacity1": 100}
            for n in range(drivers)
        ],
        "drivers": [
            {
                "externalId": f"DRV{n}",
                "serial": f"00{n}",
                "name": f"Driver {n}",
                "vehicle": f"V{n}",
                "workTime": {"from": "08:00", "to": "17:00"},
                "startLocation": depot,
                "endLocation": depot,
            }
            | fields
            for n in range(drivers)
        ],
    }
    answer = company.client.put("/api/fleet", json=document)
    assert answer.status_code == 200, answer.text


def orders(company: Company, count: int = 6, prefix: str = "O", date: str = DAY, **fields: Any) -> list[str]:
    given = [
        {
            "orderNo": f"{prefix}{n}",
            "date": date,
            "duration": 10,
            "type": "D",
            "load1": 1,
            "location": {"locationName": f"{prefix}{n}", "latitude": 45.8 + n / 200, "longitude": 16.0},
        }
        | fields
        for n in range(count)
    ]
    answer = company.v1("create_or_update_orders", {"orders": given})
    assert all(part["success"] for part in answer["orders"]), answer
    return [part["id"] for part in answer["orders"]]


def quick(company: Company, seconds: float = 0.5) -> None:
    answer = company.client.patch("/api/settings", json={"planningSeconds": seconds})
    assert answer.status_code == 200, answer.text


def ended(company: Company, job_id: int) -> dict[str, Any]:
    def status() -> dict[str, Any] | None:
        answer = company.v1("get_planning_status", planningId=job_id)
        assert answer["success"] and 0 <= answer["percentageComplete"] <= 100
        return answer if answer["status"] in "FCE" else None

    return eventually(status, within_s=PLANNED_S, what="the end of the planning")


def plan(company: Company, **request: Any) -> dict[str, Any]:
    answer = company.v1("start_planning", {"date": DAY} | request)
    assert answer["success"], answer
    assert isinstance(answer["planningId"], int)
    return ended(company, answer["planningId"])


def routes(company: Company, **query: Any) -> list[dict[str, Any]]:
    answer = company.v1("get_routes", **({"date": DAY} | query))
    assert answer["success"], answer
    return answer["routes"]


def planned(company: Company) -> dict[str, list[str]]:
    return {route["driverExternalId"]: [stop["orderNo"] for stop in route["stops"]] for route in routes(company)}


def test_a_day_is_planned_read_and_sent(company: Company) -> None:
    fleet(company)
    quick(company)
    ids = orders(company)
    assert plan(company) == {"success": True, "status": "F", "percentageComplete": 100}
    found = routes(company, includeRoutePolyline="true", includeRouteStartEnd="true")
    assert sorted(stop["id"] for route in found for stop in route["stops"]) == sorted(ids)
    for route in found:
        assert set(route) >= {
            *("driverExternalId", "driverSerial", "driverName", "vehicleRegistration", "vehicleLabel", "duration"),
            *("distance", "load1", "load2", "load3", "load4", "stops", "routePolyline", "startLocation", "endLocation"),
        }
        assert isinstance(route["duration"], int) and route["load1"] == len(route["stops"])
        assert [stop["stopNumber"] for stop in route["stops"]] == list(range(1, len(route["stops"]) + 1))
        before = datetime.datetime.fromisoformat(f"{DAY} 08:00:00")
        for stop in route["stops"]:
            begins = datetime.datetime.fromisoformat(stop["scheduledAtDt"])
            assert begins >= before and stop["scheduledAt"] == f"{begins:%H:%M}"
            assert stop["arrivalTimeDt"] <= stop["scheduledAtDt"]
            before = begins + datetime.timedelta(minutes=10)
            assert "type" not in stop and stop["travelTime"] > 0 and stop["distance"] > 0
    assert "routePolyline" not in routes(company)[0] and "startLocation" not in routes(company)[0]
    sent = company.client.post(f"/api/plans/{DAY}/send")
    assert sent.status_code in (200, 201), sent.text
    assert (sent.json()["routes"], sent.json()["orders"]) == (len(found), len(ids))
    details = company.v1("get_completion_details", {"orders": [{"id": id} for id in ids]})["orders"]
    links = {each["data"]["tracking_url"] for each in details}
    assert {each["data"]["status"] for each in details} == {"scheduled"} and len(links) == len(ids)
    assert all(len(link.rsplit("/t/", 1)[1]) >= 12 for link in links)
    company.client.post(f"/api/plans/{DAY}/send")
    again = company.v1("get_completion_details", {"orders": [{"id": id} for id in ids]})["orders"]
    assert {each["data"]["tracking_url"] for each in again} == links


def test_routes_are_filtered_by_driver_and_vehicle(company: Company) -> None:
    fleet(company)
    quick(company)
    orders(company, 2, "A", assignedTo={"serial": "000"})
    orders(company, 2, "B", assignedTo={"serial": "001"})
    plan(company)
    assert len(routes(company)) == 2
    for name, value in (("driverExternalId", "DRV1"), ("driverSerial", "001"), ("vehicleRegistration", "VEH001")):
        (route,) = routes(company, **{name: value})
        assert route["driverName"] == "Driver 1"
        assert routes(company, **{name: "nobody"}) == []
    assert routes(company, date="2026-03-03") == []


def test_times_are_those_of_the_accounts_time_zone(company: Company) -> None:
    assert company.client.patch("/api/settings", json={"timeZone": "America/New_York"}).status_code == 200
    fleet(company, 1)
    quick(company)
    orders(company, 1, timeWindows=[{"twFrom": "13:00", "twTo": "14:00"}])
    plan(company)
    ((route,),) = [routes(company)]
    assert route["stops"][0]["scheduledAt"] == "13:00"
    stop = company.client.get("/api/routes", params={"date": DAY}).json()["items"][0]["stops"][0]
    assert stop["scheduledAt"] == "2026-03-02T18:00:00.000Z"


def test_what_cannot_be_served_stays_unscheduled_and_the_reason_is_told(company: Company) -> None:
    fleet(company, 1)
    quick(company)
    ids = orders(company, 1)
    ids += orders(company, 1, "SKILL", skills=["SK"])
    ids += orders(company, 1, "SUNDAY", allowedWeekdays=["sun"])
    ids += orders(company, 1, "HEAVY", load1=101)
    ids += orders(company, 1, "LATER", allowedDates={"from": "2026-03-03"})
    ids += orders(company, 1, "NIGHT", timeWindows=[{"twFrom": "01:00", "twTo": "03:00"}])
    plan(company)
    assert planned(company) == {"DRV0": ["O0"]}
    details = company.v1("get_completion_details", {"orders": [{"id": id} for id in ids]})["orders"]
    assert [each["data"]["status"] for each in details] == ["scheduled"] + ["unscheduled"] * 5
    reasons = company.client.get(f"/api/plans/{DAY}").json()["unscheduled"]
    assert {each["orderNo"]: each["code"] for each in reasons} == {
        "SKILL0": "SKILL_MISSING",
        "SUNDAY0": "DATE_NOT_ALLOWED",
        "HEAVY0": "OVER_CAPACITY",
        "LATER0": "DATE_NOT_ALLOWED",
        "NIGHT0": "WINDOW_UNREACHABLE",
    }
    assert all(each["message"] for each in reasons)


def test_an_order_goes_to_the_driver_it_is_assigned_to(company: Company) -> None:
    fleet(company)
    quick(company)
    orders(company, 3, assignedTo={"serial": "001"})
    plan(company)
    assert set(planned(company)) == {"DRV1"}


def test_chosen_orders_and_drivers_alone_are_planned(company: Company) -> None:
    fleet(company)
    quick(company)
    orders(company, 4)
    plan(company, useDrivers=[{"driverExternalId": "DRV0"}], useOrders=["O0", "O1"])
    assert {key: sorted(value) for key, value in planned(company).items()} == {"DRV0": ["O0", "O1"]}
    plan(company, useDrivers=[{"driverSerial": "000"}], useOrderObjects=[{"orderNo": "O2"}])
    assert {key: sorted(value) for key, value in planned(company).items()} == {"DRV0": ["O0", "O1", "O2"]}
    plan(company, useDrivers=[{"driverSerial": "000"}], useOrders=["O3"], includeScheduledOrders=False)
    assert planned(company) == {"DRV0": ["O3"]}
    plan(company, useDrivers=[{"driverSerial": "001"}], useOrders=["O3"])
    assert planned(company) == {"DRV1": ["O3"]}
    plan(company, useDrivers=[{"driverSerial": "000"}])
    assert {key: sorted(value) for key, value in planned(company).items()} == {
        "DRV0": ["O0", "O1", "O2"],
        "DRV1": ["O3"],
    }


def test_a_week_is_planned_onto_its_allowed_days(company: Company) -> None:
    fleet(company, 1)
    quick(company)
    (wednesday,) = orders(company, 1, allowedWeekdays=["wed"])
    answer = company.v1("start_planning", {"dateRange": {"from": DAY, "to": "2026-03-06"}})
    assert ended(company, answer["planningId"])["status"] == "F"
    (route,) = routes(company, date="2026-03-04")
    assert route["stops"][0]["id"] == wednesday
    assert company.v1("get_orders", orderNo="O0")["orders"][0]["data"]["date"] == "2026-03-04"


def start(**fields: Any) -> dict[str, Any]:
    return {"date": DAY} | fields


REFUSED = {
    "no date": ({}, {"code": "ERR_MISSING_MAND_FIELD"}),
    "no day of the calendar": (start(date="2026-02-30"), {"code": "ERR_INVALID_PARAM_FORMAT"}),
    "a date as a number": (start(date=20260302), {"code": "ERR_INVALID_PARAM_FORMAT"}),
    "half a range": ({"dateRange": {"from": DAY}}, {"code": "ERR_MISSING_MAND_FIELD"}),
    "a range that ends before it begins": (
        {"dateRange": {"from": DAY, "to": "2026-03-01"}},
        {"code": "ERR_DATE_RANGE_INVALID"},
    ),
    "a range of months": ({"dateRange": {"from": DAY, "to": "2026-06-01"}}, {"code": "ERR_DATE_RANGE_TOO_LONG"}),
    "a balancing that is none": (start(balancing="MAYBE"), {"code": "ERR_INVALID_PARAM_FORMAT"}),
    "a factor above 1": (start(balancingFactor=1.5), {"code": "ERR_INVALID_PARAM_FORMAT"}),
    "a lock that is none": (start(lockType="ALL"), {"code": "ERR_INVALID_PARAM_FORMAT"}),
    "a start that is none": (start(startWith="HERE"), {"code": "ERR_INVALID_PARAM_FORMAT"}),
    "a driver without a name": (start(useDrivers=[{}]), {"code": "ERR_INVALID_PARAM_FORMAT"}),
    "a day without orders": (start(date="2026-03-09"), {"code": "ERR_OPT_NO_REQUESTS"}),
    "unknown orders": (
        start(useOrders=["O0", "NONE1", "NONE2"]),
        {"code": "ERR_ORD_NOT_FOUND", "missingOrders": ["NONE1", "NONE2"]},
    ),
    "an order of another date": (
        start(useOrders=["TUESDAY0"]),
        {"code": "ERR_ORD_NOT_FOUND", "missingOrders": ["TUESDAY0"]},
    ),
    "two orders with one number": (start(useOrders=["TWICE0"]), {"code": "ERR_MULTIPLE_ORD_FOUND"}),
    "unknown drivers": (
        start(useDrivers=[{"driverExternalId": "NOBODY"}, {"driverExternalId": "DRV0"}, {"driverSerial": "X"}]),
        {
            "code": "ERR_DRIVER_NOT_FOUND",
            "missingDrivers": [{"driverExternalId": "NOBODY"}, {"driverSerial": "X"}],
        },
    ),
    "two drivers with one name": (start(useDrivers=[{"driverSerial": "twin"}]), {"code": "ERR_MULTIPLE_DRV"}),
    "a driver who is off": (start(useDrivers=[{"driverSerial": "off"}]), {"code": "ERR_OPT_NO_RESOURCES"}),
}


@pytest.fixture(scope="module")
def stocked(server: Server) -> Company:
    company = server.account()
    fleet(company)
    for _ in range(2):
        assert company.client.post("/api/drivers", json={"name": "Twin", "serial": "twin"}).status_code == 201
    off = {"name": "Off", "serial": "off", "enabled": False}
    assert company.client.post("/api/drivers", json=off).status_code == 201
    orders(company, 2)
    orders(company, 1, "TUESDAY", "2026-03-03")
    for _ in range(2):
        orders(company, 1, "TWICE", operation="CREATE", acceptDuplicateOrderNo=True)
    return company


@pytest.mark.parametrize(("body", "answer"), list(REFUSED.values()), ids=list(REFUSED))
def test_a_planning_that_cannot_be_started_is_refused_by_name(
    stocked: Company, body: dict[str, Any], answer: dict[str, Any]
) -> None:
    told = stocked.v1("start_planning", body)
    assert told.pop("message")
    assert told == {"success": False} | answer


def test_without_drivers_there_is_nothing_to_plan_with(company: Company) -> None:
    orders(company, 1)
    assert company.v1("start_planning", {"date": DAY})["code"] == "ERR_OPT_NO_RESOURCES"


def test_one_planning_runs_at_a_time_and_holds_its_orders_until_it_is_stopped(company: Company) -> None:
    fleet(company)
    quick(company, 60)
    (first, *_) = orders(company, 6)
    job_id = company.v1("start_planning", {"date": DAY})["planningId"]
    status = company.v1("get_planning_status", planningId=job_id)
    assert status["status"] in ("N", "R") and status["percentageComplete"] < 100
    second = company.v1("start_planning", {"date": DAY})
    assert (second["code"], second["planningId"]) == ("ERR_OPT_RUNNING_FOR_DATE", job_id)
    overlapping = company.v1("start_planning", {"dateRange": {"from": "2026-03-01", "to": DAY}})
    assert overlapping["code"] == "ERR_OPT_RUNNING_FOR_DATE"
    chosen = company.v1("start_planning", {"date": DAY, "useOrders": ["O0"]})
    assert (chosen["code"], chosen["planningId"]) == ("ERR_OPT_RUNNING_FOR_ORDER", job_id)
    change = company.v1("create_or_update_orders", {"orders": [{"id": first, "notes": "x"}, {"orderNo": "O1"}]})
    assert [part["code"] for part in change["orders"]] == ["ERR_OPT_RUNNING"] * 2
    # The document's own example has a blank in front of the name.
    assert company.v1("stop_planning", {" planningId": job_id}) == {"success": True}
    assert company.v1("get_planning_status", planningId=job_id)["status"] == "C"
    assert company.v1("stop_planning", {"planningId": job_id})["code"] == "ERR_OPT_NOT_RUNNING"
    assert company.v1("create_or_update_orders", {"orders": [{"id": first, "notes": "x"}]})["success"] is True


def test_a_planning_that_was_never_started_is_not_found(server: Server, company: Company) -> None:
    fleet(company, 1)
    quick(company)
    orders(company, 1)
    job_id = company.v1("start_planning", {"date": DAY})["planningId"]
    stranger = server.account()
    for caller, number in ((stranger, job_id), (company, 2**62), (company, -1)):
        assert caller.v1("get_planning_status", planningId=number)["code"] == "ERR_JOB_NOT_FOUND"
        assert caller.v1("stop_planning", {"planningId": number})["code"] == "ERR_JOB_NOT_FOUND"
    for number in ("x", "1.5", "²", "1e3"):
        assert company.v1("get_planning_status", planningId=number)["code"] == "ERR_INVALID_PARAM_FORMAT"
    assert company.v1("get_planning_status")["code"] == "ERR_MISSING_MAND_FIELD"
    for number in ("1", None, 1.5, 2**70):
        assert company.v1("stop_planning", {"planningId": number})["code"] == "ERR_INVALID_PARAM_FORMAT"
    assert company.v1("stop_planning", {})["code"] == "ERR_MISSING_MAND_FIELD"


def test_get_routes_wants_a_date_and_clear_answers(company: Company) -> None:
    assert company.v1("get_routes")["code"] == "ERR_MISSING_MAND_FIELD"
    for date in ("today", "2026-02-30", "2026-3-2", "20260302", "2026-W10-1", "9999-12-31"):
        assert company.v1("get_routes", date=date)["code"] == "ERR_INVALID_PARAM_FORMAT"
    assert company.v1("get_routes", date=DAY, includeRoutePolyline="maybe")["code"] == "ERR_INVALID_PARAM_FORMAT"
    assert company.v1("get_routes", date=DAY) == {"success": True, "routes": []}


def test_an_order_that_goes_to_another_day_leaves_its_route(company: Company) -> None:
    fleet(company, 1)
    quick(company)
    orders(company, 3)
    plan(company)
    assert company.client.post(f"/api/plans/{DAY}/send").status_code in (200, 201)
    company.v1("create_or_update_orders", {"orders": [{"orderNo": "O1", "date": "2026-03-03"}]})
    assert sorted(planned(company)["DRV0"]) == ["O0", "O2"]
    (details,) = company.v1("get_completion_details", orderNo="O1")["orders"]
    assert details["data"]["status"] == "unscheduled"


def test_a_job_that_ran_when_the_server_died_has_failed(tmp_path) -> None:
    server = Server(tmp_path / "data").start()
    try:
        company = server.account()
        fleet(company)
        quick(company, 60)
        orders(company)
        job_id = company.v1("start_planning", {"date": DAY})["planningId"]
        server.kill()
        server.start()
        status = company.v1("get_planning_status", planningId=job_id)
        assert (status["success"], status["status"]) == (True, "E")
        assert company.v1("start_planning", {"date": DAY})["planningId"] > job_id
    finally:
        server.kill()
