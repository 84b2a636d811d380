"""Planning jobs of several processes: one process runs a job; any of them may read it, stop it, or declare it failed.

The process that runs a job reports so in the database every few seconds. A job without reports has failed; each process
measures that time by its own clock, so that the clocks of the machines need not agree.
"""

import asyncio
import logging
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from backend.domain.errors import Refusal
from backend.service.desk import Desk
from backend.store import jobs

if TYPE_CHECKING:
    from backend.planning.worker import Job, Planner

BEAT_S = 2.0
SILENT_S = 20.0  # without a beat, a job is nobody's
ASK_S = 0.2  # between two looks at whether a job has ended
_GONE = "The process that planned it ended."
_RESTARTED = "The server was restarted during planning."

log = logging.getLogger("codriver.plans")


@dataclass(eq=False)
class Live:
    """A job that this process plans."""

    job: "Job"
    ended: asyncio.Event = field(default_factory=asyncio.Event)


_own: WeakKeyDictionary["Planner", dict[int, Live]] = WeakKeyDictionary()


def own(desk: Desk) -> dict[int, Live]:
    """The jobs that this process plans, by id."""
    return _own.setdefault(desk.planner, {})


async def stop_elsewhere(desk: Desk, account_id: str, job_id: int) -> None:
    """Have the process that plans it stop it, and return when it has ended."""
    await desk.journal.transact(lambda conn: jobs.ask_to_stop(conn, job_id))
    desk.hub.note("stop", str(job_id))  # or it is seen with the next beat
    while True:
        record = await desk.database.read(lambda conn: jobs.find(conn, account_id, job_id))
        if record is None or record.status not in jobs.RUNNING:
            return
        await asyncio.sleep(ASK_S)


async def recover(desk: Desk) -> None:
    """At start: where nobody else can plan them, the jobs that have not ended have failed."""
    if desk.database.alone:
        await desk.journal.transact(lambda conn: jobs.end_all(conn, _RESTARTED))


async def keep_watch(desk: Desk) -> None:
    """Beat for our own jobs and end those that are nobody's, until cancelled.

    A process alone has such too: of which neither the plan nor the end could be stored, as while the disk was full.
    """
    desk.hub.heed("stop", lambda job_id: _stop(desk, int(job_id)))
    watch = Watch()
    while True:
        try:
            await watch.look(desk)
        except Refusal as refusal:
            log.warning("the planning jobs could not be looked at: %s", refusal.code)
        except Exception:
            log.exception("the planning jobs could not be looked at")
        await asyncio.sleep(BEAT_S)


class Watch:
    """What is known of others' jobs: their last beat, and since when it has not changed."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[int, float]] = {}
        self._looked_at = time.monotonic()

    async def look(self, desk: Desk) -> None:
        await _beat(desk)
        beats = await desk.database.read(jobs.beats)
        now = time.monotonic()
        if now - self._looked_at > SILENT_S / 2:
            self._seen.clear()  # it may be we who were away
        self._looked_at = now
        mine = own(desk)
        seen: dict[int, tuple[int, float]] = {}
        for job_id, beat in beats.items():
            before = self._seen.get(job_id)
            seen[job_id] = before if before is not None and before[0] == beat else (beat, now)
            if now - seen[job_id][1] > SILENT_S and job_id not in mine:
                ended = await desk.journal.transact(
                    partial(jobs.end_silent, job_id=job_id, last_beat=beat, reason=_GONE)
                )
                if ended:
                    log.error("job %d has failed: %s", job_id, _GONE)
        self._seen = seen


async def _beat(desk: Desk) -> None:
    percents = {job_id: min(99, live.job.percent) for job_id, live in own(desk).items()}
    if not percents:
        return
    asked = await desk.journal.transact(lambda conn: jobs.beat(conn, percents))
    for job_id in percents:
        if asked.get(job_id, True):  # asked to stop, or ended by somebody who took us for dead
            _stop(desk, job_id)


def _stop(desk: Desk, job_id: int) -> None:
    live = own(desk).get(job_id)
    if live is not None:
        desk.planner.stop(live.job)
