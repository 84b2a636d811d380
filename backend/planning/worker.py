"""Planning jobs in processes of their own, used from asyncio.

Each job is one fresh interpreter (``python -m backend.planning.jobprocess``): a problem goes in on its standard input,
percents and at last a plan come out on its standard output, all msgpack with a length in front. A process may be killed
at any time, by the system or by us, and costs nothing but its own job.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import inspect
import itertools
import logging
import os
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context, copy_context
from pathlib import Path
from typing import Literal

import msgspec

import backend
from backend.planning import jobprocess
from backend.planning.problem import Plan, Problem, budget

Status = Literal["N", "R", "F", "C", "E"]
"""New (waiting for its turn), running, finished, cancelled by the user, error."""

MEMORY_BYTES = 4 << 30
"""The address space of a job's process, most of which it never touches."""
START_S = 60.0
"""What a process may take to begin, on a machine that is busy."""
GRACE_S = 60.0
"""What a job may take beyond its budget before it is killed. This is time by the clock, and has to be enough for a
process that hardly gets the processor: its plan would be lost."""
STOP_S = 10.0
"""The same after it was asked to stop, when somebody waits."""
WORDS_BYTES = 8192
"""How much of what a process says is logged."""

log = logging.getLogger(__name__)


class Job:
    """One planning, as its starter sees it. Only the planner changes it.

    ``plan`` is there with "F", and with "C" where something was found in time; ``reason``, a sentence, with "E".
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.status: Status = "N"
        self.percent = 0
        self.reason: str | None = None
        self.plan: Plan | None = None

    def __repr__(self) -> str:
        return f"<Job {self.number} {self.status} {self.percent}%>"


Done = Callable[[Job], Awaitable[None] | None]
Trace = Callable[[int, int], Callable[[str], None] | None]


def share_of_cores(processes: int) -> int:
    """How many jobs each of so many processes may run at once: together all cores but one, and each at least one."""
    return max(1, ((os.cpu_count() or 1) - 1) // processes)


class Planner:
    """Runs planning jobs, at most ``max_jobs`` at once (default: all cores but one), the others waiting in order.

    ``trace`` is asked for each, by its stops and vehicles, whether anybody wants to be told of the status it ends with.
    """

    def __init__(
        self, max_jobs: int | None = None, memory_bytes: int = MEMORY_BYTES, trace: Trace | None = None
    ) -> None:
        self._trace = trace
        self._max_jobs = max_jobs or share_of_cores(1)
        self._memory_bytes = memory_bytes
        self._numbers = itertools.count(1)
        self.ended: dict[Status, int] = {"F": 0, "C": 0, "E": 0}  # how many jobs, by what became of them
        self._waiting: deque[_Run] = deque()
        self._running: set[_Run] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def running(self) -> int:
        """How many jobs are planned now."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How many jobs wait for their turn."""
        return len(self._waiting)

    async def start(self) -> None:
        """Begin to accept jobs."""
        self._closed = False

    async def close(self) -> None:
        """End every job, with "E", and return when no process and no call of ``done`` is left."""
        self._closed = True
        while self._waiting:
            run = self._waiting.popleft()
            self._spawn(self._finish(run, _shut_down()), run.context)
        for run in self._running:
            run.kill()
        while self._tasks:
            await asyncio.wait(self._tasks)

    def submit(self, problem: Problem, done: Done) -> Job:
        """Accept a job and return at once. Raises RuntimeError when closed.

        ``done`` is called once, in the event loop, with a copy of the job as it ended. The job itself shows its end
        only after that: what ``done`` saves is there for whoever polls the job.
        """
        if self._closed:
            raise RuntimeError("The planner is closed.")
        run = _Run(Job(next(self._numbers)), jobprocess.encode(problem), budget(problem), done)
        run.trace = self._trace and self._trace(len(problem.stops), len(problem.vehicles))
        self._waiting.append(run)
        self._next()
        return run.job

    def stop(self, job: Job) -> bool:
        """Ask for the best plan so far. False where the job has ended, or is ending, already."""
        for run in self._waiting:
            if run.job is job:
                self._waiting.remove(run)
                self._spawn(self._finish(run, _Ending("C")), run.context)
                return True
        for run in self._running:
            if run.job is job and not run.ended:
                run.stop()
                return True
        return False

    def _next(self) -> None:
        while self._waiting and len(self._running) < self._max_jobs:
            run = self._waiting.popleft()
            run.job.status = "R"
            self._running.add(run)
            self._spawn(self._serve(run), run.context)

    async def _serve(self, run: _Run) -> None:
        try:
            ending = await run.work(self._memory_bytes, lambda: self._closed)
        except OSError as error:
            ending = _Ending("E", reason=f"The planning process could not be started: {error.strerror}.")
        except Exception:  # else the job never ended, and none after it had its place
            log.exception("job %d could not be spoken to", run.job.number)
            ending = _Ending("E", reason="The planning process could not be spoken to.")
        finally:
            run.ended = True
        self._running.discard(run)
        self._next()
        await self._finish(run, _shut_down() if self._closed and ending.plan is None else ending)

    async def _finish(self, run: _Run, ending: _Ending) -> None:
        job = copy.copy(run.job)
        job.status, job.plan, job.reason = ending.status, ending.plan, ending.reason
        job.percent = 100 if job.status == "F" else job.percent
        if job.status == "E":
            log.warning("job %d has failed: %s", job.number, job.reason)
        try:
            answer = run.done(job)
            if inspect.isawaitable(answer):
                await answer
        except Exception:
            log.exception("the plan of job %d could not be saved", job.number)
            job.status, job.plan, job.reason = "E", None, "The plan could not be saved."
            job.percent = run.job.percent
        vars(run.job).update(vars(job))
        self.ended[job.status] += 1
        if run.trace is not None:
            run.trace(job.status)

    def _spawn(self, work: Coroutine[None, None, None], context: Context) -> None:
        task = asyncio.get_running_loop().create_task(work, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Ending(msgspec.Struct, frozen=True):
    """How a job ended, before its starter has heard of it."""

    status: Status
    plan: Plan | None = None
    reason: str | None = None


def _shut_down() -> _Ending:
    return _Ending("E", reason="The server was shut down during planning.")


class _Run:
    """A job with what it needs to run: the problem as bytes, its budget, and the process once there is one."""

    def __init__(self, job: Job, problem: bytes, seconds: float, done: Done) -> None:
        self.job, self.done, self.ended = job, done, False
        self._problem, self._seconds = problem, seconds
        self._process: asyncio.subprocess.Process | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._stopped = self._overdue = False
        self.trace: Callable[[str], None] | None = None
        self.context = copy_context()  # of who began it, whose request the log is to name also if others went first

    async def work(self, memory_bytes: int, closed: Callable[[], bool]) -> _Ending:
        """Run the process to its end. Raises OSError where there is none to be had."""
        self._process = process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", jobprocess.__name__, str(memory_bytes)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": _python_path(), "OPENBLAS_NUM_THREADS": "1"},  # each would claim memory
        )
        pipe, told, aside = process.stdin, process.stdout, process.stderr
        assert pipe is not None and told is not None and aside is not None, "all are pipes"
        said = asyncio.create_task(_last_words(aside))
        try:
            self._allow(START_S)
            pipe.write(jobprocess.frame(self._problem))
            if self._stopped:
                self.stop()
            if closed():
                self.kill()
            with contextlib.suppress(ConnectionError):
                await pipe.drain()
            return await self._listen(process, told)
        finally:
            if self._deadline is not None:
                self._deadline.cancel()
            self.kill()
            pipe.close()
            await process.wait()
            if words := await said:
                log.warning("the process of job %d said: %s", self.job.number, words)

    def stop(self) -> None:
        self._stopped = True
        pipe = self._process and self._process.stdin
        if pipe and not pipe.is_closing():  # else it is ending already
            pipe.write(b"s")
            self._allow(STOP_S)

    def kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def _listen(self, process: asyncio.subprocess.Process, told: asyncio.StreamReader) -> _Ending:
        while True:
            match await _message(told):
                case jobprocess.Percent(0):
                    if not self._stopped:
                        self._allow(self._seconds + GRACE_S)
                case jobprocess.Percent(percent):
                    self.job.percent = max(self.job.percent, min(99, percent))
                case jobprocess.Found(plan):
                    return _Ending("C" if self._stopped else "F", plan)
                case jobprocess.Failed(reason):
                    return _Ending("E", reason=reason)
                case None:
                    code = await process.wait()
                    if self._overdue and self._stopped:
                        return _Ending("C")
                    return _Ending("E", reason=_cause(code, self._overdue))

    def _allow(self, seconds: float) -> None:
        """The process is killed if it has not ended after so many seconds from now."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = asyncio.get_running_loop().call_later(seconds, self._expire)

    def _expire(self) -> None:
        self._overdue = True
        self.kill()


async def _message(stream: asyncio.StreamReader) -> jobprocess.Message | None:
    """The next message of a process, None where it ended without one."""
    try:
        size = int.from_bytes(await stream.readexactly(4), "big")
        return jobprocess.decode_message(await stream.readexactly(size))
    except (asyncio.IncompleteReadError, ConnectionError, msgspec.MsgspecError):
        return None


async def _last_words(stream: asyncio.StreamReader) -> str:
    """The end of what a process, or a library in it, has to say to people: it belongs into the log, in its form."""
    said = b""
    while part := await stream.read(WORDS_BYTES):
        said = (said + part)[-WORDS_BYTES:]
    return said.decode(errors="replace").strip()


def _cause(code: int, overdue: bool) -> str:
    if overdue:
        return "Planning took longer than it may and was ended."
    if code == -9:
        return "The planning process was killed, probably for want of memory."
    if code < 0:
        return f"The planning process crashed (signal {-code})."
    return f"The planning process ended without a plan (exit code {code})."


def _python_path() -> str:
    """Where the process finds this package, also when it is not installed."""
    here = str(Path(backend.__file__).parent.parent)
    return os.pathsep.join(path for path in (here, os.environ.get("PYTHONPATH")) if path)
