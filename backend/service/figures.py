"""The metrics of ``/metrics``: of this process, and where several serve on this machine, of each of them."""

import asyncio
import contextlib
import logging
import resource
import time
from pathlib import Path

from backend.planning.worker import Status
from backend.service.desk import Desk
from backend.service.figurefiles import Figure, FigureFiles, Spread
from backend.store.durations import Durations

EVERY_S = 1.0

log = logging.getLogger("codriver.figures")


async def keep_posting(desk: Desk) -> None:
    """Publish this process's figures to the others, until cancelled; nothing to do where there are no others."""
    while desk.figure_files is not None:
        _post(desk, desk.figure_files)
        await asyncio.sleep(EVERY_S)


def every(desk: Desk) -> dict[str, list[Figure]]:
    """The figures of every process, by its number; under the empty text where there is only one."""
    if desk.figure_files is None:
        return {"": own(desk)}
    _post(desk, desk.figure_files)
    return desk.figure_files.all()


def _post(desk: Desk, files: FigureFiles) -> None:
    """On a disk that takes nothing those that are there stay, as that is when they are looked at."""
    try:
        files.post(own(desk))
    except OSError as error:
        log.warning("the figures could not be left for the other processes: %s", error)


def own(desk: Desk) -> list[Figure]:
    """The figures of this process. Cheap: everything is in memory but what the system knows of the process and of one
    file."""
    tally, journal, hub, planner = desk.tally, desk.journal, desk.hub, desk.planner
    ended: dict[str, float] = {state: planner.ended[of] for of, state in _ENDS}
    return [
        Figure("codriver_positions", True, "Positions stored", tally.positions),
        Figure("codriver_position_duplicates", True, "Positions that were stored before", tally.duplicates),
        Figure("codriver_position_rejections", True, "Positions refused by name", tally.rejected),
        Figure("codriver_position_age_seconds", True, "Age of each batch's newest position", _spread(tally.age)),
        Figure(
            "codriver_position_store_seconds",
            True,
            "Batches of positions, each from when it was handed in until it was on the disk",
            _spread(tally.stored),
        ),
        Figure("codriver_actions", True, "Drivers' actions stored", tally.actions),
        Figure("codriver_refusals", True, "Requests and frames refused", dict(tally.refusals), "code"),
        Figure("codriver_commit_seconds", True, "Commits, each of all changes that waited", _spread(journal.took)),
        Figure("codriver_changes_waiting", False, "Changes that wait for a commit or are in one", journal.waiting),
        Figure("codriver_reads_waiting", False, "Reads that wait for the database or are in it", desk.database.waiting),
        Figure("codriver_log_bytes", False, "SQLite's log of what is not in its place yet", desk.database.log_bytes),
        Figure("codriver_watchers", False, "Websockets on the live map or a delivery", hub.watching),
        Figure("codriver_watchers_dropped", True, "Watchers closed for being too slow", hub.dropped),
        Figure("codriver_phones", False, "Websockets of phones", hub.listening),
        Figure("codriver_event_lag_seconds", False, "How long the oldest event waits to be told", hub.event_lag_s()),
        Figure("codriver_loop_lag_seconds", False, "How late the event loop was last", hub.loop_lag_s),
        Figure(
            "codriver_planner_jobs",
            False,
            "Plannings",
            {"running": planner.running, "waiting": planner.waiting},
            "state",
        ),
        Figure("codriver_plannings", True, "Plannings that have ended", ended, "state"),
        Figure("codriver_joined", False, "Whether what happens in other processes is heard by Redis", float(hub.sound)),
        Figure("codriver_letters_missed", True, "Gaps in what the other processes say", hub.missed),
        Figure("codriver_letters_unreadable", True, "Of what they say, not understood", hub.unreadable),
        *_process(),
    ]


def _process() -> list[Figure]:
    """By the names that Prometheus' own libraries have for them."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    figures = [
        Figure("process_start_time_seconds", False, "When the process began, Unix time", _STARTED_S),
        Figure("process_cpu_seconds", True, "Processor time, of user and system", used.ru_utime + used.ru_stime),
        Figure("process_max_fds", False, "How many files and sockets it may open", float(_most_files())),
    ]
    with contextlib.suppress(OSError):  # only Linux tells
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        text = "Memory that it has, of which a part is shared with others"
        figures.append(Figure("process_resident_memory_bytes", False, text, float(pages * resource.getpagesize())))
    return figures


def _most_files() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _spread(durations: Durations) -> Spread:
    return Spread(durations.bounds, tuple(durations.counts), durations.total_s)


_STARTED_S = time.time()
_ENDS: tuple[tuple[Status, str], ...] = (("F", "finished"), ("C", "stopped"), ("E", "failed"))
