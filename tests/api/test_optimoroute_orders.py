"""Orders between accounts and on routes; what each call answers is in ``tests/optimoroute``."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.api.test_optimoroute_planning import DAY, fleet, orders, plan, planned, quick
from tests.serving import Company, Server

PLACE = {"locationName": "Depot street", "latitude": 45.8, "longitude": 16.0}


def new(order_no: str, **fields: Any) -> dict[str, Any]:
    return {"orderNo": order_no, "date": DAY, "location": PLACE} | fields


def save(company: Company, *given: Any) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = company.v1("create_or_update_orders", {"orders": list(given)})["orders"]
    return parts


def test_nothing_of_another_account_is_found_or_touched(server: Server, company: Company) -> None:
    (part,) = save(company, new("N1", location=PLACE | {"locationNo": "L1", "address": "1 High Street"}))
    stranger = server.account()
    assert stranger.v1("get_orders", {"orders": [{"id": part["id"]}]})["success"] is False
    assert stranger.v1("search_orders", {"orders": [{"id": part["id"]}]})["orders"] == []
    assert stranger.v1("delete_orders", {"orders": [{"id": part["id"]}, {"orderNo": "N1"}]})["success"] is False
    assert save(stranger, {"id": part["id"], "notes": "mine"})[0]["code"] == "ERR_ORD_NOT_FOUND"
    assert save(stranger, new("Z", location={"locationNo": "L1"}))[0]["code"] == "ERR_LOC_NON_EXISTING_LOC"
    assert save(stranger, new("N1", type="D", relatedId=part["id"]))[0]["code"] == "ERR_RELATED_ORD_MISSING"
    by_address = {"operation": "CREATE", "type": "T", **new("Y", location={"address": "1 High Street"})}
    assert stranger.v1("create_order", by_address)["code"] == "ERR_LOC_GEOCODING"
    (found,) = company.v1("get_orders", orderNo="N1")["orders"]
    assert found["data"]["notes"] == ""


def test_of_many_that_create_the_same_number_at_once_one_does(company: Company) -> None:
    body = {"operation": "CREATE", "type": "T", **new("N1", location=PLACE | {"locationNo": "L1"})}
    with ThreadPoolExecutor(5) as clients:
        answers = list(clients.map(lambda _: company.v1("create_order", body), range(5)))
    assert sorted(answer.get("code", "made") for answer in answers) == ["ERR_ORD_EXISTS"] * 4 + ["made"]
    assert len(company.client.get("/api/locations").json()["items"]) == 1


def test_a_customers_numbers_are_its_own(company: Company) -> None:
    def key(customer: str) -> str:
        asked = {"role": "customer", "name": customer, "customer": customer}
        told: str = company.client.post("/api/keys", json=asked).json()["key"]
        return told

    anna, bert = Company(company.server, key("Anna")), Company(company.server, key("Bert"))
    for customer in (anna, bert):
        (part,) = save(customer, new("N1", operation="CREATE"))
        assert part["success"], part
        assert customer.v1("get_orders", orderNo="N1")["orders"][0]["id"] == part["id"]
    (part,) = company.v1("get_orders", orderNo="N1")["orders"]
    assert part["code"] == "ERR_MULTIPLE_ORD_FOUND"


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
