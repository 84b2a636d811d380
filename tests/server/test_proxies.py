"""Who is counted and logged as the one who asks, where proxies stand in between. We are the proxy, at 127.0.0.1."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from backend.domain.errors import Refusal
from backend.server.proxies import Proxied
from backend.service.callers import origin
from backend.settings import Settings
from tests.serving import ROOT, Server, eventually, plain_client

TRUSTED = "127.0.0.1, 10.0.0.0/8, 2001:db8::/32"


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = {"CODRIVER_TRUSTED_PROXIES": TRUSTED}
    running = Server(tmp_path_factory.mktemp("behind") / "data", environment=environment).start()
    yield running
    running.kill()


def logged_as(server: Server, request: str) -> str:
    """Whom the log names for a request, by the name that the request was given."""
    found = eventually(lambda: re.search(rf"from (\S+) \(request {request}\)", server.tail()), what="a line in the log")
    assert found
    return found[1]


CASES = [
    ("203.0.113.7", "203.0.113.7"),
    ("203.0.113.7:4711", "203.0.113.7"),
    ("1.1.1.1, 203.0.113.7", "203.0.113.7"),  # the left one is what the client wrote itself
    ("10.9.9.9, 203.0.113.7, 10.1.1.1", "203.0.113.7"),
    ("203.0.113.7, 10.1.1.1,2001:db8::1", "203.0.113.7"),
    ("[2a00:1450::5]:443, 10.1.1.1", "2a00:1450::5"),
    ("::ffff:203.0.113.7", "203.0.113.7"),
    ("10.1.1.1, 10.2.2.2", "10.1.1.1"),  # somebody inside
    ("203.0.113.7, unknown, 10.1.1.1", "10.1.1.1"),
    ("", "127.0.0.1"),
    ("nonsense", "127.0.0.1"),
    ("203.0.113.7,", "127.0.0.1"),
    (None, "127.0.0.1"),
]


def test_the_client_is_the_last_that_no_trusted_proxy_is(behind: Server):
    with plain_client(behind, "nobody") as proxy:
        for number, (passed, _) in enumerate(CASES):
            headers = {"X-Request-Id": f"case-{number:04}"}
            headers |= {"X-Forwarded-For": passed} if passed is not None else {}
            assert proxy.get("/api/settings", headers=headers).status_code == 401
    for number, (passed, client) in enumerate(CASES):
        assert logged_as(behind, f"case-{number:04}") == client, passed


def test_several_headers_are_one_list(behind: Server):
    headers = [("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-For", "203.0.113.8"), ("X-Request-Id", "two-lines")]
    httpx.get(f"{behind.url}/api/settings", headers=headers)
    assert logged_as(behind, "two-lines") == "203.0.113.8"


def test_a_websocket_is_looked_behind_too_and_its_refusal_logged(behind: Server):
    headers = {"X-Forwarded-For": "1.1.1.1, 203.0.113.9", "X-Request-Id": "websocket-1"}
    with connect(f"{behind.ws_url}/driver/v1/ws", additional_headers=headers, proxy=None) as one:
        with pytest.raises(ConnectionClosed) as end:
            one.recv(timeout=40)
        assert end.value.rcvd is not None and end.value.rcvd.code == 4401
    assert logged_as(behind, "websocket-1") == "203.0.113.9"
    assert re.search(r"WEBSOCKET /driver/v1/ws 4401 [\d.]+ ms from 203.0.113.9", behind.tail())


def test_who_is_no_trusted_proxy_is_taken_for_itself(behind: Server):
    headers = {"X-Forwarded-For": "203.0.113.7", "X-Request-Id": "stranger-1"}
    with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.2")) as stranger:
        assert stranger.get(f"{behind.url}/api/settings", headers=headers).status_code == 401
    assert logged_as(behind, "stranger-1") == "127.0.0.2"


def test_wrong_pairing_codes_count_for_each_phone_behind_the_proxy(behind: Server):
    proxy = plain_client(behind, "nobody")

    def guess(passed: str) -> int:
        guessed = {"code": "WRONG", "device": {}}
        return proxy.post("/driver/v1/pair", json=guessed, headers={"X-Forwarded-For": passed}).status_code

    assert [guess(f"{number}.1.1.1, 203.0.113.20") for number in range(11)] == [400] * 10 + [429]
    assert guess("203.0.113.20, 203.0.113.21") == 400
    one_network = [guess(f"2a00:1450::{number}:1") for number in range(1, 12)]
    assert one_network == [400] * 10 + [429]
    assert guess("2a00:1450:0:1::1") == 400


def test_a_guesser_is_counted_by_an_address_or_a_network():
    assert origin("203.0.113.7") == "203.0.113.7"
    assert origin("2a00:1450:1:2:3:4:5:6") == "2a00:1450:1:2::/64"
    assert origin("::ffff:203.0.113.7") == "203.0.113.7"
    assert origin("") == ""


async def test_scheme_and_host_are_those_that_the_client_used():
    seen = {}

    async def app(scope, receive, send):
        seen.update(scope)

    async def ask(kind: str, peer: str, **headers: str) -> tuple[str, list[str]]:
        given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        before = {"websocket": "ws", "http": "http"}[kind]
        scope = {"type": kind, "scheme": before, "client": (peer, 5), "headers": given}
        await Proxied(app, Settings(trusted_proxies=TRUSTED).proxies())(scope, None, None)
        return seen["scheme"], [value.decode() for name, value in seen["headers"] if name == b"host"]

    told = {"host": "inside:8000", "x_forwarded_proto": "https", "x_forwarded_host": "drive.example.com"}
    assert await ask("http", "10.0.0.1", **told) == ("https", ["drive.example.com"])
    assert await ask("websocket", "10.0.0.1", **told) == ("wss", ["drive.example.com"])
    assert await ask("websocket", "10.0.0.1", host="a", x_forwarded_proto="wss") == ("wss", ["a"])
    assert await ask("http", "10.0.0.1", host="a", x_forwarded_proto="gopher", x_forwarded_host="") == ("http", ["a"])
    assert await ask("http", "203.0.113.1", **told) == ("http", ["inside:8000"])


@pytest.mark.parametrize("given", ["proxy.example.com", "10.0.0.1/8", "10.0.0.0/33", "*", "0.0.0.0/0", "127.0.0.1,x"])
def test_what_names_no_proxies_is_refused_at_the_start(given: str, tmp_path: Path):
    with pytest.raises(Refusal, match=r"ERR_SETTING_INVALID: CODRIVER_TRUSTED_PROXIES is addresses and networks"):
        Settings(trusted_proxies=given).proxies()
    if given == "*":
        command = [sys.executable, "-m", "backend.cli", "serve", "--port", "0", "--data", str(tmp_path)]
        environment = {"CODRIVER_TRUSTED_PROXIES": given, "PATH": ""}
        ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100)
        assert ended.returncode == 1 and "CODRIVER_TRUSTED_PROXIES" in ended.stderr, ended.stderr
        assert "Traceback" not in ended.stderr
