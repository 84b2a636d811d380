"""The program that starts a server for a load test."""

import subprocess
import sys
from pathlib import Path

from tests.serving import ROOT, eventually


def children(pid: int) -> list[int]:
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if int((place / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(place.name))
        except OSError:
            continue
    return found


def gone(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_the_server_of_a_load_test_that_is_killed_ends_with_it():
    command = [sys.executable, "-m", "loadtests.run", "--locust", "true"]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout is not None and "planning" in running.stdout.readline()
        (server,) = children(running.pid)
    finally:
        running.kill()
        running.wait(60)
    eventually(lambda: gone(server), within_s=90, what="the end of its server")
