"""How a run ends that is broken off, or whose server or processes fail: by itself, and with words that are true."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from msgspec.structs import replace
from rich.console import Console

from simulator import fleet
from simulator.fleet import simulate
from simulator.options import Options
from tests.processes import children, gone
from tests.serving import ROOT
from tests.simulator.days import DATE
from tests.simulator.recorder import Recorder

WITHIN_S = 100.0


class Sullen(Recorder):
    """Answers what the office asks at ``path`` with 500, or never; ``asked`` is set by then."""

    def __init__(self, path: str = "", status: int | None = None) -> None:
        super().__init__(drivers=2, stops=1)
        self._path, self._status = path, status
        self.asked, self.quiet = asyncio.Event(), True

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        if self._path and scope["path"].endswith(self._path) and (self.sent or not self.quiet):
            self.asked.set()
            if self._status is None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                return
        await super()._app(scope, receive, send)

    def _answer(self, scope: Any, headers: dict[str, str], content: bytes) -> tuple[int, dict[str, str], bytes]:
        if self._status and self._path and scope["path"].endswith(self._path) and self.sent:
            return self._status, {}, b"{}"
        return super()._answer(scope, headers, content)


@asynccontextmanager
async def running(url: str, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The simulator's own command, killed at last."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "backend.cli", "simulate", "--url", url, "--key", "k", "--date", DATE, *options),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(WITHIN_S):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def said(process: asyncio.subprocess.Process) -> str:
    out, _ = await process.communicate()
    assert b"Traceback" not in out, out.decode()
    return out.decode()


async def until(true: Callable[[], Any]) -> None:
    while not true():
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_before_anybody_drives_a_run_ends_at_once(number: signal.Signals):
    server = Sullen("/api/drivers")
    server.quiet = False
    async with server.running(), running(server.url) as process:
        await server.asked.wait()
        process.send_signal(number)
        assert "ended before anybody drove" in await said(process) and process.returncode == 1


async def test_who_does_not_wait_for_the_comparison_either_ends_it_by_asking_again():
    server = Sullen("/track")
    async with server.running(), running(server.url, "--speed", "100000", "--verify") as process:
        await server.asked.wait()
        process.send_signal(signal.SIGINT)

        async def again() -> None:
            while process.returncode is None:
                process.send_signal(signal.SIGINT)
                await asyncio.sleep(0.2)

        _, told = await asyncio.gather(again(), said(process))
        assert "told nothing" in told and process.returncode == 130


async def test_what_cannot_be_compared_is_reported_as_such(tmp_path: Path):
    server, report = Sullen("/track", status=500), tmp_path / "report.json"
    options = ("--speed", "100000", "--verify", "--report", str(report))
    async with server.running(), running(server.url, *options) as process:
        told = await said(process)
    found = json.loads(report.read_text())
    assert process.returncode == 1 and not found["ok"] and not found["verified"], told
    assert found["positions"]["acknowledged"] == found["positions"]["sent"] > 0
    assert "could not be compared" in told and "HTTP 500" in "".join(found["troubles"])


async def test_there_may_be_more_processes_than_drivers():
    server = Recorder(drivers=2, stops=1)
    async with server.running(), running(server.url, "--speed", "100000", "--processes", "3") as process:
        told = await said(process)
    assert process.returncode == 0 and "2 drivers" in told, told


async def test_the_processes_of_a_run_end_their_day_when_the_one_that_began_them_is_told_to(tmp_path: Path):
    server, report = Recorder(drivers=2, stops=1), tmp_path / "report.json"
    options = ("--speed", "2", "--processes", "2", "--report", str(report))
    async with server.running(), running(server.url, *options) as process:
        await until(lambda: len({device for device, _ in server.sent}) == 2)
        process.send_signal(signal.SIGINT)
        told = await said(process)
    found = json.loads(report.read_text())
    assert process.returncode == 0 and found["ok"] and found["drivers"] == 2, told


async def test_no_process_of_a_run_outlives_the_one_that_began_it(tmp_path: Path):
    server, state = Recorder(drivers=2, stops=1), tmp_path / "run.jsonl"
    async with (
        server.running(),
        running(server.url, "--speed", "2", "--processes", "2", "--state", str(state)) as process,
    ):
        await until(lambda: len({device for device, _ in server.sent}) == 2)
        driving = children(process.pid, b"spawn_main")
        assert len(driving) == 2
        process.kill()
        await process.wait()
        await until(lambda: all(map(gone, driving)))


async def test_a_run_ends_with_one_of_its_processes():
    server = Recorder(drivers=2, stops=1)
    async with server.running(), running(server.url, "--speed", "2", "--processes", "2") as process:
        await until(lambda: len({device for device, _ in server.sent}) == 2)
        os.kill(children(process.pid, b"spawn_main")[0], signal.SIGKILL)
        assert "was killed" in await said(process) and process.returncode == 1


async def test_a_state_file_in_which_nothing_was_sent_yet_is_only_compared(tmp_path: Path):
    server, state = Recorder(drivers=2, stops=1), tmp_path / "run.jsonl"
    async with server.running():
        async with running(server.url, "--speed", "100000", "--state", str(state)) as process:
            await said(process)
        begun = [
            line for line in state.read_text().splitlines(True) if '"type":"run"' in line or '"type":"phone"' in line
        ]
        state.write_text("".join(begun))
        server.sent.clear()
        async with running(server.url, "--speed", "100000", "--state", str(state), "--verify") as process:
            told = await said(process)
        assert not server.sent, told
        async with running(server.url, "--speed", "100000", "--state", str(state), "--resume") as process:
            await said(process)
        assert server.sent


async def test_a_run_that_ended_before_all_had_logged_in_begins_anew_when_it_goes_on(tmp_path: Path):
    server, state = Recorder(drivers=2, stops=1), tmp_path / "run.jsonl"
    options = ("--speed", "100000", "--state", str(state))
    async with server.running():
        async with running(server.url, *options) as process:
            await said(process)
        whole = state.read_bytes()
        state.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]))
        server.sent.clear()
        async with running(server.url, *options, "--verify") as process:
            assert "--resume begins it anew" in await said(process) and process.returncode == 1 and not server.sent
        async with running(server.url, *options, "--resume") as process:
            told = await said(process)
    assert process.returncode == 0 and len(state.read_bytes().splitlines()) == len(whole.splitlines()), told


class Told(asyncio.Event):
    """Somebody asked for the end as the first message was about to be sent."""

    async def wait(self) -> Literal[True]:
        await asyncio.Event().wait()
        return True


async def test_who_goes_on_and_ends_at_once_knows_all_that_was_done_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Of what was sent earlier only the first was known then: all else was told as done by nobody."""
    server, state = Recorder(drivers=2, stops=1), tmp_path / "run.jsonl"
    ending = Told()
    ending.set()
    async with server.running(), asyncio.timeout(WITHIN_S):
        options = Options(url=server.url, key="k", date=DATE, speed=100_000.0, state=state)
        whole = await simulate(options, Console(quiet=True))
        monkeypatch.setattr(fleet, "SHOWN_EVERY_S", 0.0)
        again = await simulate(replace(options, resume=True), Console(quiet=True), ending)
    for thing in ("positions", "actions", "attachments"):
        assert again[thing] == whole[thing] and whole["actions"]["sent"] > 10


async def test_a_run_goes_on_where_its_server_is_now(tmp_path: Path):
    first, second, state = Recorder(drivers=2, stops=1), Recorder(drivers=2, stops=1), tmp_path / "run.jsonl"
    options = ("--state", str(state), "--resume")
    async with first.running(), running(first.url, "--speed", "2", *options) as process:
        await until(lambda: first.sent)
        process.kill()
        await process.wait()
    async with second.running(), running(second.url, "--speed", "100000", *options) as process:
        told = await said(process)
    assert process.returncode == 0 and second.sent, told
