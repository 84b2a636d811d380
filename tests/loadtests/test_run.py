"""The program that starts a server for a load test."""

import subprocess
import sys

from tests.processes import children, gone
from tests.serving import ROOT, eventually


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
