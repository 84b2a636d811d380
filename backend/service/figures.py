"""How a process is doing, for its operators; and of several on one machine each, whichever is asked."""

import asyncio
import contextlib
import logging
import os
import resource
import time
from pathlib import Path

import msgspec

from backend.planning.worker import Status
from backend.service.desk import Desk
from backend.store.durations import Durations

EVERY_S = 1.0

log = logging.getLogger("codriver.figures")


class Spread(msgspec.Struct, frozen=True, array_like=True):
    """A histogram: ``counts[i]`` of up to ``bounds[i]``, the last beyond all bounds; and the sum of all that was."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float


class Figure(msgspec.Struct, frozen=True):
    """One figure: its name, whether it only grows, what it says, its value, or its values by the label ``by``."""

    name: str
    grows: bool
    text: str
    value: float | Spread | dict[str, float]
    by: str = ""


class Board:
    """Where the processes of one machine leave their figures for one another: a file for each in ``folder``.

    Whoever is asked reads the files of all, its own too, so that a count never goes back from one answer to the next.
    """

    def __init__(self, folder: Path, process: int) -> None:
        self._folder = folder
        self._own = folder / f"{process}.figures"

    def post(self, figures: list[Figure]) -> None:
        new = self._own.with_suffix(".new")
        new.write_bytes(_encode(figures))
        os.replace(new, self._own)

    def all(self) -> dict[str, list[Figure]]:
        """By the number of the process."""
        return {path.stem: _decode(path.read_bytes()) for path in sorted(self._folder.glob("*.figures"))}


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Figure]).decode


async def keep_posting(desk: Desk) -> None:
    """Leave ours for the others, until cancelled; nothing to do for a process alone."""
    while desk.board is not None:
        try:
            desk.board.post(own(desk))
        except OSError as error:
            log.warning("the figures could not be left for the other processes: %s", error)
        await asyncio.sleep(EVERY_S)


def every(desk: Desk) -> dict[str, list[Figure]]:
    """Of every process by its number; of one alone without."""
    if desk.board is None:
        return {"": own(desk)}
    desk.board.post(own(desk))
    return desk.board.all()


def own(desk: Desk) -> list[Figure]:
    """Nothing is read but what the system says of the process and of one file: asking costs nothing."""
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
