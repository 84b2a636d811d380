"""A driver's day over HTTP: the route, and what the phone says happened."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from tests.api import days
from tests.api.days import DAY, NOON_S, act, action, fix, order_ids, problem, sent_day, statuses
from tests.serving import Company, Phone, Server


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
