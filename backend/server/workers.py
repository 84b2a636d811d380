"""Several processes that serve one address, and the one that looks after them.

Each binds the address itself with SO_REUSEPORT: the kernel spreads connections evenly over those that listen, and
one that dies leaves nothing behind in which a client could wait. (One listener for all, as uvicorn's own supervisor has
it, gives most of a storm to whoever is awake: of 400 clients at once, 349 went to one of four processes.)
Else it is the same: children are spawned, one that dies is replaced, SIGTERM and SIGINT are passed on. What differs:

* a sign of life comes from the event loop itself and not from a thread beside it: one whose loop hangs is replaced;
* one that cannot start ends everything only at the beginning; later, it may be a database that is away for a minute,
  and it is tried again, more and more slowly;
* children end, in order, when their parent is killed.
"""

import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Any

BEAT_S = 1.0
"""Between two signs of life of a process."""
HUNG_S = 30.0
"""Without one, a process is killed."""
START_S = 120.0
"""The same, until it serves."""
STOP_S = 12.0
"""After SIGTERM, a process is killed."""
LIVED_S = 60.0
"""Who lived so long is replaced at once; who did not, after a pause that doubles."""
PAUSE_S = (0.5, 30.0)

log = logging.getLogger("codriver.server")
_spawn = multiprocessing.get_context("spawn")  # a fork would share locks, threads and random numbers

Work = Callable[[int, "Pulse"], None]


class Pulse:
    """A process's line to its parent: that it serves, and that it lives."""

    def __init__(self, line: Connection) -> None:
        self._line = line
        os.set_blocking(line.fileno(), False)

    def beat(self) -> None:
        try:
            os.write(self._line.fileno(), b".")
        except OSError:  # a parent that reads nothing, or is no more
            return


class _Worker:
    """A place for a process, and the one that has it now."""

    def __init__(self, number: int, work: Work) -> None:
        self.number = number
        self._work = work
        self.process: Any = None
        self.line: Connection | None = None
        self.serves = False
        self.started_at = self.beat_at = self.due_at = 0.0
        self._pause_s = PAUSE_S[0]

    def start(self) -> None:
        """Raises OSError where the machine has no process or no file left for it."""
        line, theirs = _spawn.Pipe(duplex=False)
        process = _spawn.Process(target=_begin, args=(self._work, self.number, theirs), name=f"worker {self.number}")
        try:
            process.start()
        except BaseException:
            line.close()
            raise
        finally:
            theirs.close()
        self.line, self.process = line, process
        self.serves = False
        self.started_at = self.beat_at = time.monotonic()

    def hear(self) -> None:
        assert self.line is not None
        if os.read(self.line.fileno(), 4096):
            self.serves, self.beat_at = True, time.monotonic()
        else:
            self.line.close()
            self.line = None

    def hangs(self) -> bool:
        return self.process is not None and time.monotonic() - self.beat_at > (HUNG_S if self.serves else START_S)

    def replace(self) -> None:
        """Those that serve go on also where no other can be had for now."""
        try:
            self.start()
        except OSError as error:
            self._rest(f"process {self.number} cannot be started ({error.strerror})")

    def bury(self) -> None:
        """It has ended: when will another take its place?"""
        code, pid = self.process.exitcode, self.process.pid
        self.process.close()
        self.process = None
        if self.line is not None:
            self.line.close()
            self.line = None
        if time.monotonic() - self.started_at > LIVED_S:
            self._pause_s = PAUSE_S[0]
        cause = f"signal {-code}" if code < 0 else f"exit code {code}"
        self._rest(f"process {self.number} ({pid}) ended with {cause}")

    def _rest(self, what: str) -> None:
        self.due_at = time.monotonic() + self._pause_s
        log.error("%s; another begins in %.1f s", what, self._pause_s)
        self._pause_s = min(2 * self._pause_s, PAUSE_S[1])


def run_many(work: Work, count: int, serving: Callable[[], None]) -> int:
    """``work(number, pulse)`` in so many processes until SIGTERM or SIGINT; the exit code, 0 where all ended in order.

    ``work`` serves until SIGTERM and calls ``pulse.beat`` each ``BEAT_S`` from when it serves. It is found again by its
    name in the new process. ``serving`` is called once, when all serve. Where one does not come that far, all are
    stopped and the code is its own.
    """
    workers = [_Worker(number, work) for number in range(count)]
    asked: list[int] = []
    with _Signals(asked) as woken:
        try:
            return _run(workers, asked, woken, serving)
        finally:
            for worker in workers:
                if worker.process is not None and worker.process.exitcode is None:
                    worker.process.kill()


def _run(workers: list[_Worker], asked: list[int], woken: socket.socket, serving: Callable[[], None]) -> int:
    for worker in workers:
        worker.start()
    while not asked and not all(worker.serves for worker in workers):
        _listen(workers, woken)
        for worker in workers:
            if worker.hangs():
                worker.process.kill()
            if worker.process.exitcode is not None:
                code = worker.process.exitcode
                log.error("process %d did not start", worker.number)
                _stop(workers, asked, woken)
                return int(code) if code > 0 else 1
    if not asked:
        serving()
    looked_at = time.monotonic()
    while not asked:
        _listen(workers, woken)
        if time.monotonic() - looked_at > 5 * BEAT_S:  # it is we who were stopped, maybe all of us
            for worker in workers:
                worker.beat_at = time.monotonic()
        looked_at = time.monotonic()
        _look_after(workers)
    return _stop(workers, asked, woken)


def _look_after(workers: list[_Worker]) -> None:
    for worker in workers:
        if worker.process is None:
            if time.monotonic() >= worker.due_at:
                worker.replace()
        elif worker.process.exitcode is not None:
            worker.bury()
        elif worker.hangs():
            log.error("process %d gave no sign of life and is killed", worker.number)
            worker.process.kill()


def _stop(workers: list[_Worker], asked: list[int], woken: socket.socket) -> int:
    """SIGTERM to all, SIGKILL to who is left after a while, or at once where the user asks again by SIGINT."""
    running = [worker for worker in workers if worker.process is not None]
    for worker in running:
        worker.process.terminate()
    deadline, before = time.monotonic() + STOP_S, asked.count(signal.SIGINT)
    while any(worker.process.exitcode is None for worker in running):
        impatient = time.monotonic() > deadline or asked.count(signal.SIGINT) > max(1, before)
        for worker in running:
            if impatient and worker.process.exitcode is None:
                log.error("process %d does not end and is killed", worker.number)
                worker.process.kill()
        _listen(running, woken)
    in_order = (0, -signal.SIGTERM)  # the latter before it served
    return 0 if all(worker.process.exitcode in in_order for worker in running) else 1


def _listen(workers: list[_Worker], woken: socket.socket) -> None:
    """Until a process ends or gives a sign of life, a signal comes, or a moment is over."""
    lines = {worker.line: worker for worker in workers if worker.line is not None}
    ends = [
        worker.process.sentinel for worker in workers if worker.process is not None and worker.process.exitcode is None
    ]
    for ready in wait([*lines, *ends, woken], timeout=BEAT_S / 2):
        if ready is woken:
            woken.recv(4096)
        elif isinstance(ready, Connection):
            lines[ready].hear()


class _Signals:
    """SIGTERM and SIGINT are noted, and wake who waits for the socket."""

    def __init__(self, asked: list[int]) -> None:
        self._asked = asked

    def __enter__(self) -> socket.socket:
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)
        self._before = {
            each: signal.signal(each, lambda number, _frame: self._asked.append(number))
            for each in (signal.SIGTERM, signal.SIGINT)
        }
        self._woken_before = signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
        return self._read

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._woken_before)
        for each, before in self._before.items():
            signal.signal(each, before)
        self._read.close()
        self._write.close()


def _begin(work: Work, number: int, line: Connection) -> None:
    """In the new process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # until it serves: the parent decides
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    work(number, Pulse(line))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_S)
    os._exit(1)
