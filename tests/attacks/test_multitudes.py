"""Thousands of connections that stall, vanish, say nothing, or all come at once; and those who are served meanwhile."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import msgspec
import pytest
from websockets.sync.client import connect as websocket_client

from tests.attacks.wires import PATIENCE_S, Vitals, connect, handshake, next_message, opened, pour, text
from tests.serving import ROOT, Company, Server, bearer, eventually

DRIVERS = 200
FIRST_S = 1_772_000_000
SUBSCRIBE = json.dumps({"type": "subscribe", "id": "a", "maxHz": 10})
HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"


@contextmanager
def crowd(server: Server, path: str, count: int, message: str, *secrets: str, receive_buffer: int = 0) -> Iterator[Any]:
    """Sockets of another process; it is stopped as soon as they are open, so that nobody reads and nobody answers."""
    words = [str(server.port), path, str(count), str(receive_buffer), message, *secrets]
    command = [sys.executable, "-m", "tests.attacks.crowd", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "open\n"
            process.send_signal(signal.SIGSTOP)
            yield process
        finally:
            process.kill()


class Fleet:
    """Many drivers of one company, all of whom move with each call."""

    def __init__(self, company: Company) -> None:
        self.company, self.moved = company, 0
        names = [{"externalId": f"D{number}", "name": f"Driver {number}"} for number in range(DRIVERS)]
        assert company.client.put("/api/fleet", json={"drivers": names}).status_code == 200

    def move(self) -> None:
        self.moved += 1
        fix = {"timestamp": FIRST_S + self.moved, "latitude": 45.8, "longitude": 16.0, "speed": 1.0}
        updates = [{"driver": {"externalId": f"D{number}"}, "positions": [fix]} for number in range(DRIVERS)]
        for start in range(0, DRIVERS, 100):
            assert self.company.v1("update_drivers_positions", {"updates": updates[start : start + 100]})["success"]


@pytest.fixture(scope="module")
def fleet(server: Server) -> Fleet:
    return Fleet(server.account())


def test_a_thousand_sockets_whose_clients_vanished_are_reaped_and_a_watcher_sees_the_fleet_move(
    server: Server, fleet: Fleet
) -> None:
    """Half of them are idle; the others have more to read than the network takes, which is how a stuck peer looks."""
    most_mb = _reap(server, fleet, 1000)
    vitals = Vitals(server)
    assert most_mb < 1000 * 0.2, "up to 64 KB waits for each, and as much again"
    _reap(server, fleet, 300)
    vitals.check(grown_mb=10)


def _reap(server: Server, fleet: Fleet, count: int) -> float:
    """So many vanish, and are gone. By how many MB the server had grown at most."""
    vitals, key, most_mb, frames = Vitals(server), fleet.company.key, 0.0, 0
    with (
        websocket_client(f"{server.ws_url}/live", additional_headers=bearer(key), max_size=None) as watcher,
        crowd(server, "/live?vanishing", count // 2, "", key),
        crowd(server, "/live?vanishing", count // 2, SUBSCRIBE, key, receive_buffer=4096),
        hurrying(server),
    ):
        watcher.send(SUBSCRIBE)
        while vitals.count_sockets() > vitals.sockets + 3:
            fleet.move()
            while fleet.moved not in {int(each["timestamp"]) - FIRST_S for each in seen(watcher)}:
                frames += 1
                assert frames < 10_000, "the sockets that nobody reads do not end"
            most_mb = max(most_mb, vitals.measure_mb())
    return most_mb - vitals.resident_mb


@contextmanager
def hurrying(server: Server) -> Iterator[None]:
    """Those who vanished are soon noticed, and those who begin something have little time for it."""
    signalled(server, signal.SIGUSR2, "in a hurry")
    try:
        yield
    finally:
        signalled(server, signal.SIGHUP, "in no hurry")


def signalled(server: Server, number: signal.Signals, words: str) -> str:
    """What the server logs when it has heard the signal, from these words on."""
    assert server.process is not None
    before = server.log.read_text().count(words)
    os.kill(server.process.pid, number)
    told = eventually(lambda: re.findall(rf"{words}.*\n", server.log.read_text())[before:])
    return str(told[0])


def seen(watcher: Any) -> list[dict[str, Any]]:
    told = msgspec.json.decode(watcher.recv(timeout=PATIENCE_S))
    return told["drivers"] if told["type"] == "positions" else []


def test_thousands_that_say_nothing_or_little_are_closed_and_others_are_served(server: Server) -> None:
    vitals = Vitals(server)
    with hurrying(server), ExitStack() as open_:
        silent = [open_.enter_context(connect(server)) for _ in range(2000)]
        heads = [open_.enter_context(connect(server)) for _ in range(300)]
        bodies = [open_.enter_context(connect(server)) for _ in range(300)]
        for one in heads:
            one.sendall(HEAD)
        for one in bodies:
            one.sendall(b"POST /driver/v1/positions HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{")
        over = threading.Event()

        def trickle() -> None:
            while not over.wait(0.3):
                for one in heads:
                    pour(one, [b"X: 1\r\n"])
                for one in bodies:
                    pour(one, [b" "])

        dripping = threading.Thread(target=trickle)
        dripping.start()
        try:
            served = cut_off = 0
            while not vitals.is_rid_of_all() or served < 20:
                try:
                    assert httpx.get(f"{server.url}/healthz").status_code == 200
                    served += 1
                except httpx.TransportError:  # this process, or the server, was stopped before the head was there
                    cut_off += 1
                assert served < 10_000 and cut_off < 10
        finally:
            over.set()
            dripping.join()
        assert len(silent) == 2000
    vitals.check()


def test_a_head_of_64_megabytes_is_refused_early(server: Server) -> None:
    vitals = Vitals(server)
    with connect(server) as one:
        pour(one, [HEAD + b"X: "] + [b"a" * (1 << 20)] * 64)
    with connect(server) as one:
        pour(one, [HEAD] + [b"X: 1\r\n" * 100_000] * 10)
    vitals.check(grown_mb=20)


def test_a_thousand_watchers_come_back_at_once_and_the_database_is_asked_for_each_company_once(server: Server) -> None:
    companies = [server.account() for _ in range(4)]
    for company in companies:
        fleet = [{"externalId": f"D{number}", "name": f"Driver {number}"} for number in range(20)]
        company.client.put("/api/fleet", json={"drivers": fleet})
    vitals = Vitals(server)
    asked = {}
    for count in (40, 1000):
        for company in companies:  # as after a restart: nothing is known any more, of the companies or of their keys
            company.client.put("/api/fleet", json={"drivers": [{"externalId": f"N{count}", "name": "New"}]})
        before = statements(server)
        with ExitStack() as open_:
            storm = [open_.enter_context(connect(server)) for _ in range(count)]
            for number, one in enumerate(storm):
                company = companies[number % len(companies)]
                one.sendall(handshake("/live", company.key))
            for one in storm:
                opened(one)
                one.sendall(text(SUBSCRIBE))
            for one in storm:
                heard = msgspec.json.decode(next_message(one))
                assert heard["type"] == "snapshot" and len(heard["drivers"]) >= 21
        asked[count] = statements(server) - before
        eventually(vitals.is_rid_of_all, within_s=60)
    assert asked[1000] < asked[40] + 20 * len(companies), asked
    vitals.check()


def statements(server: Server) -> int:
    """How many the database was asked so far."""
    told = signalled(server, signal.SIGUSR1, "statements so far: ")
    return int(told.split()[3])  # behind it may stand the request amid which the signal came
