"""The methods for drivers' dates and for the office's word on what became of an order."""

from typing import Any

import pytest

from tests.api.test_optimoroute_orders import save
from tests.api.test_optimoroute_planning import DAY, ended, fleet, orders, plan, planned, quick
from tests.serving import Company


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
