"""What becomes of a server that is offered ten times what it can take?

One process on SQLite. First what it takes: so many phones that each send their next batch when the last is answered.
Then, from many more phones and without waiting for answers, half of that for a while, nearly all of that, ten times
that, and half again. Printed as ratios of one run: the memory of the server before, during and after; how many were
refused, how soon, and whether they were told when to come back; what was acknowledged and how long that took, against
half and nearly all of what it takes; and how soon all is as before.

Server and phones share the machine: on two cores the phones cannot send single positions ten times as fast as they are
stored, and what they could send is printed. So that it is not their own haste that is measured as the server's, a few
others send now and then all the while, from a process of its own that goes first where that is allowed: *bystanders*.

    python benchmarks/overload.py [--seconds 30] [--times 10] [--phones 1000] [--sizes 100,10,1] [--websockets 100]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from benchmarks._offering import SLICE_S
from benchmarks._servers import prepare, resident_kb, serving

Told = dict[str, Any]
STEADY_PHONES = 128
WARMING_S, STEADY_S = 3.0, 4.0
BYSTANDERS, BYSTANDERS_A_SECOND = 200, 100.0
NEARLY = 0.9


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=30.0, help="of the overload")
    options.add_argument("--times", type=float, default=10.0, help="what the server takes")
    options.add_argument("--phones", type=int, default=1000, help="connections from which the overload comes")
    options.add_argument("--sizes", default="100,10,1", help="positions in a batch")
    options.add_argument("--websockets", default="100", help="the same over websockets; empty for without")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tokens = prepare(Path(folder), asked.phones + BYSTANDERS)
        with serving(Path(folder), CODRIVER_LOG_LEVEL="WARNING") as served:
            under = Under(served.port, served.pid, tokens)
            for size in asked.sizes.split(","):
                under.press(int(size), asked.times, asked.seconds, sockets=False)
            if asked.websockets:
                under.press(int(asked.websockets), asked.times, asked.seconds, sockets=True)


class Under:
    """The server under pressure."""

    def __init__(self, port: int, pid: int, tokens: list[str]) -> None:
        self.port, self.pid, self.tokens = port, pid, tokens
        self.moment = 0

    def press(self, size: int, times: float, seconds: float, sockets: bool) -> None:
        # Warms up: a phone that is not known yet has to be looked up, so each sends once
        self.offer_beside(size, sockets, len(self.tokens) / WARMING_S, WARMING_S)
        takes = self.offer(size, sockets, 0, STEADY_S, STEADY_PHONES)
        rate = takes["statuses"]["200"] / takes["seconds"]
        half = self.offer_beside(size, sockets, rate / 2, STEADY_S)
        nearly = self.offer_beside(size, sockets, rate * NEARLY, STEADY_S)
        before_mb = resident_kb(self.pid) / 1024
        with Memory(self.pid) as memory:
            over = self.offer_beside(size, sockets, rate * times, seconds)
        after = self.offer_beside(size, sockets, rate / 2, STEADY_S)
        mb = [before_mb, *memory.seen_mb, resident_kb(self.pid) / 1024]
        what = f"{'websockets, ' if sockets else ''}batches of {size}"
        tell(what, size, rate, {"half": half, "nearly all": nearly, "over": over, "after": after}, mb)

    def offer(self, size: int, sockets: bool, rate: float, seconds: float, phones: int | None = None) -> Told:
        with self.offering(self.tokens[BYSTANDERS:][:phones], size, sockets, rate, seconds) as offering:
            return self.told(offering)

    def offer_beside(self, size: int, sockets: bool, rate: float, seconds: float) -> Told:
        """The same, and what the bystanders were told meanwhile."""
        asked = (self.tokens[:BYSTANDERS], size, sockets, BYSTANDERS_A_SECOND, seconds)
        with self.offering(*asked, nice=-10) as beside:
            told = self.offer(size, sockets, rate, seconds)
            return {**told, "beside": self.told(beside)}

    def offering(
        self, tokens: list[str], size: int, sockets: bool, rate: float, seconds: float, nice: int = 0
    ) -> "subprocess.Popen[str]":
        asked = {"port": self.port, "tokens": tokens, "size": size, "rate": rate, "seconds": seconds, "nice": nice}
        program = [sys.executable, str(Path(__file__).with_name("_offering.py"))]
        begun = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert begun.stdin is not None
        begun.stdin.write(json.dumps({**asked, "moment": self.moment, "sockets": sockets}))
        begun.stdin.close()
        return begun

    def told(self, offering: "subprocess.Popen[str]") -> Told:
        assert offering.stdout is not None
        told: Told = json.loads(offering.stdout.read())
        self.moment = max(self.moment, told["moment"])
        return told


def tell(what: str, size: int, rate: float, told: dict[str, Told], mb: list[float]) -> None:
    over = told["over"]
    sent, statuses, seconds = over["sent"], over["statuses"], over["seconds"]
    accepted, refused = statuses.get("200", 0), statuses.get("503", 0)
    others = {status: count for status, count in statuses.items() if status not in ("200", "503")}
    third = max(1, len(mb) // 3)
    print(f"\n{what}: takes {rate:,.0f} requests a second, {rate * size:,.0f} positions")
    print(
        f"  offered {(sent + over['unsent']) / seconds / rate:.1f} times that; sent, as the others waited for their "
        f"answers, {sent / seconds / rate:.1f} times; refused {refused / max(sent, 1):.2f} of them"
    )
    print(
        f"  other answers {others or 'none'}, without Retry-After {over['without_retry_after']}, broken off "
        f"{over['broken']}, unanswered {over['unanswered']} {over['example']}"
    )
    early = told["nearly all"]["statuses"].get("503", 0) / max(told["nearly all"]["sent"], 1)
    print(f"  acknowledged under it, over what it takes: {accepted / seconds / rate:.2f}")
    print(f"  refused at {NEARLY} of what it takes: {early:.3f}")
    refusals = over["refused_ms"] or {"p50": 0, "p99": 0}
    print(f"  a refusal came after {refusals['p50']:.0f} ms (median), {refusals['p99']:.0f} ms (p99)")
    tell_delays("what is acknowledged", told)
    tell_delays("the bystanders'", {load: each["beside"] for load, each in told.items()})
    print(
        f"  memory: {mb[0]:.0f} MB before, at most {max(mb):.0f} during, {mb[-1]:.0f} after; the last third over the "
        f"first {sum(mb[-third:]) / sum(mb[:third]):.2f}"
    )
    print(f"  all was taken again after {last(told['after']):.1f} s")


def tell_delays(whose: str, told: dict[str, Told]) -> None:
    """What was acknowledged at each load."""
    ms = {load: each["accepted_ms"] or {"p50": 0.0, "p99": 0.0} for load, each in told.items()}
    delays = ", ".join(f"{load} {each['p50']:.0f} and {each['p99']:.0f}" for load, each in ms.items())
    p99 = ms["over"]["p99"]
    print(
        f"  {whose}, median and p99 in ms: {delays}; p99 over that at half {p99 / max(ms['half']['p99'], 0.1):.1f}, at "
        f"nearly all {p99 / max(ms['nearly all']['p99'], 0.1):.1f}"
    )


def last(after: dict[str, Any]) -> float:
    """When the last one was refused."""
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
            self.seen_mb.append(resident_kb(self.pid) / 1024)


if __name__ == "__main__":
    main()
