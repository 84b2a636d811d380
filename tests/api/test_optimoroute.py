"""What holds for every method of `/v1`: keys, verbs, bodies, and an answer that is always 200 and JSON."""

import json
import socket

import httpx
import pytest

from tests.serving import Company, Server, bearer

GETS = ["get_routes", "get_planning_status", "get_events", "get_scheduling_info", "get_dispatch_status"]
POSTS = [
    "create_order",
    "create_or_update_orders",
    "get_orders",
    "delete_order",
    "delete_orders",
    "delete_all_orders",
    "search_orders",
    "update_driver_parameters",
    "update_drivers_parameters",
    "update_completion_details",
    "start_planning",
    "stop_planning",
    "send_routes",
    "get_completion_details",
    "update_drivers_positions",
]
EITHER = ["get_orders", "get_completion_details"]
LISTS = {
    "create_or_update_orders": "orders",
    "get_orders": "orders",
    "get_completion_details": "orders",
    "delete_orders": "orders",
    "update_drivers_positions": "updates",
    "update_drivers_parameters": "updates",
    "update_completion_details": "updates",
}


@pytest.fixture(scope="module")
def anyone(server: Server) -> Company:
    """One company for all the tests that leave nothing behind."""
    return server.account()


def told(answer: httpx.Response) -> dict:
    assert answer.status_code == 200, (answer.status_code, answer.text)
    assert answer.headers["content-type"].startswith("application/json")
    body = answer.json()
    assert isinstance(body["success"], bool)
    if not body["success"]:
        assert body.get("code") != "ERR_INTERNAL"
        assert isinstance(body.get("code") or [each["code"] for each in next(iter(_lists(body)))], (str, list))
    return body


def _lists(body: dict) -> list:
    return [value for value in body.values() if isinstance(value, list)]


@pytest.mark.parametrize("method", [*GETS, *POSTS])
def test_a_missing_key_and_a_wrong_one_are_told_apart(server: Server, method: str) -> None:
    url = f"{server.url}/v1/{method}"
    assert told(httpx.post(url, json={}))["code"] == "AUTH_KEY_MISSING"
    assert told(httpx.get(url, params={"key": ""}))["code"] == "AUTH_KEY_MISSING"
    assert told(httpx.post(url, params={"key": "nobody's"}, json={}))["code"] == "AUTH_KEY_UNKNOWN"
    assert told(httpx.get(url, headers=bearer("nobodys")))["code"] == "AUTH_KEY_UNKNOWN"


@pytest.mark.parametrize("method", [*GETS, *POSTS])
def test_a_wrong_verb_is_a_malformed_request(anyone: Company, method: str) -> None:
    url = f"{anyone.server.url}/v1/{method}"
    right = {"GET"} if method in GETS else {"POST", "GET"} if method in EITHER else {"POST"}
    assert httpx.head(url, params={"key": anyone.key}).status_code == 200
    for verb in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "REPORT"} - right:
        answer = httpx.request(verb, url, params={"key": anyone.key}, content=b"{}")
        assert told(answer)["code"] == "MALFORMED_REQUEST", verb


@pytest.mark.parametrize("where", ["?key=", "Authorization: Bearer", "X-API-Key"])
def test_a_key_is_taken_from_wherever_it_stands(anyone: Company, where: str) -> None:
    url = f"{anyone.server.url}/v1/get_events"
    given = {
        "?key=": {"params": {"key": anyone.key}},
        "Authorization: Bearer": {"headers": bearer(anyone.key)},
        "X-API-Key": {"headers": {"X-API-Key": anyone.key}},
    }[where]
    assert told(httpx.get(url, **given))["success"] is True


def test_an_unknown_path_is_a_404(anyone: Company) -> None:
    answer = httpx.get(f"{anyone.server.url}/v1/get_nothing", params={"key": anyone.key})
    assert answer.status_code == 404


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", None])
def test_the_content_type_is_not_looked_at(anyone: Company, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    body = b'{"orders": [{"orderNo": "none"}]}'
    url = f"{anyone.server.url}/v1/get_orders"
    answer = told(httpx.post(url, params={"key": anyone.key}, content=body, headers=headers))
    assert answer["orders"][0]["code"] == "ERR_ORD_NOT_FOUND"


NOT_JSON = {
    "nothing": b"",
    "no JSON": b"orders",
    "an array": b"[]",
    "a text": b'"orders"',
    "null": b"null",
    "a trailing comma": b'{"orders": [],}',
    "NaN": b'{"orders": [{"duration": NaN}]}',
    "bytes that are not UTF-8": b'{"orders": "\xff"}',
    "half a surrogate": b'{"orders": "\\ud800"}',
    "half a surrogate in UTF-8": b'{"orders": "\xed\xa0\x80"}',
    "cut": b'{"orders": [',
    "too deep": b'{"orders": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep in an unknown field": b'{"x": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
    "a number of 5000 digits": b'{"orders": ' + b"9" * 5000 + b"}",
    "a number beyond all bounds": b'{"orders": 1e400}',
    "a byte order mark in UTF-16": b"\xff\xfe{\x00}\x00",
}


def test_an_object_that_is_nearly_too_deep_to_be_read_is_refused_as_any_other(anyone: Company) -> None:
    """Beside a number with a fraction, for which all of it is looked at once more."""
    url, codes = f"{anyone.server.url}/v1/start_planning", set()
    for depth in range(50, 1000, 50):
        body = b'{"date": 1.5, "x": ' + b"[" * depth + b"]" * depth + b"}"
        codes.add(told(httpx.post(url, params={"key": anyone.key}, content=body))["code"])
    assert "ERR_INVALID_PARAM_FORMAT" in codes
    assert codes <= {"ERR_INVALID_PARAM_FORMAT", "MALFORMED_REQUEST"}


@pytest.mark.parametrize("method", POSTS)
@pytest.mark.parametrize("body", list(NOT_JSON.values()), ids=list(NOT_JSON))
def test_what_is_not_a_json_object_is_a_malformed_request(anyone: Company, method: str, body: bytes) -> None:
    answer = told(httpx.post(f"{anyone.server.url}/v1/{method}", params={"key": anyone.key}, content=body))
    assert answer["code"] == "MALFORMED_REQUEST"


@pytest.mark.parametrize(("method", "name"), LISTS.items())
def test_bulk_calls_need_their_list_and_take_so_many(anyone: Company, method: str, name: str) -> None:
    def code(body: object) -> str | None:
        return anyone.v1(method, body).get("code")

    assert code({}) == "ERR_MISSING_MAND_FIELD"
    assert code({name: {}}) == "ERR_INVALID_PARAM_FORMAT"
    assert code({name: None}) == "ERR_INVALID_PARAM_FORMAT"
    assert code({name: []}) == "ERR_INVALID_PARAM_FORMAT"
    if method != "update_drivers_positions":
        assert code({name: [{"orderNo": "x"}] * 501}) == "ERR_INVALID_PARAM_FORMAT"
        assert code({name: [{"orderNo": "x"}] * 500}) is None


ODD_ITEMS = [
    None,
    1,
    "x",
    [],
    {},
    {"orderNo": 1},
    {"orderNo": {}},
    {"id": ["x"]},
    {"orderNo": "x" * 10_000},
    {"orderNo": "a\0b"},
    {"id": "a\0b"},
    {"orderNo": ""},
    {"driver": 1},
    {"driver": {}, "positions": []},
    {"driver": {"serial": "\0"}, "positions": [{}]},
    {"driver": {"serial": 10**30}, "positions": [{"timestamp": 10**300}]},
]


@pytest.mark.parametrize(("method", "name"), LISTS.items())
def test_an_odd_item_is_refused_alone(anyone: Company, method: str, name: str) -> None:
    answer = anyone.v1(method, {name: ODD_ITEMS})
    parts = answer[name]
    assert len(parts) == len(ODD_ITEMS)
    assert {part.get("code") for part in parts} <= {
        "ERR_INVALID_PARAM_FORMAT",
        "ERR_MISSING_MAND_FIELD",
        "ERR_ORD_NOT_FOUND",
        "ERR_DRIVER_NOT_FOUND",
    }
    assert not any(part["success"] for part in parts) and answer["success"] is False


def test_odd_queries_are_answered(anyone: Company) -> None:
    url = f"{anyone.server.url}/v1/"
    queries = [
        "%ff",
        "&&&",
        "orderNo=%00",
        "orderNo=%ED%A0%80",
        "date=%00",
        "planningId=%F0",
        "planningId=9999999999999999999",
        "after_tag=%00",
        "=x",
        "date",
    ]
    for method in [*GETS, *EITHER]:
        for query in queries:
            told(httpx.get(f"{url}{method}?key={anyone.key}&{query}"))
    assert anyone.v1("get_events", unknown="parameter")["success"] is True


def test_an_order_number_is_found_as_it_is_typed_into_curl(company: Company) -> None:
    """curl quotes nothing of an address."""
    place = {"locationName": "x", "latitude": 45.8, "longitude": 16.0}
    order = {"orderNo": "Narudžba-Š7", "date": "2026-03-02", "location": place}
    assert company.v1("create_or_update_orders", {"orders": [order]})["success"]
    with socket.create_connection(("127.0.0.1", company.server.port), timeout=60) as one:
        one.sendall(f"GET /v1/get_orders?key={company.key}&orderNo=Narudžba-Š7 HTTP/1.0\r\n\r\n".encode())
        answer = b"".join(iter(lambda: one.recv(65536), b""))
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["orders"][0]["data"]["orderNo"] == "Narudžba-Š7"


def test_a_body_over_ten_mebibytes_is_refused_in_the_same_form(anyone: Company) -> None:
    body = b'{"orders": "' + b"x" * (11 << 20) + b'"}'
    answer = httpx.post(f"{anyone.server.url}/v1/get_orders", params={"key": anyone.key}, content=body, timeout=60)
    assert told(answer)["code"] == "MALFORMED_REQUEST"


def test_keys_of_other_roles_do_what_is_theirs_alone(company: Company) -> None:
    def key(**fields: str) -> str:
        made = company.client.post("/api/keys", json={"name": "k", **fields})
        assert made.status_code == 201, made.text
        return made.json()["key"]

    viewer = Company(company.server, key(role="viewer"))
    shop = Company(company.server, key(role="customer", customer="Shop"))
    other = Company(company.server, key(role="customer", customer="Other"))
    assert viewer.v1("get_events")["code"] == "AUTH_KEY_UNKNOWN"
    assert shop.v1("start_planning", {"date": "2026-03-02"})["code"] == "AUTH_KEY_UNKNOWN"
    order = {"orderNo": "S1", "date": "2026-03-02", "location": {"locationName": "x", "latitude": 45, "longitude": 16}}
    assert shop.v1("create_or_update_orders", {"orders": [order]})["success"] is True
    assert shop.v1("get_orders", orderNo="S1")["orders"][0]["data"]["customer"] == "Shop"
    assert other.v1("get_orders", orderNo="S1")["orders"][0]["code"] == "ERR_ORD_NOT_FOUND"
    foreign = other.v1("create_or_update_orders", {"orders": [order | {"orderNo": "S2", "customer": "Shop"}]})
    assert foreign["orders"][0]["code"] == "ERR_INVALID_PARAM_FORMAT"
    assert company.v1("get_orders", orderNo="S1")["success"] is True
