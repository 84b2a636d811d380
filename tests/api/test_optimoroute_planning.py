"""What a planning leaves: the sent plan, the reasons why not, and what a dead server left of it."""

from typing import Any

from tests.serving import Company, Server, eventually

DAY = "2026-03-02"  # a Monday
PLANNED_S = 120.0  # the planner's processes share the machine with everything else


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


def test_a_day_is_sent_and_each_order_keeps_the_link_that_it_was_given(company: Company) -> None:
    fleet(company)
    quick(company)
    ids = orders(company)
    plan(company)
    found = routes(company)
    assert sorted(stop["id"] for route in found for stop in route["stops"]) == sorted(ids)
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


def test_the_plan_leaves_out_what_is_finished_and_keeps_it_with_its_driver(company: Company) -> None:
    fleet(company, 2)
    quick(company)
    orders(company, 4, assignedTo={"serial": "000"})
    plan(company)
    company.client.post(f"/api/plans/{DAY}/send")
    first = planned(company)["DRV0"][0]
    company.v1("update_completion_details", {"updates": [{"orderNo": first, "data": {"status": "success"}}]})
    moved = [{"orderNo": f"O{n}", "assignedTo": {"serial": "001"}} for n in range(4)]
    assert company.v1("create_or_update_orders", {"orders": moved})["success"]
    plan(company)
    now = planned(company)
    assert now["DRV0"] == [first] and len(now["DRV1"]) == 3
    (shown,) = company.v1("get_completion_details", orderNo=first)["orders"]
    assert shown["data"]["status"] == "success"


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
