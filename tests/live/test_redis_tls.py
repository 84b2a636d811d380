"""A Redis that is reached by TLS alone, whose certificate is checked."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.builders import Shelf, at, opened, until
from tests.live.test_fanout import ACCOUNT, HEALED_S, told, watch
from tests.redis_server import PROGRAM, RedisServer


@pytest.fixture
def sealed(tmp_path: Path) -> Iterator[tuple[RedisServer, str]]:
    """The server, and its address for who trusts its certificate."""
    if PROGRAM is None or shutil.which("openssl") is None:
        pytest.skip("redis-server or openssl is not on this machine")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(
        [*made, *names, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True, timeout=100
    )
    files = ("--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-ca-cert-file", str(certificate))
    server = RedisServer()
    server.options = ("--port", "0", "--tls-port", str(server.port), *files, "--tls-auth-clients", "no")
    try:
        try:
            server.start()
        except AssertionError:
            pytest.skip("this redis-server knows no TLS")
        yield server, f"rediss://127.0.0.1:{server.port}/0?ssl_ca_certs={certificate}"
    finally:
        server.kill()


@pytest.mark.usefixtures("impatient")
async def test_processes_hear_one_another_by_tls_and_after_a_restart_again(sealed: tuple[RedisServer, str]) -> None:
    server, url = sealed
    shelf = Shelf("ana")
    async with opened(shelf, url) as hub:
        socket = await watch(hub)
        await told(lambda second: hub.tell_positions(ACCOUNT, "ana", at(second)), lambda: socket.trail("ana"))
        server.kill()
        server.start()
        shelf.positions["ana"] = at(100)
        hub.tell_positions(ACCOUNT, "ana", at(100))
        await until(lambda: socket.trail("ana")[-1] == at(100).timestamp, HEALED_S)
        await until(lambda: hub.told.whole and hub.watched.whole, HEALED_S)
        await told(
            lambda second: hub.tell_positions(ACCOUNT, "ana", at(100 + second)),
            lambda: socket.trail("ana")[-1] > at(100).timestamp,
        )
