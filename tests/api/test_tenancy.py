"""Nothing of one company is visible to another: every route of the OpenAPI document, with the ids of somebody else.

The routes come from the document that the server publishes, so that a new one is covered when it is made.
"""

import time
import uuid
from typing import Any

import httpx
import pytest

from tests.api.test_day import DATE, planned
from tests.serving import Company, Phone, Server, bearer


@pytest.fixture(scope="module")
def theirs(server: Server) -> tuple[Company, Phone, dict[str, str]]:
    """A company with one of everything, its phone, and the ids of it all by the names that paths give them."""
    company = server.account()
    route = planned(company)
    phone = company.phone(route["driverId"])
    order_id = route["stops"][0]["orderId"]
    photo = str(uuid.uuid4())
    action = {"id": str(uuid.uuid4()), "action": "success", "orderId": order_id, "timestamp": time.time() - 1}
    assert phone.client.post("/driver/v1/actions", json={"actions": [action]}).json()["actions"][0]["success"]
    fix = {"timestamp": time.time() - 1, "latitude": 45.8123456, "longitude": 15.9}
    assert phone.client.post("/driver/v1/positions", json={"positions": [fix]}).json()["accepted"] == 1
    vehicle = company.client.post("/api/vehicles", json={"registration": "SECRET-1"}).json()
    location = company.client.post("/api/locations", json={"address": "Secret Street 1"}).json()
    skill = company.client.post("/api/skills", json={"code": "SECRET", "name": "secret skill"}).json()
    device = company.client.get(f"/api/drivers/{phone.driver_id}/devices").json()["items"][0]
    key = company.client.post("/api/keys", json={"role": "viewer", "name": "secret viewer"}).json()
    return (
        company,
        phone,
        {
            "driver_id": phone.driver_id,
            "order_id": order_id,
            "vehicle_id": vehicle["id"],
            "location_id": location["id"],
            "code_id": skill["id"],
            "device_id": device["id"],
            "key_id": key["id"],
            "attachment_id": photo,
            "upload_id": photo,
            "date": DATE,
        },
    )


def operations(server: Server) -> list[tuple[str, str, list[str]]]:
    """Method, path and the names in the path, of every operation."""
    document = httpx.get(f"{server.url}/schema/openapi.json").json()
    found = []
    for path, item in document["paths"].items():
        for method in item.keys() & {"get", "post", "put", "patch", "delete"}:
            names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
            found.append((method.upper(), path, names))
    return sorted(found)


def test_every_route_with_somebody_elses_ids_answers_as_if_they_did_not_exist(
    server: Server, theirs: tuple[Company, Phone, dict[str, str]]
) -> None:
    _, _, ids = theirs
    stranger = server.account()
    tried = 0
    for method, path, names in operations(server):
        if not path.startswith("/api/") or not names or names == ["date"]:
            continue
        assert ids.keys() >= set(names), f"{path} names something that this test has none of: {names}"
        address = path.format(**ids)
        body: Any = {"text": "hello"} if address.endswith("messages") else {}
        answer = stranger.client.request(method, address, json=body if method in ("POST", "PUT", "PATCH") else None)
        assert answer.status_code == 404, f"{method} {path}: {answer.status_code} {answer.text}"
        assert answer.json()["code"] == "ERR_NOT_FOUND"
        tried += 1
    assert tried >= 15


def test_no_list_of_a_stranger_shows_anything_of_theirs(
    server: Server, theirs: tuple[Company, Phone, dict[str, str]]
) -> None:
    company, _, ids = theirs
    stranger = server.account()
    hidden = [*ids.values(), "SECRET-1", "Secret Street", "secret viewer", "45.8123456"]
    hidden.remove(DATE)
    for method, path, names in operations(server):
        if method != "GET" or not path.startswith(("/api/", "/v1/")) or set(names) - {"date"}:
            continue
        params = {"key": stranger.key, "date": DATE, "orderNo": "A0", "planningId": "1"}
        seen = httpx.get(server.url + path.format(date=DATE), params=params).text
        assert not [each for each in hidden if each in seen], f"{path} shows something of another company"
    own = company.client.get("/api/vehicles").text
    assert "SECRET-1" in own


def test_the_compatible_api_does_not_know_somebody_elses_orders_drivers_and_plans(
    server: Server, theirs: tuple[Company, Phone, dict[str, str]]
) -> None:
    _, _, ids = theirs
    stranger = server.account()
    for name in ({"id": ids["order_id"]}, {"orderNo": "A0"}):
        for method in ("get_orders", "get_completion_details"):
            answer = stranger.v1(method, {"orders": [name]})
            assert answer["orders"][0]["code"] == "ERR_ORD_NOT_FOUND"
    changed = stranger.v1("create_or_update_orders", {"orders": [{"id": ids["order_id"], "notes": "mine now"}]})
    assert changed["orders"][0]["code"] == "ERR_ORD_NOT_FOUND"
    assert stranger.v1("get_events")["events"] == []
    assert stranger.v1("get_routes", date=DATE)["routes"] == []
    assert stranger.v1("get_planning_status", planningId=1)["code"] == "ERR_JOB_NOT_FOUND"
    assert stranger.v1("stop_planning", {"planningId": 1})["code"] == "ERR_JOB_NOT_FOUND"


def test_a_driver_of_another_company_acts_on_nothing_of_theirs(
    server: Server, theirs: tuple[Company, Phone, dict[str, str]]
) -> None:
    _, _, ids = theirs
    phone = server.account().driver()
    action = {"id": str(uuid.uuid4()), "action": "failed", "orderId": ids["order_id"], "timestamp": time.time()}
    outcome = phone.client.post("/driver/v1/actions", json={"actions": [action]}).json()["actions"][0]
    assert (outcome["success"], outcome["code"]) == (False, "ERR_ORDER_NOT_FOUND")


def test_every_route_wants_a_key_but_those_that_are_for_everyone(server: Server) -> None:
    open_to_all = ("/healthz", "/readyz", "/metrics", "/driver/v1/pair", "/files/", "/t/", "/schema")
    for method, path, names in operations(server):
        if path.startswith(open_to_all) or path.startswith("/v1/"):
            continue
        address = path.format(**dict.fromkeys(names, "x"))
        for credentials in ({}, bearer("wrong-wrong-wrong-wrong")):
            headers = {"Tus-Resumable": "1.0.0", **credentials}
            answer = httpx.request(method, server.url + address, headers=headers)
            assert answer.status_code == 401, f"{method} {path}: {answer.status_code}"


def test_the_compatible_api_says_in_its_own_words_that_a_key_is_wanted(server: Server) -> None:
    for method, path, _ in operations(server):
        if path.startswith("/v1/"):
            without = httpx.request(method, server.url + path, content=b"{}")
            assert (without.status_code, without.json()["code"]) == (200, "AUTH_KEY_MISSING")
            wrong = httpx.request(method, server.url + path, params={"key": "wrong"}, content=b"{}")
            assert (wrong.status_code, wrong.json()["code"]) == (200, "AUTH_KEY_UNKNOWN")
