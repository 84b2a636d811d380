"""Is everything that the server needs there, and how is it doing?"""

import asyncio
from typing import NamedTuple

from backend.service.desk import Desk
from backend.store import people

_PATIENCE_S = 2.0


async def failing(desk: Desk) -> list[str]:
    """The names of the stores that do not answer within two seconds; none where all is well."""
    checks = {
        "database": desk.database.read(lambda conn: people.account(conn, "")),
        "journal": desk.journal.transact(lambda conn: None),
    }
    names = list(checks)
    results = await asyncio.gather(
        *(asyncio.wait_for(check, _PATIENCE_S) for check in checks.values()), return_exceptions=True
    )
    return [name for name, result in zip(names, results, strict=True) if isinstance(result, Exception)]


class Figure(NamedTuple):
    """One figure: its name, whether it only grows, what it says, and its value (by label where it has several)."""

    name: str
    grows: bool
    text: str
    value: float | dict[str, float]


def figures(desk: Desk) -> list[Figure]:
    """How the process is doing, from memory alone: asking costs nothing."""
    tally, journal = desk.tally, desk.journal
    return [
        Figure("codriver_positions", True, "Positions stored", tally.positions),
        Figure("codriver_position_duplicates", True, "Positions that were stored before", tally.duplicates),
        Figure("codriver_position_rejections", True, "Positions refused by name", tally.rejected),
        Figure("codriver_actions", True, "Drivers' actions stored", tally.actions),
        Figure("codriver_refusals", True, "Requests refused, by code", dict(tally.refusals)),
        Figure("codriver_commits", True, "Commits, each of all changes that waited", journal.commits),
        Figure("codriver_commit_seconds", True, "Time spent in commits, fsync and all", journal.commit_seconds),
        Figure("codriver_changes_waiting", False, "Changes that wait for a commit or are in one", journal.waiting),
        Figure("codriver_watchers", False, "Websockets on the live map", desk.hub.watching),
        Figure("codriver_watchers_dropped", True, "Watchers closed for being too slow", desk.hub.dropped),
        Figure("codriver_joined", False, "Whether what happens in other processes is heard by Redis", desk.hub.sound),
        Figure("codriver_letters_missed", True, "Gaps in what the other processes say", desk.hub.missed),
        Figure("codriver_letters_unreadable", True, "Of what they say, not understood", desk.hub.unreadable),
    ]
