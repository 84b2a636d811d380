"""Planning jobs in processes of their own, as the office starts, watches, stops and loses them."""

import asyncio
import errno
import logging
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextvars import copy_context
from pathlib import Path

import pytest
import uvloop

from backend.planning import jobprocess, worker
from backend.planning.checker import violations
from backend.planning.problem import Problem
from backend.planning.worker import Job, Planner
from backend.server.logs import request_id
from tests.planning.builders import problem, stop, town, vehicle

DEADLINE_S = 120.0
SMALL = problem(stop("A", 1), stop("B", 2), vehicle())


@pytest.fixture
async def planner() -> AsyncIterator[Planner]:
    planner = Planner(max_jobs=1)
    await planner.start()
    yield planner
    await planner.close()


async def ended(planner: Planner, asked: Problem) -> tuple[Job, Job]:
    """A job that has ended, and what its starter was told."""
    told: list[Job] = []
    job = planner.submit(asked, told.append)
    await until(lambda: bool(told))
    await until(lambda: job.status == told[0].status)
    return job, told[0]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


def children() -> set[int]:
    """The living processes that this one started."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            number, _, rest = status.read_text().partition(" (")
        except OSError:
            continue
        state, parent = rest.rpartition(") ")[2].split()[:2]
        if int(parent) == os.getpid() and state != "Z":
            found.add(int(number))
    return found


async def test_a_job_ends_finished_with_a_plan(planner: Planner) -> None:
    job, told = await ended(planner, SMALL)
    assert (job.status, job.percent, job.reason) == ("F", 100, None)
    assert told.plan is not None and job.plan == told.plan
    assert violations(SMALL, told.plan) == []
    assert [[visit.stop for visit in route.visits] for route in told.plan.routes] in ([["A", "B"]], [["B", "A"]])


async def test_a_job_shows_its_end_only_when_its_starter_has_saved_the_plan(planner: Planner) -> None:
    told, saved = asyncio.Event(), asyncio.Event()

    async def save(ended: Job) -> None:
        assert (ended.status, ended.percent) == ("F", 100)
        told.set()
        await saved.wait()

    job = planner.submit(SMALL, save)
    async with asyncio.timeout(DEADLINE_S):
        await told.wait()
    assert job.status == "R" and job.percent < 100
    assert not planner.stop(job)
    saved.set()
    await until(lambda: (job.status, job.percent) == ("F", 100))


async def test_a_plan_that_cannot_be_saved_is_an_error(planner: Planner) -> None:
    def save(ended: Job) -> None:
        raise OSError("no space")

    job = planner.submit(SMALL, save)
    await until(lambda: job.status == "E")
    assert job.reason == "The plan could not be saved." and job.plan is None and job.percent < 100


async def test_progress_rises(planner: Planner) -> None:
    seen: list[int] = []
    job = planner.submit(town(random.Random(1), 60, 5, seconds=20), lambda ended: None)

    def look() -> bool:
        seen.append(job.percent)
        return len(set(seen)) > 5

    await until(look)
    assert planner.stop(job)
    await until(lambda: job.status == "C")
    assert seen == sorted(seen) and seen[-1] < 100


async def test_jobs_beyond_the_limit_wait_in_order(planner: Planner) -> None:
    order: list[int] = []
    jobs = [planner.submit(SMALL, lambda ended: order.append(ended.number)) for _ in range(3)]
    assert [job.status for job in jobs] == ["R", "N", "N"]
    await until(lambda: len(order) == 3)
    assert order == [job.number for job in jobs]


async def test_a_stop_ends_a_running_job_with_the_best_plan_so_far(
    planner: Planner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "STOP_S", DEADLINE_S)  # a busy machine takes longer
    asked = town(random.Random(2), 100, 8, seconds=120)
    told: list[Job] = []
    job = planner.submit(asked, told.append)
    await until(lambda: job.percent > 0)
    began = time.monotonic()
    assert planner.stop(job)
    await until(lambda: bool(told))
    print(f"stopped after {time.monotonic() - began:.2f} s")
    assert job.status == "C" and job.plan is not None
    assert violations(asked, job.plan) == []
    assert not planner.stop(job)


async def test_a_stop_ends_a_waiting_job_without_a_plan(planner: Planner) -> None:
    first = planner.submit(town(random.Random(3), 50, 5, seconds=60), lambda ended: None)
    told: list[Job] = []
    waiting = planner.submit(SMALL, told.append)
    assert planner.stop(waiting)
    await until(lambda: bool(told))
    assert waiting.status == "C" and waiting.plan is None
    assert first.status == "R" and planner.stop(first)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
async def test_a_crash_is_a_failed_job_and_the_next_one_runs(planner: Planner, number: signal.Signals) -> None:
    before = children()
    job = planner.submit(town(random.Random(4), 50, 5, seconds=60), lambda ended: None)
    await until(lambda: job.percent > 0)
    (process,) = children() - before
    os.kill(process, number)
    await until(lambda: job.status == "E")
    assert job.reason and job.plan is None
    job, _ = await ended(planner, SMALL)
    assert job.status == "F"


@pytest.mark.parametrize(
    "fault",
    [OSError(errno.ENOMEM, "Cannot allocate memory"), RuntimeError("the handler is closed")],  # the latter is uvloop's
    ids=["no memory", "a pipe that is gone"],
)
async def test_a_process_that_cannot_be_had_is_a_failed_job_and_the_next_one_runs(
    planner: Planner, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    async def fails(*_: object, **__: object) -> None:
        raise fault

    with monkeypatch.context() as planted:
        planted.setattr(asyncio, "create_subprocess_exec", fails)
        job, _ = await ended(planner, SMALL)
    assert job.status == "E" and job.reason is not None and "could not be" in job.reason
    assert planner.running == 0
    assert (await ended(planner, SMALL))[0].status == "F"


def test_a_job_may_be_asked_to_stop_at_every_moment_of_its_end() -> None:
    """On the loop that serves: its pipes take nothing, not even in vain, once they are closed."""

    async def story() -> None:
        planner = Planner(max_jobs=1)
        await planner.start()
        before = children()
        job = planner.submit(town(random.Random(4), 50, 5, seconds=60), lambda ended: None)
        await until(lambda: job.percent > 0)
        (process,) = children() - before
        os.kill(process, signal.SIGKILL)
        async with asyncio.timeout(DEADLINE_S):
            while job.status == "R":
                planner.stop(job)
                await asyncio.sleep(0)
        assert planner.stop(job) is False
        await planner.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(story())


async def test_a_process_that_hangs_is_killed(planner: Planner) -> None:
    before = children()
    job = planner.submit(town(random.Random(5), 30, 3, seconds=60), lambda ended: None)
    await until(lambda: job.percent > 0)
    (process,) = children() - before
    os.kill(process, signal.SIGSTOP)
    (run,) = planner._running
    run._allow(0.5)  # it has had its time
    await until(lambda: job.status == "E")
    assert job.reason == "Planning took longer than it may and was ended."
    assert children() == before


async def test_too_little_memory_is_a_failed_job() -> None:
    planner = Planner(max_jobs=1, memory_bytes=64 << 20)
    await planner.start()
    job, told = await ended(planner, town(random.Random(6), 400, 30))
    assert job.status == "E" and told.reason
    await planner.close()


async def test_closing_ends_every_process_and_tells_every_starter() -> None:
    before = children()
    planner = Planner(max_jobs=2)
    await planner.start()
    told: list[Job] = []
    jobs = [planner.submit(town(random.Random(7), 50, 5, seconds=60), told.append) for _ in range(3)]
    await until(lambda: jobs[0].percent > 0)
    async with asyncio.timeout(DEADLINE_S):
        await planner.close()
    assert children() == before
    assert [job.status for job in jobs] == ["E"] * 3 and len(told) == 3
    with pytest.raises(RuntimeError):
        planner.submit(SMALL, told.append)


async def test_what_is_stopped_before_its_process_is_there_ends_without_a_plan_where_that_takes_too_long(
    planner: Planner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    program.chmod(0o755)
    monkeypatch.setattr(worker.sys, "executable", str(program))
    monkeypatch.setattr(worker, "STOP_S", 0.01)
    told: list[Job] = []
    job = planner.submit(SMALL, told.append)
    await asyncio.sleep(0)  # it is being started
    assert job.status == "R" and planner.stop(job)
    await until(lambda: bool(told))
    assert (told[0].status, told[0].plan, told[0].reason) == ("C", None, None)


async def test_what_is_being_started_when_the_planner_is_closed_ends_too() -> None:
    before = children()
    planner = Planner(max_jobs=1)
    told: list[Job] = []
    planner.submit(SMALL, told.append)
    await asyncio.sleep(0)
    async with asyncio.timeout(DEADLINE_S):
        await planner.close()
    assert [each.status for each in told] == ["E"] and children() == before


async def test_a_process_that_gives_its_own_reason_or_talks_nonsense_has_failed(
    planner: Planner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program, words = tmp_path / "python", tmp_path / "words"
    program.write_text(f"#!/bin/sh\ncat {words}\n")
    program.chmod(0o755)
    monkeypatch.setattr(worker.sys, "executable", str(program))
    for said, reason in (
        (jobprocess.frame(jobprocess.encode(jobprocess.Failed("It cannot be planned."))), "It cannot be planned."),
        (jobprocess.frame(b"nonsense"), "The planning process ended without a plan (exit code 0)."),
    ):
        words.write_bytes(said)
        job, _ = await ended(planner, SMALL)
        assert (job.status, job.plan, job.reason) == ("E", None, reason)


async def test_a_process_whose_parent_is_gone_leaves() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", jobprocess.__name__, str(worker.MEMORY_BYTES)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(worker.__file__).parents[2],
    )
    assert process.stdin and process.stdout
    process.stdin.write(jobprocess.frame(jobprocess.encode(town(random.Random(8), 50, 5, seconds=60))))
    async with asyncio.timeout(DEADLINE_S):
        await process.stdout.readexactly(5)
        process.stdin.close()
        assert await process.wait() == 1


async def test_what_is_logged_of_a_job_names_the_request_that_began_it_also_if_another_went_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With what its process said last, which is in the log and not beside it."""
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho 'I cannot go on' >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setattr(worker.sys, "executable", str(program))
    logged: list[tuple[str, str]] = []
    handler = logging.Handler()
    handler.emit = lambda record: logged.append((request_id.get(), record.getMessage()))
    worker.log.addHandler(handler)
    one_at_a_time, told = Planner(max_jobs=1), []
    try:
        for name in ("first", "second"):
            copy_context().run(lambda name=name: (request_id.set(name), one_at_a_time.submit(SMALL, told.append)))
        await until(lambda: len(told) == 2)
    finally:
        worker.log.removeHandler(handler)
        await one_at_a_time.close()
    reason = "has failed: The planning process ended without a plan (exit code 3)."
    said = "the process of job {} said: I cannot go on"
    assert sorted(logged) == [
        ("first", f"job 1 {reason}"),
        ("first", said.format(1)),
        ("second", f"job 2 {reason}"),
        ("second", said.format(2)),
    ]
