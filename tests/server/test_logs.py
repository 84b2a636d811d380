"""What is logged of requests, and how it is found again."""

import json
import logging
import re
import sys
from pathlib import Path

import httpx
import pytest

from backend.server.logs import Lines, Objects, request_id
from tests.serving import Server, bearer, eventually


def record(message: str, *args: object, **more: object) -> logging.LogRecord:
    made = logging.LogRecord("codriver.test", logging.WARNING, __file__, 1, message, args, None)
    made.__dict__.update(more)
    return made


def test_a_line_and_an_object_tell_the_same():
    token = request_id.set("abc-12345")
    try:
        assert (
            Lines(2)
            .format(record("%s is odd", "this"))
            .endswith("WARNING [2] codriver.test this is odd (request abc-12345)")
        )
        told = json.loads(Objects(2).format(record("%s is odd", "this", fields={"route": "/a"})))
    finally:
        request_id.reset(token)
    time = told.pop("time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", time)
    assert told == {
        "level": "WARNING",
        "logger": "codriver.test",
        "message": "this is odd",
        "route": "/a",
        "request": "abc-12345",
        "process": 2,
    }
    assert "request" not in json.loads(Objects(None).format(record("alone")))


def test_a_trace_is_one_value_of_the_object():
    try:
        raise ValueError("odd\nlines")
    except ValueError:
        told = json.loads(Objects(None).format(record("it failed", exc_info=sys.exc_info())))
    assert told["message"] == "it failed" and "ValueError: odd" in told["trace"]


@pytest.mark.parametrize("given", ["proxy-0123456789", "short", "with space in it", "x" * 65, None])
def test_an_answer_names_its_request_and_so_does_the_log(server: Server, given: str | None):
    headers = bearer("nobody") | ({"X-Request-Id": given} if given else {})
    answer = httpx.get(f"{server.url}/api/settings", headers=headers)
    named = answer.headers["X-Request-Id"]
    assert answer.status_code == 401
    assert (named == given) == (given == "proxy-0123456789")
    assert re.fullmatch(r"[A-Za-z0-9._:-]{8,64}", named)
    [line] = eventually(lambda: [line for line in server.tail().splitlines() if f"(request {named})" in line])
    assert "GET /api/settings 401" in line


def test_the_log_can_be_objects(tmp_path: Path):
    served = Server(tmp_path / "data", environment={"CODRIVER_LOG_FORMAT": "json"}).start()
    try:
        named = httpx.get(f"{served.url}/api/settings?key=secretly").headers["X-Request-Id"]
        assert served.stop() == 0
    finally:
        served.kill()
    lines = [json.loads(line) for line in served.log.read_text().splitlines()]
    [line] = [line for line in lines if line.get("request") == named]
    assert (line["method"], line["route"], line["status"]) == ("GET", "/api/settings", 401)
    assert "secretly" not in served.log.read_text()
