"""Planning jobs of several processes on one database."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from backend.domain.plans import Scope
from backend.service import leases
from backend.service.leases import Live, Watch
from backend.store import jobs
from backend.store.database import Database
from backend.store.journal import Journal
from tests.service.builders import add_account


class Job:
    percent = 40


class Planner:
    def __init__(self) -> None:
        self.stopped: list[Job] = []

    def stop(self, job: Job) -> None:
        self.stopped.append(job)


class Hub:
    """Alone: notes reach nobody, as where Redis is away."""

    def note(self, topic: str, text: str) -> None:
        return

    def heed(self, topic: str, act: Callable[[str], None]) -> None:
        return


class Process:
    """What these verbs need of a desk."""

    def __init__(self, url: str) -> None:
        self.database = Database.open(url)
        self.journal = Journal(self.database)
        self.planner, self.hub = Planner(), Hub()

    async def plan(self, account_id: str) -> int:
        def add(conn: Any) -> int:
            return jobs.add(conn, account_id, "2026-03-02", "2026-03-02", Scope((), ()), 0)

        job_id = await self.journal.transact(add)
        leases.own(self)[job_id] = Live(Job())
        return job_id

    async def close(self) -> None:
        await self.journal.close()
        self.database.close()


@pytest.fixture
async def processes(postgresql: Any) -> AsyncIterator[tuple[Process, Process]]:
    url = postgresql.fresh()
    both = Process(url), Process(url)
    yield both
    for each in both:
        await each.close()
    postgresql.drop(url)


@pytest.fixture
async def account_id(processes: tuple[Process, Process]) -> str:
    return (await processes[0].journal.transact(add_account)).id


async def record(process: Process, account_id: str, job_id: int) -> jobs.JobRecord:
    found = await process.database.read(lambda conn: jobs.find(conn, account_id, job_id))
    assert found is not None
    return found


async def test_a_job_is_seen_and_stopped_from_another_process(
    processes: tuple[Process, Process], account_id: str
) -> None:
    mine, other = processes
    job_id = await mine.plan(account_id)
    watch = Watch()
    await watch.look(mine)
    assert (await record(other, account_id, job_id)).percent == 40 and not mine.planner.stopped
    stopping = asyncio.create_task(leases.stop_elsewhere(other, account_id, job_id))
    async with asyncio.timeout(60):
        while not mine.planner.stopped:
            await watch.look(mine)
    assert not stopping.done()
    await mine.journal.transact(lambda conn: jobs.end(conn, job_id, "C", 50))
    await asyncio.wait_for(stopping, 60)


async def test_a_job_that_nobody_plans_any_more_fails_and_the_others_go_on(
    processes: tuple[Process, Process], account_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = itertools.count(step=leases.SILENT_S / 5)  # two processes that look in turn, each often enough
    monkeypatch.setattr(leases, "time", SimpleNamespace(monotonic=lambda: next(looks)))
    mine, other = processes
    lost, kept = await mine.plan(account_id), await mine.plan(account_id)
    del leases.own(mine)[lost]  # as if its process had died
    own_watch, watch = Watch(), Watch()
    async with asyncio.timeout(60):
        while (await record(other, account_id, lost)).status == "R":
            await own_watch.look(mine)
            await watch.look(other)
    ended = await record(other, account_id, lost)
    assert ended.status == "E" and ended.reason == "The process that planned it ended."
    assert (await record(other, account_id, kept)).status == "R"


async def test_a_process_that_was_taken_for_dead_stops_its_job(
    processes: tuple[Process, Process], account_id: str
) -> None:
    mine, other = processes
    job_id = await mine.plan(account_id)
    assert await other.journal.transact(lambda conn: jobs.end_silent(conn, job_id, 0, "gone"))
    await Watch().look(mine)
    assert len(mine.planner.stopped) == 1


async def test_a_beat_saves_a_job(processes: tuple[Process, Process], account_id: str) -> None:
    mine, other = processes
    job_id = await mine.plan(account_id)
    await Watch().look(mine)
    assert not await other.journal.transact(lambda conn: jobs.end_silent(conn, job_id, 0, "gone"))


async def test_one_process_leads_until_it_ends(processes: tuple[Process, Process]) -> None:
    first, second = processes
    assert await first.database.leads() and not await second.database.leads()
    assert await first.database.leads() and not await second.database.leads()
    first.database.engine.close()
    async with asyncio.timeout(60):
        while not await second.database.leads():
            await asyncio.sleep(0.05)


async def test_who_lost_the_connection_may_lead_again(processes: tuple[Process, Process], postgresql: Any) -> None:
    first, second = processes
    assert await first.database.leads()
    postgresql.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'codriver keeper'"
    )
    assert not await first.database.leads()
    async with asyncio.timeout(60):
        while not await first.database.leads():  # once the server has let go of the lock of a connection that it cut
            await asyncio.sleep(0.01)
    assert not await second.database.leads()
