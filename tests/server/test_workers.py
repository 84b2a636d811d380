"""Several processes behind one address, and the one that looks after them."""

import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from backend.server.workers import START_S
from tests.server.conftest import Serving, everything, started
from tests.server.test_sockets import closed, socket_at
from tests.serving import ROOT, eventually


@pytest.fixture
def many() -> Iterator[Serving]:
    with started("tests.server.many", "3") as one:
        yield one


@pytest.fixture
def strict() -> Iterator[Serving]:
    """One of them may give no sign of life for ten seconds."""
    with started("tests.server.many", "3", "10", "100") as one:
        yield one


def pids(serving: Serving) -> set[int]:
    """Who answers, each connection a new one."""
    return {int(httpx.get(serving.address).text) for _ in range(60)}  # so many that none of three is missed


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_connections_are_spread_and_all_end_in_order(many: Serving) -> None:
    waiting = [socket.create_connection(("127.0.0.1", many.port), timeout=100) for _ in range(120)]
    for one in waiting:
        one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answered = Counter(everything(one).rpartition(b"\r\n")[2] for one in waiting)
    assert len(answered) == 3 and max(answered.values()) < 80, answered
    code, seconds = many.stop()
    assert code == 0 and seconds < 30
    eventually(lambda: " ".join(many.lines.queue).count("stopped in order") == 3, what="the end of each in order")


def test_what_is_under_way_at_any_of_them_is_answered_and_sockets_are_told_to_come_back(many: Serving) -> None:
    answers: list[str] = []
    asking = [threading.Thread(target=lambda: answers.append(httpx.get(f"{many.address}/slow").text)) for _ in range(9)]
    with ExitStack() as open_:
        sockets = [open_.enter_context(socket_at(many, "/")) for _ in range(9)]
        for each in asking:
            each.start()
        eventually(lambda: " ".join(many.lines.queue).count("asked") == 9)
        code, seconds = many.stop()
        assert code == 0 and seconds < 30
        for each in asking:
            each.join(60)
        assert answers == ["done"] * 9
        assert [closed(each) for each in sockets] == [1012] * 9


def test_one_that_dies_is_replaced_and_the_others_serve_on(many: Serving) -> None:
    before = pids(many)
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    many.says("ended with signal 9")
    assert victim not in pids(many)
    eventually(lambda: len((now := pids(many)) - before) == 1 and len(now) == 3, within_s=100)
    assert many.stop()[0] == 0


def test_one_that_hangs_is_killed_and_replaced(strict: Serving) -> None:
    with socket.create_connection(("127.0.0.1", strict.port)) as one:
        one.sendall(b"GET /hang HTTP/1.1\r\nHost: x\r\n\r\n")
        victim = int(strict.says("hangs").split()[0])
        strict.says(f"({victim}) ended with signal 9")
    assert any("gave no sign of life" in line for line in strict.seen)
    eventually(lambda: len(_answering(strict) - {victim}) == 3, within_s=100)


def test_where_no_other_can_be_started_the_rest_serve_on_until_one_can() -> None:
    """As where one dies because the memory, or the number of processes, is at its end."""
    with started("tests.server.many", "2") as many:
        victim, other = sorted(pids(many))
        before = resource.prlimit(many.process.pid, resource.RLIMIT_NOFILE)
        most = 1 + max(int(number) for number in os.listdir(f"/proc/{many.process.pid}/fd"))
        resource.prlimit(many.process.pid, resource.RLIMIT_NOFILE, (most, before[1]))
        os.kill(victim, signal.SIGKILL)
        for _ in range(2):
            many.says("cannot be started (Too many open files); another begins in", within=100)
        assert _answering(many) == {other}
        resource.prlimit(many.process.pid, resource.RLIMIT_NOFILE, before)
        eventually(lambda: len(_answering(many)) == 2, within_s=100)
        assert many.stop()[0] == 0


def test_one_that_does_not_come_up_any_more_is_tried_more_and_more_slowly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time is in the log, the others serve on, and it comes as soon as it can."""
    spoilt = tmp_path / "spoilt"
    monkeypatch.setenv("SPOILT", str(spoilt))
    with started("tests.server.many", "2") as many:
        victim, other = sorted(pids(many))
        spoilt.touch()
        os.kill(victim, signal.SIGKILL)
        pauses = []
        for _ in range(4):
            line = many.says("another begins in", within=100)
            pauses.append(float(line.split()[-2]))
            assert _answering(many) == {other}
        assert pauses == [0.1, 0.2, 0.4, 0.8] and "exit code 7" in line
        spoilt.unlink()
        eventually(lambda: len(_answering(many)) == 2, within_s=100)
        assert many.stop()[0] == 0


def test_one_that_hangs_does_not_hold_up_the_end() -> None:
    with started("tests.server.many", "3", "100", "4") as many:
        everybody = pids(many)
        with socket.create_connection(("127.0.0.1", many.port)) as one:
            one.sendall(b"GET /hang HTTP/1.1\r\nHost: x\r\n\r\n")
            many.says("hangs")
            code, seconds = many.stop()
    assert code == 1 and seconds < 30, "it tells that not all ended in order"
    many.says("does not end and is killed")
    assert not any(lives(pid) for pid in everybody)


def test_all_may_be_stopped_for_a_while_and_go_on(strict: Serving) -> None:
    everybody = [strict.process.pid, *(before := pids(strict))]
    for pid in everybody:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(11)  # longer than one that hangs may
    for pid in reversed(everybody):  # who looks after them is the last, or it might see the others hang
        os.kill(pid, signal.SIGCONT)
    time.sleep(1)
    assert pids(strict) == before and strict.stop()[0] == 0


def test_all_end_when_their_parent_is_killed(many: Serving) -> None:
    children = pids(many)
    many.process.kill()
    many.process.wait()
    eventually(lambda: not any(lives(pid) for pid in children), within_s=100)


def test_an_interrupt_from_the_terminal_ends_all_in_order(many: Serving) -> None:
    for pid in (*pids(many), many.process.pid):
        os.kill(pid, signal.SIGINT)
    assert many.process.wait(timeout=100) == 0


def test_where_one_cannot_start_nothing_does() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.server.many", "2"],
        cwd=ROOT,
        env={**os.environ, "BROKEN": "1"},
        capture_output=True,
        text=True,
        timeout=START_S - 20,
    )
    assert ended.returncode == 7 and "serves on" not in ended.stdout
    assert "process 1 did not start" in ended.stderr


def test_several_processes_need_what_they_can_share(tmp_path: Path) -> None:
    serve = [sys.executable, "-m", "backend.cli", "serve", "--workers", "2", "--port", "0", "--data", str(tmp_path)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CODRIVER_")}
    ended = subprocess.run(serve, cwd=ROOT, env=clean, capture_output=True, text=True, timeout=100)
    assert ended.returncode == 1
    assert "ERR_WORKERS" in ended.stderr
    assert "CODRIVER_DATABASE_URL=postgresql://" in ended.stderr and "CODRIVER_REDIS_URL=redis://" in ended.stderr


def _answering(serving: Serving) -> set[int]:
    try:
        return {int(httpx.get(serving.address, timeout=60).text) for _ in range(40)}
    except httpx.HTTPError:
        return set()
