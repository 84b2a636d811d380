"""The end of the process: what is under way is answered, what is stuck is left."""

import signal
import subprocess
import sys
import threading

import httpx

from tests.server.conftest import Serving, started_with


def test_a_request_under_way_is_answered(serving: Serving) -> None:
    answers: list[str] = []
    asking = threading.Thread(target=lambda: answers.append(httpx.get(f"{serving.address}/slow").text))
    asking.start()
    serving.says("asked")  # and answered 0.5 s later
    code, seconds = serving.stop()
    asking.join(timeout=60)
    assert answers == ["done"] and code == 0 and seconds < 30


def test_a_stuck_upload_does_not_hold_up_the_end() -> None:
    with started_with("run.DRAIN_SECONDS=1") as serving, serving.connect() as one:
        one.sendall(b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n123")
        code, seconds = serving.stop()
    assert code == 0 and seconds < 30


def test_an_interrupt_is_an_orderly_end_too(serving: Serving) -> None:
    serving.process.send_signal(signal.SIGINT)
    assert serving.process.wait(timeout=100) == 0
    serving.says("stopped in order")


def test_a_thread_that_hangs_holds_up_the_end_for_a_while_only_and_is_named() -> None:
    with started_with("hangs", "run.END_SECONDS=1") as serving:
        code, _ = serving.stop()
        assert code == 1
        serving.says("in hang")


def test_an_address_in_use_is_told_before_the_application_starts(serving: Serving) -> None:
    program = f"from backend import server; server.run(None, server.bind('127.0.0.1', {serving.port}))"
    second = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100)
    assert second.returncode == 1 and "Address already in use" in second.stderr
