"""One planning job, as the program of a process of its own: ``python -m backend.planning.jobprocess MEMORY_BYTES``.

In, on standard input: the problem as a frame (four bytes of length, big-endian, then msgpack), and later one byte to
stop with the best plan so far. The end of the input means that the parent is gone: the process leaves at once.
Out, on standard output: frames with :data:`Message`. The last is ``Found`` or ``Failed``.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import sys
import traceback
from collections.abc import Callable
from typing import BinaryIO

import msgspec

from backend.planning import draft, matrix
from backend.planning.checker import violations
from backend.planning.problem import Plan, Problem

Solve = Callable[[Problem, Callable[[], bool], Callable[[int], None]], Plan]

NICENESS = 5
"""Planning gives way to the server that started it."""


class Percent(msgspec.Struct, frozen=True, tag=True):
    """How far the job is; the first one says that the work begins."""

    percent: int


class Found(msgspec.Struct, frozen=True, tag=True):
    """The plan, checked."""

    plan: Plan


class Failed(msgspec.Struct, frozen=True, tag=True):
    """There is no plan, and why."""

    reason: str


Message = Percent | Found | Failed

encode = msgspec.msgpack.Encoder().encode
decode_message = msgspec.msgpack.Decoder(Message).decode
_decode_problem = msgspec.msgpack.Decoder(Problem).decode


def frame(body: bytes) -> bytes:
    """A body with its length in front."""
    return len(body).to_bytes(4, "big") + body


def main() -> None:
    with contextlib.suppress(ValueError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]), int(sys.argv[1])))
    os.nice(NICENESS)
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever the solver prints must not get between the frames
    source = os.fdopen(0, "rb", buffering=0)

    def tell(message: Message) -> None:
        out.write(frame(encode(message)))
        out.flush()

    from backend.planning import search  # this takes its time, and the parent never needs it

    problem = _decode_problem(_read(source, int.from_bytes(_read(source, 4), "big")))
    tell(Percent(0))
    try:
        tell(plan(search.solve, problem, lambda: _stopped(source), lambda percent: tell(Percent(percent))))
    except MemoryError:
        tell(Failed("Planning needs more memory than it may have."))


def plan(solve: Solve, problem: Problem, stop: Callable[[], bool], progress: Callable[[int], None]) -> Found | Failed:
    """The plan of a search if it stands the check, else the plan of insertion alone if that one does."""
    try:
        found = solve(problem, stop, progress)
        broken = violations(problem, found)
    except Exception:
        traceback.print_exc()
        broken = ["The search has failed."]
    if broken:
        print("The plan of the search is not used:", *broken[:10], file=sys.stderr)
        tables = matrix.travel(problem)
        choices = draft.choices(problem, tables)
        found = draft.plan(problem, tables, choices, draft.greedy(problem, tables, choices))
        broken = violations(problem, found)
    return Failed(f"The plan breaks rules: {' '.join(broken[:3])}") if broken else Found(found)


def _read(source: BinaryIO, size: int) -> bytes:
    body = b""
    while len(body) < size:
        part = source.read(size - len(body))
        if not part:
            sys.exit("The problem was cut short.")
        body += part
    return body


def _stopped(source: BinaryIO) -> bool:
    if not select.select([source], [], [], 0)[0]:
        return False
    if not source.read(1):
        os._exit(1)
    return True


if __name__ == "__main__":
    main()
