"""What the office changes of an order after its route was sent reaches the phone."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.api.days import DAY, route_of, sent_day
from tests.api.test_driver_socket import hear, line
from tests.serving import Company, Phone

TODAY = datetime.now(UTC).date().isoformat()


def stop_of(phone: Phone, order_id: str, date: str = DAY) -> dict[str, Any]:
    route = route_of(phone, date)
    assert route is not None
    (stop,) = [each for each in route["stops"] if each["orderId"] == order_id]
    return stop


async def test_a_phone_is_told_what_became_different_and_nothing_where_nothing_did(
    company: Company, phone: Phone
) -> None:
    sent = sent_day(company, phone)
    order_id = sent["stops"][0]["orderId"]
    (read,) = company.v1("get_orders", {"orders": [{"id": order_id}]})["orders"]
    async with line(phone) as socket:
        assert company.v1("create_or_update_orders", {"orders": [read["data"]]})["success"], "sent back as it was read"
        change = {"id": order_id, "notes": "the bell is broken", "phone": "+385 99 1"}
        assert company.v1("create_or_update_orders", {"orders": [change]})["success"]
        told = await hear(socket)
    assert told == {"type": "route", "date": DAY, "version": sent["version"] + 1}
    stop = stop_of(phone, order_id)
    assert (stop["notes"], stop["contact"]["phone"]) == ("the bell is broken", "+385 99 1")


@pytest.mark.parametrize("way", ["the order", "the location by number", "the office", "the fleet"])
def test_a_place_that_is_corrected_is_where_the_phone_goes(company: Company, phone: Phone, way: str) -> None:
    sent = sent_day(company, phone, date=TODAY)
    order_id = sent["stops"][0]["orderId"]
    (read,) = company.v1("get_orders", {"orders": [{"id": order_id}]})["orders"]
    number, there = read["data"]["location"]["locationNo"], {"latitude": 45.9, "longitude": 16.1}
    match way:
        case "the order":
            company.v1(
                "create_order", {"operation": "UPDATE", "id": order_id, "location": {**there, "address": "New 1"}}
            )
        case "the location by number":
            other = {"orderNo": "other", "date": "2026-04-01", "location": {"locationNo": number, **there}}
            assert company.v1("create_or_update_orders", {"orders": [other]})["success"]
        case "the office":
            places = company.client.get("/api/locations", params={"limit": 500}).json()["items"]
            (place_id,) = [each["id"] for each in places if each["locationNo"] == number]
            assert company.client.patch(f"/api/locations/{place_id}", json=there).status_code == 200
        case "the fleet":
            document = {"locations": [{"locationNo": number, **there}]}
            assert company.client.put("/api/fleet", json=document).status_code == 200
    stop = stop_of(phone, order_id, TODAY)
    assert (stop["latitude"], stop["longitude"]) == (45.9, 16.1)
    route = route_of(phone, TODAY)
    assert route is not None and route["version"] == sent["version"] + 1
    (shown,) = company.v1("get_routes", date=TODAY)["routes"]
    (office,) = [each for each in shown["stops"] if each["id"] == order_id]
    assert (office["latitude"], office["longitude"]) == (45.9, 16.1)


def test_a_place_that_is_corrected_does_not_touch_the_routes_of_days_long_over(company: Company, phone: Phone) -> None:
    """A shop of many years is on thousands of them, and nobody drives one any more."""
    sent = sent_day(company, phone)
    (place_id, *_) = [each["id"] for each in company.client.get("/api/locations").json()["items"]]
    assert company.client.patch(f"/api/locations/{place_id}", json={"latitude": 45.9, "longitude": 16.1}).is_success
    route = route_of(phone)
    assert route is not None and route["version"] == sent["version"]
