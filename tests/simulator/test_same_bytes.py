"""The same seed and scenario put the same bytes on the wire, whatever the speed, the processes and Python's own chance.

Over a websocket they come in the same order too; over HTTP a phone has several connections, and which of them is free
hangs on the answers.
"""

import asyncio
import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.serving import ROOT
from tests.simulator.days import DATE
from tests.simulator.recorder import Recorder

Sent = dict[tuple[str, str], list[bytes]]
EVERYTHING = """
reporting = {batch = 4}
clock = {offset_s = [-120, 120]}
outcome = {failed = 0.2, rejected = 0.1}
proof = {photo = 0.5, barcode_trouble = 0.3, later = 0.3, resumable = 0.5}
habits = {forgotten_start = 0.2, early_success = 0.2, late_start = 0.5, breaks_per_day = 2}
devices = {second = 0.5, dying = 0}
[network]
delay_s = [[0, 0], [0.5, 1], [1, 90]]
gaps_per_hour = 2
gap_s = [30, 900]
duplicates = 0.2
reordering = 0.2
lost_answers = 0.2
[app]
restarts_per_day = """


async def sent(folder: Path, scenario: str, transport: str, speed: int, processes: int, hashes: int) -> Sent:
    """What four phones send in a whole day of two stops."""
    recorder = Recorder(drivers=4, stops=2)
    file = folder / "scenario.toml"
    file.write_text(scenario)
    async with recorder.running():
        command = [sys.executable, "-m", "backend.cli", "simulate", "--url", recorder.url, "--key", "k", "--date", DATE]
        chance = ["--seed", "11", "--scenario", str(file), "--transport", transport]
        running = await asyncio.create_subprocess_exec(
            *[*command, *chance, "--speed", str(speed), "--processes", str(processes)],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": str(hashes)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(200):
                out, trouble = await running.communicate()
        finally:
            if running.returncode is None:
                running.kill()
                await running.wait()
    assert recorder.sent, (out + trouble).decode()[-3000:]
    return recorder.sent


@pytest.mark.parametrize("transport", ["http", "ws"])
async def test_two_runs_send_the_same_at_any_speed_in_any_number_of_processes(tmp_path: Path, transport: str):
    one = await sent(tmp_path, EVERYTHING + "0", transport, 3000, 1, hashes=1)
    two = await sent(tmp_path, EVERYTHING + "0", transport, 12000, 2, hashes=2)
    assert len({device.partition("/")[0] for device, _ in one}) == 4 and set(one) == set(two)
    for place, messages in one.items():
        assert Counter(messages) == Counter(two[place]), place
        if place[1] == "socket":
            assert list(dict.fromkeys(messages)) == list(dict.fromkeys(two[place])), place
    assert max(Counter(message for messages in one.values() for message in messages).values()) > 1


async def test_apps_that_are_killed_send_the_same_things_however_often(tmp_path: Path):
    text = EVERYTHING + "40"
    one = await sent(tmp_path, text, "ws", 3000, 1, hashes=3)
    two = await sent(tmp_path, text, "ws", 8000, 1, hashes=4)
    assert set(one) == set(two)
    for place, messages in one.items():
        if "upload" not in place[1]:
            assert set(messages) == set(two[place]), place
