"""Crowds of watchers and fleets of phones in processes of their own, and what they tell."""

import json
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from benchmarks._servers import importing
from benchmarks.watching import phones


class Process:
    """A crowd or a fleet in a process of its own."""

    def __init__(self, program: str, **asked: Any) -> None:
        command = [sys.executable, "-m", f"benchmarks.watching.{program}"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=importing()
        )
        self.say(json.dumps(asked))

    def say(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self) -> Any:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a process of the benchmark ended")
        return json.loads(line)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def process(program: str, **asked: Any) -> Iterator[Process]:
    """Running and joined."""
    started = Process(program, **asked)
    try:
        started.hear()
        yield started
    finally:
        started.end()


def boxes(count: int, share: float, seed: int = 1) -> list[tuple[float, float, float, float]]:
    """Boxes of the town that each hold about this share of the fleet."""
    chance = random.Random(seed)
    wide, high = (phones.EAST - phones.WEST) * share**0.5, (phones.NORTH - phones.SOUTH) * share**0.5
    corners = [
        (chance.uniform(phones.WEST, phones.EAST - wide), chance.uniform(phones.SOUTH, phones.NORTH - high))
        for _ in range(count)
    ]
    return [(west, south, west + wide, south + high) for west, south in corners]


def quantile(numbers: Sequence[float], share: float) -> float:
    return sorted(numbers)[min(len(numbers) - 1, int(len(numbers) * share))]


def quantiles(numbers: Sequence[float]) -> str:
    if not numbers:
        return "nothing came"
    return f"p50 {quantile(numbers, 0.5):.0f} ms, p99 {quantile(numbers, 0.99):.0f} ms, max {max(numbers):.0f} ms"
