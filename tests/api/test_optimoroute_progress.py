"""get_events, get_completion_details and update_drivers_positions, from what phones report to what is told of it."""

import uuid
from typing import Any

import httpx
import pytest

from tests.api.files import hand_in, picture
from tests.api.test_optimoroute_planning import DAY, fleet, orders, plan, quick
from tests.serving import Company, Phone

AT = 1772442000  # 2026-03-02T09:00:00Z, a Monday
HERE = {"timestamp": AT, "latitude": 45.8, "longitude": 16.0, "accuracy": 4.5}


def action(name: str, at: float = AT, **fields: Any) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "action": name, "timestamp": at} | fields


def act(phone: Phone, *actions: dict[str, Any]) -> list[dict[str, Any]]:
    answer = phone.client.post("/driver/v1/actions", json={"actions": list(actions)})
    assert answer.status_code == 200, answer.text
    return answer.json()["actions"]


def phone_of(company: Company, serial: str = "000") -> Phone:
    drivers = company.client.get("/api/drivers").json()["items"]
    return company.phone(next(each["id"] for each in drivers if each.get("serial") == serial))


@pytest.fixture
def on_the_road(company: Company) -> tuple[Company, Phone, list[str]]:
    """A sent plan of three orders in Zagreb for one driver of a company in Tokyo; the ids in the route's order."""
    assert company.client.patch("/api/settings", json={"timeZone": "Asia/Tokyo"}).status_code == 200
    fleet(company, 1)
    quick(company)
    orders(company, 3, email="x@example.com")
    assert plan(company)["status"] == "F"
    assert company.client.post(f"/api/plans/{DAY}/send").status_code in (200, 201)
    (route,) = company.v1("get_routes", date=DAY)["routes"]
    return company, phone_of(company), [stop["id"] for stop in route["stops"]]


def details(company: Company, *names: dict[str, str]) -> list[dict[str, Any]]:
    return company.v1("get_completion_details", {"orders": list(names)})["orders"]


def test_completion_details_follow_an_order_through_its_day(on_the_road: tuple[Company, Phone, list[str]]) -> None:
    company, phone, ids = on_the_road
    first, second, third = ({"id": id} for id in ids)

    def data(name: dict[str, str]) -> dict[str, Any]:
        (part,) = details(company, name)
        assert part["success"] and part["id"] == name["id"] and "orderNo" not in part
        assert part["data"].pop("tracking_url").startswith(company.server.url + "/t/")
        return part["data"]

    assert data(first) == {"status": "scheduled"}
    act(phone, action("start_route"))
    assert data(first) == {"status": "on_route"} and data(second) == {"status": "scheduled"}
    act(phone, action("start_service", AT + 60, orderId=ids[0], position=HERE))
    servicing = data(first)
    assert servicing["status"] == "servicing"
    assert servicing["startTime"] == {
        "unixTimestamp": AT + 60,
        "utcTime": "2026-03-02T09:01:00",
        "localTime": "2026-03-02T10:01:00",
    }
    assert set(servicing["startPosition"]) == {"timestamp", "latitude", "longitude", "accuracy", "distanceToLocation"}
    assert "endTime" not in servicing
    act(phone, action("success", AT + 90, orderId=ids[0], position=HERE, form={"note": "left with neighbour"}))
    success = data(first)
    assert success["startTime"] == servicing["startTime"] and success["endTime"]["unixTimestamp"] == AT + 90
    assert success["endPosition"]["latitude"] == 45.8 and success["form"] == {"note": "left with neighbour"}
    act(phone, action("failed", AT + 100, orderId=ids[1], form={"note": "nobody there"}))
    failed = data(second)
    assert failed["status"] == "failed" and failed["form"] == {"note": "nobody there"} and "startTime" not in failed
    act(phone, action("rejected", AT + 110, orderId=ids[2], form={"note": "broken"}))
    rejected = data(third)
    assert rejected == {"status": "rejected", "form": {"note": "broken"}}


def test_barcodes_are_told_as_the_document_has_them(on_the_road: tuple[Company, Phone, list[str]]) -> None:
    company, phone, ids = on_the_road
    scans = [
        {"barcode": "123456", "scanInfo": {"status": "success", "scanned": "123456", "type": "ean-13"}},
        {"barcode": "345678", "scanInfo": {"status": "unscannable"}},
    ]
    collected = [{"barcode": None, "scanInfo": {"status": "added", "scanned": "000123", "type": "code-128"}}]
    act(phone, action("success", orderId=ids[0], form={"barcode": scans, "barcode_collections": collected}))
    (part,) = details(company, {"id": ids[0]})
    assert part["data"]["form"] == {"barcode": scans, "barcode_collections": collected}


def test_completion_details_answer_each_name_in_order(company: Company) -> None:
    orders(company, 1)
    orders(company, 1, "TWICE", operation="CREATE", acceptDuplicateOrderNo=True)
    orders(company, 1, "TWICE", operation="CREATE", acceptDuplicateOrderNo=True)
    answer = company.v1("get_completion_details", orderNo=["O0", "none", "TWICE0"])
    assert answer["success"] is True
    first, second, third = answer["orders"]
    assert first == {"success": True, "orderNo": "O0", "data": {"status": "unscheduled"}}
    assert (second["code"], second["orderNo"]) == ("ERR_ORD_NOT_FOUND", "none") and "data" not in second
    assert third["code"] == "ERR_MULTIPLE_ORD_FOUND"
    assert company.v1("get_completion_details", orderNo="none")["success"] is False
    assert company.v1("get_completion_details")["code"] == "ERR_MISSING_MAND_FIELD"


def test_without_tracking_there_are_no_tracking_links(on_the_road: tuple[Company, Phone, list[str]]) -> None:
    company, _, ids = on_the_road
    assert company.client.patch("/api/settings", json={"orderTracking": False}).status_code == 200
    assert details(company, {"id": ids[0]})[0]["data"] == {"status": "scheduled"}


def test_a_subcontractor_sees_what_its_own_drivers_drive(on_the_road: tuple[Company, Phone, list[str]]) -> None:
    company, phone, ids = on_the_road
    made = company.client.post("/api/keys", json={"role": "subcontractor", "name": "s", "subcontractor": "Sub"})
    theirs = Company(company.server, made.json()["key"])
    assert theirs.v1("get_routes", date=DAY)["routes"] == []
    assert details(theirs, {"id": ids[0]})[0]["code"] == "ERR_ORD_NOT_FOUND"
    changed = company.client.patch(f"/api/drivers/{phone.driver_id}", json={"subcontractor": "Sub"})
    assert changed.status_code == 200, changed.text
    assert len(theirs.v1("get_routes", date=DAY)["routes"]) == 1
    assert details(theirs, {"id": ids[0]})[0]["success"] is True
    said = {"updates": [{"id": ids[0], "data": {"status": "success"}}]}
    assert theirs.v1("update_completion_details", said)["success"] is True
    assert details(company, {"id": ids[0]})[0]["data"]["status"] == "success"


def test_files_are_linked_once_they_have_arrived(on_the_road: tuple[Company, Phone, list[str]]) -> None:
    company, phone, ids = on_the_road
    names = [str(uuid.uuid4()) for _ in range(3)]
    unscannable = {"barcode": "345678", "scanInfo": {"status": "unscannable", "images": [names[2]]}}
    form = {"signature": names[0], "images": [names[1]], "barcode": [unscannable]}
    (outcome,) = act(phone, action("success", orderId=ids[0], form=form))
    assert outcome["success"] is True
    without = {"barcode": "345678", "scanInfo": {"status": "unscannable"}}
    assert details(company, {"id": ids[0]})[0]["data"]["form"] == {"barcode": [without]}
    bytes_of = {}
    for name, kind, colour in zip(names, ("signature", "image", "barcode"), ("red", "green", "blue"), strict=True):
        bytes_of[name] = picture(colour)
        assert hand_in(phone, bytes_of[name], id=name, kind=kind).status_code == 201
    shown = details(company, {"id": ids[0]})[0]["data"]["form"]
    links = [shown["signature"], *shown["images"], *shown["barcode"][0]["scanInfo"]["images"]]
    for name, link in zip(names, links, strict=True):
        assert set(link) == {"type", "url"} and link["type"] == "image/png"
        answer = httpx.get(link["url"])
        assert answer.status_code == 200 and answer.content == bytes_of[name]
