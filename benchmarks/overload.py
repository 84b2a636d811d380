"""What becomes of a server that is offered ten times what it can take?

One process on SQLite. First what it takes: so many phones that each send their next batch when the last is answered.
Then, from many more phones and without waiting for answers, half of that for a while, ten times that, and half again.
Printed as ratios of one run: the memory of the server before, during and after; how many were refused, how soon, and
whether they were told when to come back; what was acknowledged and how long that took, against half the load; and how
soon all is as before. Server and phones share the machine: on two cores the phones cannot send single positions ten
times as fast as they are stored, and what they could send is printed.

    python benchmarks/overload.py [--seconds 30] [--times 10] [--phones 2000] [--sizes 100,10,1]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from _offering import SLICE_S
from _phones import prepare, serving

STEADY_PHONES = 128
STEADY_S = 4.0
SOON_MS = 100.0
FLAT = 1.25
"""Memory is flat where its last third is no more than so many times its first third, and the peak within 64 MB."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=30.0, help="of the overload")
    options.add_argument("--times", type=float, default=10.0, help="what the server takes")
    options.add_argument("--phones", type=int, default=2000, help="connections from which the overload comes")
    options.add_argument("--sizes", default="100,10,1", help="positions in a batch")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tokens = prepare(Path(folder), asked.phones)
        with serving(Path(folder), CODRIVER_LOG_LEVEL="WARNING") as served:
            under = Under(served.port, served.pid, tokens)
            for size in asked.sizes.split(","):
                under.press(int(size), asked.times, asked.seconds)


class Under:
    """The server under pressure."""

    def __init__(self, port: int, pid: int, tokens: list[str]) -> None:
        self.port, self.pid, self.tokens = port, pid, tokens
        self.moment = 0

    def press(self, size: int, times: float, seconds: float) -> None:
        self.offer(size, 0, 1.0, STEADY_PHONES)  # warms up
        takes = self.offer(size, 0, STEADY_S, STEADY_PHONES)
        rate = takes["statuses"]["200"] / takes["seconds"]
        half = self.offer(size, rate / 2, STEADY_S)
        before_mb = memory_mb(self.pid)
        with Memory(self.pid) as memory:
            over = self.offer(size, rate * times, seconds)
        after = self.offer(size, rate / 2, STEADY_S)
        tell(size, rate, half, over, after, [before_mb, *memory.seen_mb, memory_mb(self.pid)])

    def offer(self, size: int, rate: float, seconds: float, phones: int | None = None) -> dict[str, Any]:
        asked = {"port": self.port, "tokens": self.tokens[:phones], "size": size, "rate": rate, "seconds": seconds}
        program = [sys.executable, str(Path(__file__).with_name("_offering.py"))]
        done = subprocess.run(
            program, input=json.dumps({**asked, "moment": self.moment}), capture_output=True, text=True, check=True
        )
        told: dict[str, Any] = json.loads(done.stdout)
        self.moment = told["moment"]
        return told


def tell(size: int, rate: float, half: dict[str, Any], over: dict[str, Any], after: dict[str, Any], mb: list[float]):
    sent, statuses, seconds = over["sent"], over["statuses"], over["seconds"]
    accepted, refused = statuses.get("200", 0), statuses.get("503", 0)
    others = {status: count for status, count in statuses.items() if status not in ("200", "503")}
    during = mb[1:-1]
    print(f"\nbatches of {size}: takes {rate:,.0f} requests a second ({rate * size:,.0f} positions)")
    told = f"broken off {over['broken']}, unanswered {over['unanswered']} {over['example']}"
    print(
        f"  offered {(sent + over['unsent']) / seconds / rate:.1f} times that, sent {sent / seconds / rate:.1f} times;"
        f" {refused / max(sent, 1):.2f} answered 503, {over['without_retry_after']} of them without Retry-After;"
        f" other answers {others or 'none'}, {told}"
    )
    print(f"  memory: {mb[0]:.0f} MB before, {during[0]:.0f} to {max(during):.0f} during, {mb[-1]:.0f} after")
    print(f"  503 after: {over['refused_ms']} ms")
    print(f"  200 after: {over['accepted_ms']} ms; at half the rate {half['accepted_ms']} {half['statuses']}")
    print(f"  acknowledged under overload over what it takes: {accepted / seconds / rate:.2f}")
    print(
        f"  afterwards, at half the rate: {after['accepted_ms']} {after['statuses']}; last 503 at {last(after):.1f} s"
    )


def last(after: dict[str, Any]) -> float:
    return max((number + 1 for number, count in enumerate(after["slices"]["503"]) if count), default=0) * SLICE_S


class Memory:
    """The resident memory of a process, sampled while something else goes on."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.seen_mb: list[float] = []
        self.over = threading.Event()

    def __enter__(self) -> "Memory":
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    def _watch(self) -> None:
        while not self.over.wait(0.25):
            self.seen_mb.append(memory_mb(self.pid))


def memory_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
