"""Input that is odd and not broken: packed bodies, phones with an old GPS chip, names in any script."""

import gzip
import time

import pytest

from tests.serving import Company

NAMES = [
    "Željko Đurđević",
    "李小龍",
    "محمد علي",
    "\u202egnirts desrever",
    "Z̷̡̢a̵l̶g̸o̷ ̴t̵e̵x̶t̷",
    "👩‍🚚🏽 e\u0301 vs é",
    "<script>alert(1)</script>",
    "'; DROP TABLE drivers; --",
    '=HYPERLINK("http://example.com")',
    "line\nbreak\ttab",
]
WEEKS_OF_GPS_S = 1024 * 7 * 86_400  # after so many weeks the counter of an old chip begins anew


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_kept_to_the_letter(company: Company, name: str) -> None:
    made = company.client.post("/api/drivers", json={"name": name, "serial": name[:20]}).json()
    assert made["name"] == name
    assert company.client.get(f"/api/drivers/{made['id']}").json()["name"] == name
    order = {
        "orderNo": name,
        "date": "2026-03-02",
        "notes": name,
        "location": {"locationName": name, "latitude": 1, "longitude": 2},
    }
    assert company.v1("create_or_update_orders", {"orders": [order]})["success"]
    stored = company.v1("get_orders", {"orders": [{"orderNo": name}]})["orders"][0]["data"]
    assert (stored["notes"], stored["location"]["locationName"]) == (name, name)


def test_a_packed_body_is_not_unpacked(company: Company) -> None:
    """Ten mebibytes of JSON in ten kilobytes; nothing of it is taken, and the server goes on."""
    phone = company.driver()
    packed = gzip.compress(b'{"positions": [' + b" " * (10 << 20) + b"]}")
    assert len(packed) < 20_000
    for client, method, path in [
        (phone.client, "POST", "/driver/v1/positions"),
        (phone.client, "POST", "/driver/v1/actions"),
        (company.client, "PUT", "/api/fleet"),
    ]:
        answer = client.request(method, path, content=packed, headers={"Content-Encoding": "gzip"})
        assert (answer.status_code, answer.json()["code"]) == (400, "ERR_MALFORMED")
    assert company.client.get("/healthz").status_code == 200


def test_a_phone_whose_gps_counts_weeks_from_anew_is_told_so_and_the_rest_is_stored(company: Company) -> None:
    phone = company.driver()
    now = time.time()
    fixes = [
        {"timestamp": now - 20, "latitude": 45.8, "longitude": 16.0},
        {"timestamp": now - 10 - WEEKS_OF_GPS_S, "latitude": 45.8, "longitude": 16.0},
        {"timestamp": now, "latitude": 45.8001, "longitude": 16.0},
    ]
    answer = phone.client.post("/driver/v1/positions", json={"positions": fixes}).json()
    assert answer["accepted"] == 2
    assert [(each["index"], each["code"]) for each in answer["rejected"]] == [(1, "ERR_TIMESTAMP_TOO_OLD")]


@pytest.mark.parametrize(
    ("stamp", "code"),
    [
        (1_420_070_400, None),
        (1_420_070_399, "ERR_TIMESTAMP_TOO_OLD"),
        ("in four minutes", None),
        ("in six minutes", "ERR_TIMESTAMP_FUTURE"),
        ("in a day", "ERR_TIMESTAMP_FUTURE"),
        ("in milliseconds", "ERR_TIMESTAMP_MILLISECONDS"),
        (2_147_483_648, "ERR_TIMESTAMP_FUTURE"),
        (4_294_967_296, "ERR_TIMESTAMP_FUTURE"),
        (0, "ERR_TIMESTAMP_TOO_OLD"),
        (-1, "ERR_TIMESTAMP_TOO_OLD"),
        ("2026-03-02T08:00:00Z", "ERR_TIMESTAMP_INVALID"),
        (True, "ERR_TIMESTAMP_INVALID"),
    ],
)
def test_a_time_is_believed_or_refused_by_name_at_its_boundaries(
    company: Company, stamp: object, code: str | None
) -> None:
    ahead = {"in four minutes": 240.0, "in six minutes": 360.0, "in a day": 86_400.0}
    if stamp in ahead:
        stamp = time.time() + ahead[str(stamp)]
    elif stamp == "in milliseconds":
        stamp = time.time() * 1000
    fix = {"timestamp": stamp, "latitude": 45.8, "longitude": 16.0}
    answer = company.driver().client.post("/driver/v1/positions", json={"positions": [fix]}).json()
    assert [each["code"] for each in answer["rejected"]] == ([code] if code else []), answer
    assert answer["accepted"] == (0 if code else 1)


def test_a_text_of_the_wrong_form_is_told_which_form_is_right(company: Company) -> None:
    """In words: nobody who sends a time should have to read a regular expression."""
    order = {"orderNo": "A", "date": "2026-03-02", "location": {"locationName": "Shop", "latitude": 1, "longitude": 2}}
    wrong = [
        {"timeWindows": [{"twFrom": "8:00", "twTo": "17:00"}]},
        {"allowedDateTimes": [{"from": "2026-03-02 08:00"}]},
    ]
    parts = company.v1("create_or_update_orders", {"orders": [order | each for each in wrong]})["orders"]
    refused = company.client.post("/api/drivers", json={"name": "Ana", "workTime": {"from": "8", "to": "17:00"}}).json()
    clock = "Expected a time of day from 00:00 to 23:59, with two digits each"
    assert [part["message"] for part in parts] == [
        f"{clock} - at `$.timeWindows[0].twFrom`.",
        "Expected a date and time such as 2020-01-30T15:54:02 - at `$.allowedDateTimes[0].from`.",
    ]
    assert clock in str(refused)
    action = {"id": "one", "action": "on_duty", "timestamp": int(time.time())}
    (outcome,) = company.driver().client.post("/driver/v1/actions", json={"actions": [action]}).json()["actions"]
    assert outcome["success"] is False
    assert "regex" not in str(outcome)


def test_a_hundred_thousand_times_the_same_and_as_many_unknown_names_are_no_bug(company: Company) -> None:
    """More than one statement of a database takes."""
    asked = {"dateRange": {"from": "2026-03-02", "to": "2026-03-02"}, "orderStatus": ["failed"] * 100_000}
    assert company.v1("search_orders", asked)["success"]
    place = {"locationName": "x", "latitude": 1, "longitude": 2}
    orders = [
        {"orderNo": "MANY", "date": "2026-03-02", "location": place, "skills": [f"S{n}" for n in range(300_000)]},
        {"orderNo": "NONE", "date": "2026-03-02", "location": place},
    ]
    told = company.v1("create_or_update_orders", {"orders": orders})["orders"]
    assert told[0]["code"] == "ERR_SK_NOT_EXISTS" and told[1]["success"]


def test_a_time_with_an_end_of_line_behind_it_is_refused(company: Company) -> None:
    """It would be kept, and then no plan of the day could be made."""
    place = {"locationName": "x", "latitude": 1, "longitude": 2}
    order = {"orderNo": "A", "date": "2026-03-02", "location": place}
    for odd in (
        {"timeWindows": [{"twFrom": "08:00\n", "twTo": "10:00"}]},
        {"allowedDateTimes": [{"from": "2026-03-02T08:00:00\n"}]},
    ):
        told = company.v1("create_or_update_orders", {"orders": [order | odd]})["orders"][0]
        assert told["code"] == "ERR_INVALID_PARAM_FORMAT", odd
    hours = {"name": "Ana", "workTime": {"from": "08:00\n", "to": "17:00"}}
    assert company.client.post("/api/drivers", json=hours).status_code == 400


def test_an_empty_body_is_told_from_a_broken_one_and_deletes_nothing(company: Company) -> None:
    place = {"locationName": "Shop", "latitude": 1, "longitude": 2}
    order = {"orderNo": "A", "date": "2026-03-02", "location": place}
    assert company.v1("create_or_update_orders", {"orders": [order]})["success"]
    refused = company.client.post("/v1/delete_all_orders", content=b"").json()
    assert (refused["success"], refused["code"]) == (False, "MALFORMED_REQUEST")
    assert refused["message"].startswith("The body is empty")
    assert company.v1("get_orders", {"orders": [{"orderNo": "A"}]})["success"] is True
