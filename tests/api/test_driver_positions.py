"""Positions from a driver's phone over HTTP."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.api.days import NOON_S, fix, positions, problem, track
from tests.serving import Company, Phone, Server


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


def test_a_bad_position_is_rejected_alone_by_name(company: Company, phone: Phone):
    for number, (odd, code) in enumerate(BAD):
        batch = [fix(NOON_S + number * 10 + n) for n in range(5)]
        batch[2] |= odd
        told = positions(phone, batch).json()
        assert (told["accepted"], told["duplicates"]) == (4, 0), odd
        assert [(each["index"], each["code"]) for each in told["rejected"]] == [(2, code)], odd
        assert told["rejected"][0]["message"]
    assert len(track(company, phone)) == 4 * len(BAD)


def test_one_bad_position_in_five_hundred_costs_nothing_else(phone: Phone):
    batch = [fix(NOON_S + n) for n in range(500)]
    batch[333]["latitude"] = 1e9
    told = positions(phone, batch).json()
    assert (told["accepted"], [each["index"] for each in told["rejected"]]) == (499, [333])
    again = positions(phone, batch).json()
    assert (again["accepted"], again["duplicates"], len(again["rejected"])) == (0, 499, 1)


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
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as one:
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
