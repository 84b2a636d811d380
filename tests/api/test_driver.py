"""A driver's phone over HTTP, against a real server."""

import json
import socket
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.api import days
from tests.api.days import DAY, NOON_S, act, action, fix, order_ids, sent_day, statuses, track
from tests.serving import Company, Phone, Server, bearer, eventually


@pytest.fixture
def phone(company: Company) -> Phone:
    return company.driver("Ana", externalId=f"D{uuid.uuid4().hex[:8]}", serial="001")


@pytest.fixture(scope="module")
def same_phone(server: Server) -> Phone:
    """One that the tests share which store nothing."""
    return server.account().driver("Shared")


def positions(phone: Phone, body: Any) -> httpx.Response:
    """Sends a batch, or these very bytes."""
    content = body if isinstance(body, bytes) else json.dumps({"positions": body}).encode()
    return phone.client.post("/driver/v1/positions", content=content)


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert told["code"] == code
    return told


# Pairing and tokens


def test_pairing_gives_a_token_the_driver_and_the_account(server: Server, company: Company):
    driver = company.client.post("/api/drivers", json={"name": "Ana", "serial": "007"}).json()
    code = company.client.post(f"/api/drivers/{driver['id']}/pairing").json()["code"]
    told = httpx.post(f"{server.url}/driver/v1/pair", json={"code": code, "device": {"platform": "ios"}}).json()
    assert told["driver"] == {"id": driver["id"], "name": "Ana", "serial": "007"}
    assert told["account"]["timeZone"] == "UTC"
    assert httpx.get(f"{server.url}/driver/v1/route", headers=bearer(told["token"])).status_code == 200


def test_a_pairing_code_works_once(server: Server, company: Company):
    driver = company.client.post("/api/drivers", json={"name": "Ana"}).json()
    code = company.client.post(f"/api/drivers/{driver['id']}/pairing").json()["code"]
    assert httpx.post(f"{server.url}/driver/v1/pair", json={"code": code}).status_code == 200
    assert httpx.post(f"{server.url}/driver/v1/pair", json={"code": code}).status_code == 400


def test_ten_wrong_codes_make_an_address_wait(tmp_path):
    own = Server(tmp_path / "data").start()
    try:
        guess = {"code": "WRONG", "device": {}}
        answers = [httpx.post(f"{own.url}/driver/v1/pair", json=guess) for _ in range(11)]
        assert [answer.status_code for answer in answers] == [400] * 10 + [429]
        assert int(answers[-1].headers["retry-after"]) >= 1
        spoofed = httpx.post(f"{own.url}/driver/v1/pair", json=guess, headers={"X-Forwarded-For": "10.1.2.3"})
        assert spoofed.status_code == 429
    finally:
        own.kill()


def test_without_a_good_token_nothing_is_told(server: Server, company: Company, phone: Phone):
    token = phone.token
    altered = [token[:-1], token.swapcase(), token + "x", "x", "é" * 10, company.key]
    for secret in altered:
        answer = httpx.get(f"{server.url}/driver/v1/route", headers=[(b"authorization", f"Bearer {secret}".encode())])
        assert answer.status_code in (401, 403), secret
    assert httpx.post(f"{server.url}/driver/v1/positions", json={"positions": [fix(NOON_S)]}).status_code == 401


def test_a_revoked_token_is_good_for_nothing(company: Company, phone: Phone):
    assert positions(phone, [fix(NOON_S)]).status_code == 200
    [device] = company.client.get(f"/api/drivers/{phone.driver_id}/devices").json()["items"]
    assert company.client.delete(f"/api/devices/{device['id']}").status_code in (200, 204)
    problem(positions(phone, [fix(NOON_S + 1)]), 401, "ERR_UNAUTHENTICATED")
    assert len(track(company, phone)) == 1


def test_a_phones_token_opens_nothing_of_the_office(company: Company, phone: Phone):
    for path in ("/api/drivers", "/api/settings", "/api/keys", f"/api/routes?date={DAY}", "/api/orders"):
        assert phone.client.get(path).status_code == 403, path


# Positions


def test_a_batch_is_stored_and_counted(company: Company, phone: Phone):
    batch = [fix(NOON_S + n, speed=3.5, accuracy=4.0, heading=90.0, altitude=120.5, battery=0.5) for n in range(100)]
    assert positions(phone, batch).json() == {"accepted": 100, "duplicates": 0, "rejected": []}
    assert track(company, phone) == batch


def test_the_same_batch_three_times_at_once_is_stored_once(company: Company, phone: Phone):
    batch = [fix(NOON_S + n / 4) for n in range(200)]
    with ThreadPoolExecutor(3) as pool:
        answers = [each.json() for each in pool.map(lambda _: positions(phone, batch), range(3))]
    assert sum(each["accepted"] for each in answers) == 200
    assert all(each["accepted"] + each["duplicates"] == 200 for each in answers)
    assert len(track(company, phone)) == 200


def test_late_and_shuffled_positions_come_out_in_order(company: Company, phone: Phone):
    today = [fix(NOON_S + n) for n in (5, 1, 3)]
    earlier = [fix(NOON_S - 3 * 86_400 + n) for n in (2, 0, 1)]
    positions(phone, today)
    positions(phone, earlier)
    stored = track(company, phone, NOON_S - 4 * 86_400)
    assert [each["timestamp"] - NOON_S for each in stored] == [-259_200, -259_199, -259_198, 1, 3, 5]


def test_a_repeat_within_a_batch_and_a_repeated_id_are_duplicates(phone: Phone):
    batch = [fix(NOON_S, id="a"), fix(NOON_S), fix(NOON_S + 0.0004), fix(NOON_S + 1, id="a"), fix(NOON_S + 2)]
    assert positions(phone, batch).json() == {"accepted": 2, "duplicates": 3, "rejected": []}


BAD = [
    ({"timestamp": NOON_S * 1000}, "ERR_TIMESTAMP_MILLISECONDS"),
    ({"timestamp": 0}, "ERR_TIMESTAMP_TOO_OLD"),
    ({"timestamp": -1}, "ERR_TIMESTAMP_TOO_OLD"),
    ({"timestamp": 1_420_070_399}, "ERR_TIMESTAMP_TOO_OLD"),
    ({"timestamp": time.time() + 86_400}, "ERR_TIMESTAMP_FUTURE"),
    ({"timestamp": time.time() + 50 * 365 * 86_400}, "ERR_TIMESTAMP_FUTURE"),
    ({"timestamp": 4_200_000_000}, "ERR_TIMESTAMP_FUTURE"),
    ({"timestamp": NOON_S * 1_000_000}, "ERR_TIMESTAMP_INVALID"),
    ({"timestamp": "2026-03-02T12:00:00Z"}, "ERR_TIMESTAMP_INVALID"),
    ({"timestamp": str(NOON_S)}, "ERR_TIMESTAMP_INVALID"),
    ({"timestamp": None}, "ERR_TIMESTAMP_INVALID"),
    ({"timestamp": True}, "ERR_TIMESTAMP_INVALID"),
    ({"timestamp": 10**40}, "ERR_TIMESTAMP_INVALID"),
    ({"latitude": 91}, "ERR_LATITUDE_INVALID"),
    ({"latitude": "nan"}, "ERR_LATITUDE_INVALID"),
    ({"latitude": "45.8"}, "ERR_LATITUDE_INVALID"),
    ({"latitude": None}, "ERR_LATITUDE_INVALID"),
    ({"longitude": 181}, "ERR_LONGITUDE_INVALID"),
    ({"longitude": "Infinity"}, "ERR_LONGITUDE_INVALID"),
    ({"longitude": [16]}, "ERR_LONGITUDE_INVALID"),
    ({"speed": 1e308}, "ERR_POSITION_INVALID"),
    ({"battery": 255}, "ERR_POSITION_INVALID"),
    ({"accuracy": "good"}, "ERR_POSITION_INVALID"),
    ({"id": "a\x00b"}, "ERR_POSITION_INVALID"),
    ({"id": "x" * 65}, "ERR_POSITION_INVALID"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("odd", "code"), BAD, ids=[f"{odd}"[:40].encode("ascii", "replace").decode() for odd, _ in BAD]
)
def test_a_bad_position_is_rejected_alone_by_name(company: Company, phone: Phone, odd, code):
    batch = [fix(NOON_S + n) for n in range(5)]
    batch[2] |= odd
    told = positions(phone, batch).json()
    assert (told["accepted"], told["duplicates"]) == (4, 0)
    assert [(each["index"], each["code"]) for each in told["rejected"]] == [(2, code)]
    assert told["rejected"][0]["message"]
    assert len(track(company, phone)) == 4


@pytest.mark.parametrize("item", [b"null", b"3", b'"x"', b"[]", b"{}", b"true", b'{"timestamp": 1e400}'])
def test_what_is_no_position_at_all_is_rejected_alone(same_phone: Phone, item):
    body = b'{"positions": [' + item + b", " + json.dumps(fix(NOON_S)).encode() + b"]}"
    told = positions(same_phone, body).json()
    assert (told["accepted"] + told["duplicates"], [each["index"] for each in told["rejected"]]) == (1, [0])


def test_negative_values_are_a_phones_way_to_say_unknown(company: Company, phone: Phone):
    told = positions(phone, [fix(NOON_S, speed=-1, heading=-1.0, accuracy=-5)]).json()
    assert told["accepted"] == 1
    assert track(company, phone) == [fix(NOON_S)]


def test_a_phone_whose_clock_runs_a_minute_ahead_is_believed(phone: Phone):
    assert positions(phone, [fix(time.time() + 60)]).json()["accepted"] == 1


MALFORMED = {
    "a bare NaN": b'{"positions": [{"timestamp": NaN}]}',
    "cut off": b'{"positions": [{"timestamp": 1',
    "nothing": b"",
    "a byte order mark": b"\xef\xbb\xbf" + b'{"positions": []}',
    "UTF-16": '{"positions": []}'.encode("utf-16"),
    "no UTF-8 in a text": b'{"positions": [{"timestamp": 1772452800, "latitude": 1, "longitude": 2, "id": "\xff"}]}',
    "no UTF-8 where nobody looks": b'{"x": "\xff", "positions": [{"timestamp": 1772452800, "latitude": 1}]}',
    "nested without end": b'{"positions": ' + b"[" * 200_000,
    "nested where nobody looks": b'{"x": ' + b'{"a":' * 100_000,
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
    "text behind": b'{"positions": []} and more',
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_not_json_is_refused_whole(same_phone: Phone, name):
    for path in ("positions", "actions", "messages", "pair"):
        problem(same_phone.client.post(f"/driver/v1/{path}", content=MALFORMED[name]), 400, "ERR_MALFORMED")


@pytest.mark.parametrize("path", ["positions", "actions"])
@pytest.mark.parametrize(
    "shape", ['{"%s": []}', '{"%s": null}', '{"%s": {}}', "[]", "null", "{}", '{"%s": "x"}', '"%s"']
)
def test_a_batch_of_another_shape_is_refused(same_phone: Phone, path, shape):
    body = shape.replace("%s", path).encode()
    problem(same_phone.client.post(f"/driver/v1/{path}", content=body), 400, "ERR_INVALID")


def test_over_a_thousand_positions_are_refused_whole(company: Company, phone: Phone):
    problem(positions(phone, [fix(NOON_S + n) for n in range(1001)]), 400, "ERR_INVALID")
    assert track(company, phone) == []
    assert positions(phone, [fix(NOON_S + n) for n in range(1000)]).json()["accepted"] == 1000


def test_a_body_over_ten_mebibytes_is_refused(phone: Phone):
    big = b'{"positions": [' + b" " * (10 << 20) + b"]}"
    problem(positions(phone, big), 413, "ERR_TOO_LARGE")

    def chunks():
        for _ in range(11):
            yield b" " * (1 << 20)

    problem(phone.client.post("/driver/v1/positions", content=chunks()), 413, "ERR_TOO_LARGE")


def test_fields_that_nobody_knows_and_strange_texts_are_no_harm(company: Company, phone: Phone):
    batch = [fix(NOON_S, id="źñ🚚\u202e", mood="good", nested={"a": [1]}), fix(NOON_S + 1, id="' OR 1=1 --")]
    assert positions(phone, batch).json()["accepted"] == 2
    assert [each["id"] for each in track(company, phone)] == ["źñ🚚\u202e", "' OR 1=1 --"]


def test_a_client_that_is_cut_off_mid_body_stores_nothing(server: Server, company: Company, phone: Phone):
    body = json.dumps({"positions": [fix(NOON_S)]}).encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as one:
        head = f"POST /driver/v1/positions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {phone.token}\r\n"
        one.sendall(head.encode() + f"Content-Length: {len(body) + 10}\r\n\r\n".encode() + body)
    assert positions(phone, [fix(NOON_S + 1)]).status_code == 200
    assert [each["timestamp"] for each in track(company, phone)] == [NOON_S + 1]


def test_what_was_acknowledged_survives_a_kill(tmp_path):
    own = Server(tmp_path / "data").start()
    try:
        company = own.account()
        phone = company.driver("Ana", externalId="A")
        done = []
        for n in range(50):
            assert positions(phone, [fix(NOON_S + n)]).json()["accepted"] == 1
            done.append(NOON_S + n)
        own.kill()
        own.start()
        assert [each["timestamp"] for each in track(company, phone)] == done
        assert positions(phone, [fix(NOON_S + n) for n in range(60)]).json() == {
            "accepted": 10,
            "duplicates": 50,
            "rejected": [],
        }
    finally:
        own.kill()


# The route and the day


def test_a_driver_without_a_route_is_told_so(phone: Phone):
    assert phone.client.get("/driver/v1/route", params={"date": DAY}).json() == {
        "date": DAY,
        "version": 0,
        "route": None,
    }
    assert phone.client.get("/driver/v1/route").json()["date"] == time.strftime("%Y-%m-%d", time.gmtime())
    problem(phone.client.get("/driver/v1/route", params={"date": "tomorrow"}), 400, "ERR_INVALID")


def test_the_route_has_all_that_the_driver_needs(company: Company, phone: Phone):
    route = sent_day(company, phone, 3)
    stop = next(stop for stop in route["stops"] if stop["type"] == "order")
    assert stop["contact"] == {"phone": "+385 1 000"}
    assert stop["notes"] == "ring twice"
    assert stop["requiredProof"]["success"]["signature"] == "optional"
    assert stop["status"] == "scheduled"
    assert {"arrivalTime", "scheduledAt", "eta", "barcodes", "priority", "orderType", "timeWindows"} <= stop.keys()
    assert route["sent"] is True


def test_an_unchanged_route_is_not_sent_again(company: Company, phone: Phone):
    sent_day(company, phone, 2)
    first = phone.client.get("/driver/v1/route", params={"date": DAY})
    etag = first.headers["etag"]
    for given in (etag, f'"x", W/{etag}', "*"):
        again = phone.client.get("/driver/v1/route", params={"date": DAY}, headers={"If-None-Match": given})
        assert (again.status_code, again.content) == (304, b""), given
    act(phone, action("start_route", NOON_S))
    changed = phone.client.get("/driver/v1/route", params={"date": DAY}, headers={"If-None-Match": etag})
    assert changed.status_code == 200


def test_a_day_moves_the_route_along(company: Company, phone: Phone):
    first, second, _ = order_ids(sent_day(company, phone, 3))
    assert statuses(phone) == ["scheduled"] * 3
    act(phone, action("on_duty", NOON_S), action("start_route", NOON_S + 1))
    assert statuses(phone) == ["on_route", "scheduled", "scheduled"]
    there = fix(NOON_S + 59, accuracy=5.0)
    [started] = act(phone, action("start_service", NOON_S + 60, orderId=first, position=there))
    assert started == {"id": started["id"], "success": True, "status": "servicing"}
    act(phone, action("success", NOON_S + 90, orderId=first, form={"note": "left with neighbour"}))
    act(phone, action("failed", NOON_S + 120, orderId=second, form={"note": "closed"}))
    assert statuses(phone) == ["success", "failed", "on_route"]
    events = company.v1("get_events")["events"]
    assert [event["event"] for event in events] == ["on_duty", "start_route", "start_service", "success", "failed"]
    assert events[2]["position"]["distanceToLocation"] > 0
    told = company.v1("get_completion_details", {"orders": [{"id": first}]})["orders"][0]["data"]
    assert told["status"] == "success"
    assert told["startTime"]["unixTimestamp"] == NOON_S + 60
    assert told["startPosition"]["latitude"] == 45.8
    assert told["form"]["note"] == "left with neighbour"


def test_a_days_actions_in_reverse_and_twice_come_to_the_same(company: Company, phone: Phone):
    first, second, third = order_ids(sent_day(company, phone, 3))
    day = [
        action("start_route", NOON_S),
        action("start_service", NOON_S + 10, orderId=first),
        action("failed", NOON_S + 20, orderId=first),
        action("success", NOON_S + 30, orderId=first),
        action("start_service", NOON_S + 40, orderId=second),
    ]
    for each in [*reversed(day), *day]:
        assert act(phone, each)[0]["success"]
    assert statuses(phone) == ["success", "servicing", "scheduled"]
    assert len(company.v1("get_events")["events"]) == 5
    assert third


def test_many_phones_actions_at_once_are_each_an_event_once(company: Company):
    phones = [company.driver(f"D{n}", externalId=f"D{n}") for n in range(4)]
    routes = [order_ids(sent_day(company, each, 2)) for each in phones[:1]]
    jobs = [(each, action("on_duty", NOON_S + n)) for n in range(10) for each in phones]
    jobs += [(phones[0], action("start_service", NOON_S + 100 + n, orderId=routes[0][0])) for n in range(10)]
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda job: act(*job)[0], jobs * 2))
    assert all(outcome["success"] for outcome in outcomes)
    assert sum(outcome.get("duplicate", False) for outcome in outcomes) == len(jobs)
    assert len(company.v1("get_events")["events"]) == len(jobs)


def test_a_bad_action_is_refused_alone_by_name(company: Company, phone: Phone):
    [first, *_] = order_ids(sent_day(company, phone, 1))
    sent = [
        action("dance", NOON_S),
        action("success", NOON_S * 1000, orderId=first),
        action("success", time.time() + 3600, orderId=first),
        action("success", "noon", orderId=first),
        action("success", NOON_S),
        action("success", NOON_S, orderId="nobody's"),
        action("success", NOON_S, orderNo="nobody's"),
        action("success", NOON_S, orderId=first, position=fix(NOON_S, latitude=91)),
        action("success", NOON_S, orderId=first, form={"images": [3]}),
        action("success", NOON_S, orderId=first, form={"note": "a\x00b"}),
        action("start_time_changed", NOON_S),
        {**action("on_duty", NOON_S), "id": "not a uuid"},
        {**action("on_duty", NOON_S), "id": None},
        "on_duty",
        action("success", NOON_S, orderId=first),
    ]
    outcomes = act(phone, *sent)
    assert [each.get("code") for each in outcomes] == [
        "ERR_ACTION_UNKNOWN",
        "ERR_TIMESTAMP_MILLISECONDS",
        "ERR_TIMESTAMP_FUTURE",
        "ERR_TIMESTAMP_INVALID",
        "ERR_ACTION_INVALID",
        "ERR_ORDER_NOT_FOUND",
        "ERR_ORDER_NOT_FOUND",
        "ERR_LATITUDE_INVALID",
        "ERR_ACTION_INVALID",
        "ERR_ACTION_INVALID",
        "ERR_ACTION_INVALID",
        "ERR_ACTION_INVALID",
        "ERR_ACTION_INVALID",
        "ERR_ACTION_INVALID",
        None,
    ]
    assert [each["id"] for each in outcomes] == [e.get("id") if isinstance(e, dict) else None for e in sent]
    assert all(each["message"] for each in outcomes[:-1])
    assert outcomes[-1]["status"] == "success"


def test_the_same_id_with_other_content_is_refused(company: Company, phone: Phone):
    [first] = order_ids(sent_day(company, phone, 1))
    once = action("success", NOON_S, orderId=first)
    assert act(phone, once)[0]["success"]
    assert act(phone, {**once, "action": "failed"})[0]["code"] == "ERR_ACTION_ID_REUSED"
    assert act(phone, once)[0] == {"id": once["id"], "success": True, "duplicate": True, "status": "success"}
    assert statuses(phone) == ["success"]


def test_the_order_of_another_driver_or_company_is_not_told_to_exist(server: Server, company: Company, phone: Phone):
    route = sent_day(company, phone, 1)
    [(order_id, order_no)] = [(stop["orderId"], stop["orderNo"]) for stop in route["stops"] if stop["type"] == "order"]
    for stranger in (company.driver("Ben"), server.account().driver("Cid")):
        named = [{"orderId": order_id}, {"orderNo": order_no}, {"orderId": "nobody's"}]
        outcomes = act(stranger, *(action("success", NOON_S, **name) for name in named))
        assert {each["code"] for each in outcomes} == {"ERR_ORDER_NOT_FOUND"}
        assert len({each["message"] for each in outcomes}) == 1
        assert days.route_of(stranger) is None
    assert statuses(phone) == ["scheduled"]


def test_over_two_hundred_actions_are_refused_whole(company: Company, phone: Phone):
    many = [action("on_duty", NOON_S + n) for n in range(201)]
    problem(phone.client.post("/driver/v1/actions", json={"actions": many}), 400, "ERR_INVALID")
    assert company.v1("get_events")["events"] == []
    assert all(each["success"] for each in act(phone, *many[:200]))


def test_a_strict_account_is_told_what_came_out_of_order(company: Company, phone: Phone):
    assert company.client.patch("/api/settings", json={"strictStopOrder": True}).status_code == 200
    [_, second] = order_ids(sent_day(company, phone, 2))
    assert act(phone, action("success", NOON_S, orderId=second))[0]["success"]
    [event] = company.client.get("/api/events").json()["items"]
    assert event["outOfOrder"] is True
    route = days.route_of(phone)
    assert route is not None
    assert [stop.get("outOfOrder", False) for stop in route["stops"] if stop["type"] == "order"] == [False, True]


def test_acknowledged_actions_survive_a_kill(tmp_path):
    own = Server(tmp_path / "data").start()
    try:
        company = own.account()
        phone = company.driver("Ana", externalId="A")
        [first] = order_ids(sent_day(company, phone, 1))
        done = [action("start_service", NOON_S, orderId=first), action("success", NOON_S + 5, orderId=first)]
        assert all(each["success"] for each in act(phone, *done))
        own.kill()
        own.start()
        assert statuses(phone) == ["success"]
        assert all(each["duplicate"] for each in act(phone, *done))
        assert [event["event"] for event in company.v1("get_events")["events"]] == ["start_service", "success"]
    finally:
        own.kill()


# Messages


def test_messages_go_both_ways(company: Company, phone: Phone):
    assert phone.client.post("/driver/v1/messages", json={"id": "m1", "text": "flat tyre"}).json() == {"id": "m1"}
    again = phone.client.post("/driver/v1/messages", json={"id": "m1", "text": "flat tyre"}).json()
    assert again == {"id": "m1", "duplicate": True}
    assert company.client.post(f"/api/drivers/{phone.driver_id}/messages", json={"text": "wait"}).status_code < 300

    def both() -> list[str]:
        return [each["text"] for each in phone.client.get("/driver/v1/messages").json()["items"]]

    assert eventually(both) == ["flat tyre", "wait"]
    for body in ({}, {"id": "", "text": "x"}, {"id": "a", "text": ""}, {"id": "a", "text": "a\x00"}):
        assert phone.client.post("/driver/v1/messages", json=body).status_code == 400


# What the account asks for


def test_a_missing_required_proof_is_told_and_never_refused(company: Company, phone: Phone):
    asked = {"success": {"signature": "required", "note": "required"}, "failed": {"images": "required"}}
    assert company.client.patch("/api/settings", json={"proofOfDelivery": asked}).status_code == 200
    first, second, third = order_ids(sent_day(company, phone, 3))
    outcomes = act(
        phone,
        action("success", NOON_S, orderId=first, form={"note": "x"}),
        action("failed", NOON_S + 1, orderId=second),
        action("success", NOON_S + 2, orderId=third, form={"note": "x", "signature": str(uuid.uuid4())}),
    )
    assert all(each["success"] for each in outcomes)
    seen_by_phone = days.route_of(phone)
    [seen_by_office] = company.client.get("/api/routes", params={"date": DAY}).json()["items"]
    for route in (seen_by_phone, seen_by_office):
        assert route is not None
        missing = [stop.get("missingProof", []) for stop in route["stops"] if stop["type"] == "order"]
        assert missing == [["signature"], ["images"], []]
    assert seen_by_phone is not None
    wanted = seen_by_phone["stops"][0]["requiredProof"]
    assert wanted["success"] == {
        "note": "required",
        "signature": "required",
        "images": "optional",
        "barcode": "optional",
    }


def test_texts_of_every_kind_are_stored_and_told_literally(company: Company, phone: Phone):
    [first] = order_ids(sent_day(company, phone, 1))
    note = '<script>alert(1)</script> \'; DROP TABLE facts;-- {{7*7}} =HYPERLINK("x") %s \r\nX: y \u202e Z̴͑ 🚚 % _'
    act(phone, action("failed", NOON_S, orderId=first, form={"note": note}))
    told = company.v1("get_completion_details", {"orders": [{"id": first}]})["orders"][0]["data"]
    assert told["form"]["note"] == note


def test_the_barcodes_of_a_form_come_back_as_they_were_scanned(company: Company, phone: Phone):
    [first] = order_ids(sent_day(company, phone, 1))
    form = {
        "barcode": [{"barcode": "123456", "scanInfo": {"status": "success", "scanned": "123456", "type": "ean-13"}}],
        "barcode_collections": [
            {"barcode": None, "scanInfo": {"status": "added", "scanned": "000123", "type": "code-128"}}
        ],
    }
    assert act(phone, action("success", NOON_S, orderId=first, form=form))[0]["success"]
    told = company.v1("get_completion_details", {"orders": [{"id": first}]})["orders"][0]["data"]["form"]
    assert told == form
    odd = {"barcode": [{"barcode": "1", "scanInfo": {"status": "eaten"}}]}
    assert act(phone, action("success", NOON_S, orderId=first, form=odd))[0]["code"] == "ERR_ACTION_INVALID"


def test_an_api_key_is_no_phone(company: Company):
    for method, path in (("GET", "route"), ("POST", "positions"), ("POST", "actions"), ("POST", "attachments")):
        answer = company.client.request(method, f"/driver/v1/{path}", content=b"{}")
        assert answer.status_code == 403, path
