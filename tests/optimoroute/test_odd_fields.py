"""A hostile value in any field of any body: refused or taken, in the dialect's own shape, and never a bug."""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from backend.api.optimoroute.examples import TAKEN
from tests.optimoroute.described import undescribed
from tests.serving import Company, Server

DATE = "2026-03-02"
ORDER = TAKEN["create_order"] | {
    "relatedOrderNo": "A1",
    "relatedId": "x",
    "allowedWeekdays": ["mon"],
    "allowedDates": {"from": DATE, "to": "2026-03-30"},
    "allowedDateTimes": [{"from": "2026-03-01T00:00:00", "to": "2026-03-30T00:00:00"}],
    "assignedTo": {"externalId": "D1", "serial": "001"},
    "priority": "H",
    "skills": ["S"],
    "vehicleFeatures": ["F"],
    "customField1": "x",
    "customFields": {"fruit": "apple", "count": 1},
    "notificationPreference": "email",
    "barcode": [{"barcode": "1"}],
    "acceptDuplicateOrderNo": True,
    "customer": "c",
}
EXTRA = {
    "checkInTime": 3,
    "notes": "n",
    "storeInvalid": True,
    "acceptPartialMatch": True,
    "acceptMultipleResults": True,
}
BODIES: dict[str, dict[str, Any]] = TAKEN | {
    "create_order": ORDER | {"id": "x", "twFrom": "10:00", "location": ORDER["location"] | EXTRA},
    "create_or_update_orders": {"orders": [ORDER | {"operation": "MERGE"}]},
    "search_orders": TAKEN["search_orders"] | {"orders": [{"orderNo": "A1"}], "after_tag": "x"},
    "start_planning": {
        "date": DATE,
        "dateRange": {"from": DATE, "to": "2026-03-03"},
        "balancing": "ON",
        "balanceBy": "WT",
        "balancingFactor": 0.3,
        "startWith": "CURRENT",
        "lockType": "ROUTES",
        "depotTrips": True,
        "depotVisitDuration": 5,
        "clustering": True,
        "useDrivers": [{"driverExternalId": "D1", "driverSerial": "001"}],
        "useOrders": ["A1"],
        "useOrderObjects": [{"orderNo": "A1", "id": "x"}],
        "includeScheduledOrders": True,
    },
    "update_driver_parameters": TAKEN["update_driver_parameters"]
    | {"enabled": True, "assignedVehicle": "V1", "vehicleCapacity1": 5, "startLatitude": 1, "startLongitude": 2},
}
ODD = [
    *("null", "true", "0", "-1", "1.5", "1e308", "-1e308", "1e-320", "1e400", "9" * 400, "0." + "1" * 400, "NaN"),
    *("-9223372036854775809", "18446744073709551616", "2147483648", "123456789012345678901234567890"),
    *('""', '" "', '"-"', r'"\u0000"', r'"\ud800"', r'"\ud83d\ude9a"', r'"x\u202ey"', '"' + "x" * 200_000 + '"'),
    *('"2026-02-30"', '"0000-00-00"', '"9999-12-31"', '"24:00"', '"23:59:59"', '"2026-03-02T25:00:00"'),
    *("[]", "{}", "[[]]", "[null]", "[1, 2, 3]", '["a", "b"]', '{"from": "x", "to": null}', "[" * 200 + "]" * 200),
    *('{"a": {"a": {"a": 1}}}', r'{"\u0000": 1}', r'["\u0000"]', '{"x": 1, "x": 2}'),
]
HOLE = "(the odd value)"
TRIED = 1500


@pytest.fixture
def company(server: Server) -> Company:
    company = server.account()
    # Short plannings, and never the refusal of one request too many, which would hide the others.
    quick = {"planningSeconds": 0.1, "maxConcurrentRequests": 0}
    assert company.client.patch("/api/settings", json=quick).status_code == 200
    fleet = {
        "skills": [{"code": "S", "name": "S"}],
        "vehicleFeatures": [{"code": "F", "name": "F"}],
        "vehicles": [{"externalId": "V1", "registration": "ZG 1234 AB"}],
        "drivers": [{"externalId": "D1", "serial": "001", "name": "Ana"}],
    }
    assert company.client.put("/api/fleet", json=fleet).status_code == 200
    return company


def test_a_hostile_value_in_any_field_is_never_a_bug(server: Server, company: Company, rng: random.Random) -> None:
    requests = [
        (method, json.dumps(body).replace(json.dumps(HOLE), odd))
        for method, given in BODIES.items()
        for body in with_holes(given)
        for odd in ODD
    ]
    for method, body in rng.sample(requests, TRIED):
        answer = company.client.post(f"/v1/{method}", params={"key": company.key}, content=body.encode(), timeout=60)
        said = f"{method} {body[:600]}: {answer.status_code} {answer.text[:600]}"
        assert answer.status_code == 200, said
        assert "ERR_INTERNAL" not in answer.text, said + server.tail()
        assert not undescribed(server.url, "POST", f"/v1/{method}", answer.json()), said


GETS = {
    "get_routes": ("date", "driverExternalId", "driverSerial", "includeRoutePolyline", "includeRouteStartEnd"),
    "get_planning_status": ("planningId",),
    "get_events": ("after_tag", "afterTag"),
    "get_scheduling_info": ("orderNo", "id"),
    "get_dispatch_status": ("date", "includeRouteChanges"),
    "get_orders": ("orderNo",),
    "get_completion_details": ("orderNo",),
}
ODD_TEXTS = [
    *("", "%00", "%ff", "%ED%A0%80", "%F0%9F%9A%9A", "%", "%zz", "%2526", "+", "%20D1", "%D9%A1", "%C2%B2"),
    *(
        DATE,
        "2026-02-30",
        "0001-01-01",
        "9999-12-31",
        "true",
        "TRUE",
        "yes",
        "null",
        "[object%20Object]",
        "'%20OR%201=1",
    ),
    *("1", "0", "-1", "%2B1", "1e3", "9223372036854775807", "-9223372036854775808", "9" * 30, "a" * 600, "a" * 5000),
]
ODD_PARTS = ["&", "=", "x", "%00", "a=b=c", ";", "?", "date[]=1", "orderNo[0]=A1", "=1"]


def test_a_hostile_query_is_never_a_bug(server: Server, company: Company, rng: random.Random) -> None:
    """Parameters with odd values, twice, without a value, and what is no parameter at all."""
    for _ in range(400):
        method = rng.choice(list(GETS))
        named = [f"{rng.choice(GETS[method])}={rng.choice(ODD_TEXTS)}" for _ in range(rng.randrange(4))]
        parts = [f"key={company.key}", *named, *rng.sample(ODD_PARTS, rng.randrange(3))]
        answer = company.client.get(f"/v1/{method}?{'&'.join(parts)}")
        said = f"{method} {parts}: {answer.status_code} {answer.text[:600]}"
        assert answer.status_code == 200 and "ERR_INTERNAL" not in answer.text, said + server.tail()
        assert not undescribed(server.url, "GET", f"/v1/{method}", answer.json()), said


@pytest.mark.parametrize("method", ["search_orders", "start_planning"])
@pytest.mark.parametrize("end", ["from", "to"])
def test_an_empty_text_is_no_date(company: Company, method: str, end: str) -> None:
    answer = company.v1(method, {"dateRange": {"from": DATE, "to": DATE, end: ""}})
    assert answer["code"] == "ERR_INVALID_PARAM_FORMAT"


def with_holes(value: Any) -> Iterator[Any]:
    """The value with each part of it in turn, itself first, replaced by the hole."""
    yield HOLE
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from (value | {name: each} for each in with_holes(inner))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from ([*value[:at], each, *value[at + 1 :]] for each in with_holes(inner))


def test_a_planning_may_name_more_drivers_than_a_statement_takes(company: Company) -> None:
    names = [{"externalId": f"D{number}"} for number in range(40_000)]
    told = company.v1("start_planning", {"date": "2026-03-02", "useDrivers": names})
    assert told["success"] is False and told["code"] != "ERR_INTERNAL", told["code"]
