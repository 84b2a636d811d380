"""A day at the office: orders, plan, routes, and what happens on them."""

import time
import uuid
from typing import Any

import httpx
import pytest

from tests.serving import Company, Server, bearer, eventually

DATE = "2026-03-02"
DEPOT = {"latitude": 45.80, "longitude": 15.97, "address": "Depot"}


def planned(company: Company, orders: int = 3) -> dict[str, Any]:
    """One driver and some orders, planned and sent; the route."""
    driver = {"externalId": "D1", "name": "Ana", "workTime": {"from": "00:00", "to": "23:59"}, "startLocation": DEPOT}
    assert company.client.put("/api/fleet", json={"drivers": [driver]}).status_code == 200
    listed = [
        {
            "orderNo": f"A{number}",
            "date": DATE,
            "type": "D",
            "duration": 5,
            "email": "someone@example.com",
            "location": {"address": f"Ilica {number}", "latitude": 45.81 + number / 1000, "longitude": 15.97},
        }
        for number in range(orders)
    ]
    assert company.v1("create_or_update_orders", {"orders": listed})["success"]
    job = company.v1("start_planning", {"date": DATE})["planningId"]
    eventually(
        lambda: company.v1("get_planning_status", planningId=job)["status"] == "F", within_s=120, what="the plan"
    )
    sent = company.client.post(f"/api/plans/{DATE}/send").json()
    assert (sent["routes"], sent["orders"]) == (1, orders)
    route: dict[str, Any] = company.client.get("/api/routes", params={"date": DATE}).json()["items"][0]
    return route


def test_a_sent_plan_is_seen_with_its_stops_and_an_order_with_what_became_of_it(company: Company) -> None:
    route = planned(company)
    assert [stop["stopNumber"] for stop in route["stops"]] == [1, 2, 3]
    assert {stop["status"] for stop in route["stops"]} == {"scheduled"}
    assert route["sent"] is True
    phone = company.phone(route["driverId"])
    stop = route["stops"][0]
    action = {
        "id": str(uuid.uuid4()),
        "action": "success",
        "orderId": stop["orderId"],
        "timestamp": time.time() - 5,
        "form": {"note": "at the door"},
    }
    answer = phone.client.post("/driver/v1/actions", json={"actions": [action]}).json()
    assert answer["actions"][0]["success"], answer
    after = company.client.get("/api/routes", params={"date": DATE}).json()["items"][0]
    assert [each["status"] for each in after["stops"]] == ["success", "on_route", "scheduled"]
    order = company.client.get(f"/api/orders/{stop['orderId']}").json()
    assert order["status"] == "success"
    assert order["email"] == "someone@example.com"
    assert order["completion"]["form"]["note"] == "at the door"
    feed = company.client.get("/api/events").json()["items"]
    assert [event["event"] for event in feed] == ["success"]
    assert feed[0]["orderNo"] == stop["orderNo"]


@pytest.mark.parametrize("date", ["9999-12-31", "0001-01-01", "2026-W10-1", "2026-3-2", "", "2026-02-30"])
def test_a_day_that_cannot_be_planned_is_refused(company: Company, date: str) -> None:
    for answer in [
        *(company.client.get(f"/api/{what}", params={"date": date}) for what in ("events", "orders", "routes")),
        company.client.get(f"/api/plans/{date or '-'}"),
        company.client.post(f"/api/plans/{date or '-'}/send"),
    ]:
        assert answer.status_code == 400 and answer.json()["code"] == "ERR_INVALID", answer.text
    assert company.v1("start_planning", {"date": date})["code"] == "ERR_INVALID_PARAM_FORMAT"


def test_orders_are_listed_by_day_searched_by_word_and_paged(company: Company) -> None:
    planned(company)
    found = company.client.get("/api/orders", params={"date": DATE, "q": "ilica 1"}).json()["items"]
    assert [order["orderNo"] for order in found] == ["A1"]
    assert company.client.get("/api/orders", params={"date": "2026-03-03"}).json()["items"] == []
    assert company.client.get("/api/orders", params={"q": "%"}).json()["items"] == []
    first = company.client.get("/api/orders", params={"limit": 2}).json()
    rest = company.client.get("/api/orders", params={"limit": 2, "cursor": first["cursor"]}).json()
    assert len(first["items"]) + len(rest["items"]) == 3
    assert "cursor" not in rest


def test_an_order_that_found_no_place_says_why(company: Company) -> None:
    planned(company, 1)
    far = {"orderNo": "FAR", "date": DATE, "location": {"address": "Far away", "latitude": -33.0, "longitude": 151.0}}
    assert company.v1("create_or_update_orders", {"orders": [far]})["success"]
    before = company.client.get(f"/api/plans/{DATE}").json()["unscheduled"]
    assert [(each["orderNo"], each["code"]) for each in before] == [("FAR", "NOT_PLANNED")]
    job = company.v1("start_planning", {"date": DATE})["planningId"]
    eventually(lambda: company.v1("get_planning_status", planningId=job)["status"] == "F", within_s=120)
    after = company.client.get(f"/api/plans/{DATE}").json()["unscheduled"]
    assert [each["orderNo"] for each in after] == ["FAR"]
    assert after[0]["code"] != "NOT_PLANNED"
    assert len(after[0]["message"]) > 10


def test_a_viewer_sees_the_day_without_contact_data_and_a_customer_its_own_orders_alone(
    server: Server, company: Company
) -> None:
    route = planned(company)
    order = {
        "orderNo": "SHOP",
        "date": DATE,
        "customer": "Shop",
        "location": {"address": "Trg 1", "latitude": 45.8, "longitude": 15.9},
    }
    assert company.v1("create_or_update_orders", {"orders": [order]})["success"]
    viewer = company.client.post("/api/keys", json={"role": "viewer", "name": "v"}).json()["key"]
    customer = company.client.post("/api/keys", json={"role": "customer", "name": "c", "customer": "Shop"}).json()[
        "key"
    ]
    seen = httpx.get(f"{server.url}/api/orders/{route['stops'][0]['orderId']}", headers=bearer(viewer)).json()
    assert not seen.keys() & {"email", "phone", "notes"}
    assert httpx.get(f"{server.url}/api/routes", params={"date": DATE}, headers=bearer(viewer)).status_code == 200
    own = httpx.get(f"{server.url}/api/orders", headers=bearer(customer)).json()["items"]
    assert [each["orderNo"] for each in own] == ["SHOP"]
    other = httpx.get(f"{server.url}/api/orders/{route['stops'][0]['orderId']}", headers=bearer(customer))
    assert other.status_code == 404


@pytest.mark.parametrize(
    "date", ["", "today", "2026-02-30", "2026-3-2", "20260302", "2026-03-02T00:00:00", "٢٠٢٦-٠٣-٠٢"]
)
def test_what_is_no_date_is_refused(company: Company, date: str) -> None:
    answer = company.client.get("/api/routes", params={"date": date})
    assert (answer.status_code, answer.json()["where"]) == (400, "date")


def test_a_track_comes_in_four_formats(company: Company) -> None:
    phone = company.driver("Ana <&> \x0c")
    fixes = [
        {
            "timestamp": 1_700_000_000.5,
            "latitude": 45.8,
            "longitude": 15.97,
            "accuracy": 4,
            "speed": 3.5,
            "heading": 90,
        },
        {"timestamp": 1_700_000_010, "latitude": 45.81, "longitude": 0.00001, "altitude": -3.25},
        {"timestamp": 1_700_000_020, "latitude": 45.82, "longitude": 15.98},
    ]
    answer = phone.client.post("/driver/v1/positions", json={"positions": fixes}).json()
    assert answer["accepted"] == 3
    track = f"/api/drivers/{phone.driver_id}/track"
    between = {"from": "2023-11-14T22:13:20Z", "to": "2023-11-14T22:13:40Z"}  # the end itself is not within
    items = company.client.get(track, params=between).json()["items"]
    assert items == fixes[:2]
    page = company.client.get(track, params={"limit": 2}).json()
    assert page["items"] == fixes[:2]
    assert company.client.get(track, params={"limit": 2, "cursor": page["cursor"]}).json() == {"items": fixes[2:]}
    csv = company.client.get(track, params={"format": "csv"}).text.splitlines()
    assert csv == [
        "timestamp,latitude,longitude,accuracy,speed,heading,altitude,battery",
        "1700000000.5,45.8,15.97,4,3.5,90,,",
        "1700000010,45.81,0.00001,,,,-3.25,",
        "1700000020,45.82,15.98,,,,,",
    ]
    feature = company.client.get(track, params={"format": "geojson"}).json()
    assert feature["geometry"]["coordinates"][0] == [15.97, 45.8]
    assert feature["properties"]["coordinateProperties"]["times"][0] == "2023-11-14T22:13:20.500Z"
    gpx = company.client.get(track, params={"format": "gpx"}).text
    assert "<name>Ana &lt;&amp;&gt; </name>" in gpx
    assert "<time>2023-11-14T22:13:20.500Z</time>" in gpx
    assert company.client.get(track, params={"format": "kml"}).status_code == 400
    assert company.client.get(track, params={"from": "yesterday"}).json()["where"] == "from"
