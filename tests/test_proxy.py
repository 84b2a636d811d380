"""deploy/Caddyfile in front of a real server: what gets through, what does not, and what is written down of it."""

import http.client
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.api.files import MOST_BYTES, hand_in, noise
from tests.serving import ROOT, Phone, Server, bearer, eventually, held_port

pytestmark = pytest.mark.skipif(shutil.which("caddy") is None, reason="caddy is not on this machine")


class Proxy(NamedTuple):
    """``url`` leads through it. A server, to make companies on, is behind it."""

    url: str
    server: Server
    log: Path

    def phone(self) -> Phone:
        phone = self.server.account().driver()
        phone.client.base_url = httpx.URL(self.url)
        return phone


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("proxy")
    server = Server(folder / "data", environment={"CODRIVER_TRUSTED_PROXIES": "127.0.0.1"}).start()
    held = held_port()
    url = f"http://127.0.0.1:{held.getsockname()[1]}"
    environment = {**os.environ, "DOMAIN": url, "UPSTREAM": f"127.0.0.1:{server.port}", "HOME": str(folder)}
    configuration = folder / "caddy.json"
    configuration.write_text(json.dumps(adapted(environment) | {"admin": {"disabled": True}}))
    log = folder / "caddy.log"
    with log.open("wb") as out:
        caddy = subprocess.Popen(["caddy", "run", "--config", str(configuration)], env=environment, stderr=out)
    try:
        eventually(lambda: answers(url), what="an answer of the proxy")
        yield Proxy(url, server, log)
    finally:
        caddy.kill()
        caddy.wait()
        server.kill()


def adapted(environment: dict[str, str]) -> dict[str, Any]:
    command = ["caddy", "adapt", "--config", str(ROOT / "deploy" / "Caddyfile"), "--adapter", "caddyfile"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100)
    assert ended.returncode == 0 and "not formatted" not in ended.stderr, ended.stderr
    patient = ended.stdout.replace(
        '"try_duration":8000000000', '"try_duration":120000000000'
    )  # a busy machine starts late
    assert patient != ended.stdout
    told: dict[str, Any] = json.loads(patient)
    return told


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=40).status_code == 200
    except httpx.HTTPError:
        return False


def asked_as_written(url: str, path: str) -> tuple[int, bytes]:
    """With the path exactly as it is."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=40)
    connection.putrequest("GET", path)
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_what_is_the_operators_is_not_outside_however_it_is_written(proxy: Proxy):
    assert asked_as_written(proxy.server.url, "//%6Detrics/")[0] == 200, "the server itself takes it so"
    spelled = ["/metrics", "/metrics/", "//metrics", "/%6Detrics", "/%2Fmetrics", "/metrics%2F", "//%6Detrics/"]
    spelled += ["/metrics?a=1", "/x/../metrics", "/./metrics", f"{proxy.url}/metrics", "/METRICS", "/operator"]
    spelled += ["/operator/accounts", "/operator%2Faccounts", "//operator/accounts", "/operator/../metrics"]
    for path in spelled:
        status, body = asked_as_written(proxy.url, path)
        assert (status, body) == (404, b""), path
    assert asked_as_written(proxy.url, "/readyz")[0] == 200


def test_a_phone_is_served_as_if_there_were_no_proxy(proxy: Proxy):
    phone = proxy.phone()
    fix = {"timestamp": time.time() - 5, "latitude": 45.8, "longitude": 16.0}
    with connect(
        proxy.url.replace("http", "ws") + "/driver/v1/ws",
        additional_headers=bearer(phone.token),
        subprotocols=["codriver.v1.json"],
        proxy=None,
    ) as one:
        one.send(json.dumps({"type": "positions", "id": "m1", "positions": [fix]}))
        told = json.loads(one.recv(timeout=40))
    assert (told["type"], told["accepted"]) == ("ack", 1)
    again = phone.client.post("/driver/v1/positions", json={"positions": [fix]}).json()
    assert again == {"accepted": 0, "duplicates": 1, "rejected": []}


def test_a_photo_of_full_size_gets_through_and_more_is_refused(proxy: Proxy):
    phone = proxy.phone()
    photo = noise((3940, 3940))
    assert MOST_BYTES - 300_000 < len(photo) < MOST_BYTES
    assert hand_in(phone, photo).status_code == 201
    assert hand_in(phone, bytes(21_000_000)).status_code == 413


def test_the_server_sees_who_asks_and_not_whom_they_name(proxy: Proxy):
    with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.3")) as client:
        headers = {"X-Forwarded-For": "203.0.113.7", "X-Request-Id": "through-caddy"}
        assert client.get(f"{proxy.url}/api/settings", headers=headers).status_code == 401
    line = "from 127.0.0.3 (request through-caddy)"
    eventually(lambda: line in proxy.server.tail(), what=line)


def test_no_secret_is_in_the_log_of_the_proxy(proxy: Proxy):
    secret = "s3cret"
    headers = {"Authorization": f"Bearer {secret}", "X-API-Key": secret, "Referer": f"{proxy.url}/t/{secret}"}
    headers |= {"Sec-WebSocket-Protocol": f"bearer.{secret}"}
    for path in (f"/api/settings?key={secret}", f"/t/{secret}.json", f"/files/{secret}?a={secret}", f"/pair#{secret}"):
        httpx.get(proxy.url + path, headers=headers)
    httpx.get(f"{proxy.url}/pair?code={secret}", headers={"X-Request-Id": "the-last-one"})
    text = eventually(lambda: proxy.log.read_text() if "the-last-one" in proxy.log.read_text() else "")
    assert secret not in text
    assert '"uri":"/api/settings?hidden"' in text and '"uri":"/t/hidden"' in text and '"uri":"/files/hidden"' in text


def test_a_restart_of_the_server_is_waited_for_and_sockets_are_told_to_come_back(proxy: Proxy):
    phone, server = proxy.phone(), proxy.server
    statuses: list[int] = []
    over = threading.Event()

    def ask() -> None:
        with httpx.Client(timeout=150) as client:
            while not over.is_set():
                statuses.append(client.get(f"{proxy.url}/readyz").status_code)
                over.wait(0.05)

    asking = threading.Thread(target=ask)
    address = proxy.url.replace("http", "ws") + "/driver/v1/ws"
    with connect(address, additional_headers=bearer(phone.token), proxy=None) as one:
        asking.start()
        assert server.stop() == 0
        assert json.loads(one.recv(timeout=40))["type"] == "drain"
        with pytest.raises(ConnectionClosed) as end:
            one.recv(timeout=40)
        assert end.value.rcvd is not None and end.value.rcvd.code == 1012
    seen = len(statuses)
    server.start()
    eventually(lambda: len(statuses) > seen + 3, within_s=60, what="answers after the restart")
    over.set()
    asking.join(150)
    assert set(statuses) == {200}, statuses
