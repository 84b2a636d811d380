"""Reading the store for all who watch, where not everything that was told may have come.

What the readings find is handed on as if it had been told, and twice is harmless: positions are the newest, events have
cursors, a route is told where its version is another than at the reading before, a message once.
"""

from collections.abc import Mapping, Set

from backend.live.audience import Audience
from backend.live.parcels import Parcels
from backend.live.phones import Line
from backend.live.rolls import Rolls
from backend.live.sources import Sources


class Review:
    """One reading of all that somebody of this process looks at or listens to."""

    def __init__(
        self,
        rolls: Rolls,
        parcels: Parcels,
        audiences: Mapping[str, Audience],
        lines: Mapping[str, Set[Line]],
        credentials: Mapping[str, object],
    ) -> None:
        self._rolls = rolls
        self._parcels = parcels
        self._audiences = audiences
        self._lines = lines
        self._credentials = credentials

    async def revoked(self, sources: Sources) -> set[str]:
        """The credentials that hold something open and are good no longer."""
        held = {credential for credential in self._credentials if credential}
        return await sources.revoked(held) if held else set()

    async def read(self, sources: Sources, since_s: float) -> list[Audience]:
        """Hand on what the store has; the audiences whose readers are to be woken."""
        watched = {each.account_id: each for each in self._audiences.values() if each.watchers}
        listening: dict[str, list[Line]] = {}
        for lines in self._lines.values():
            for line in lines:
                listening.setdefault(line.account_id, []).append(line)
        for account_id in watched.keys() | self._parcels.accounts:
            await self._rolls.fresher(account_id, sources)
        self._parcels.age(0)
        for account_id in watched.keys() | listening.keys():
            versions = await sources.route_versions(account_id)
            if account_id in watched:
                _tell_plans(watched[account_id], versions)
            for line in listening.get(account_id, ()):
                line.review(versions.get(line.driver_id, {}))
        for account_id in listening:
            for driver_id, message in await sources.messages(account_id, since_s):
                for line in self._lines.get(driver_id, ()):
                    line.tell_message(message)
        return [each for each in watched.values() if each.readers]


def _tell_plans(audience: Audience, versions: Mapping[str, Mapping[str, int]]) -> None:
    plans: dict[str, set[tuple[str, int]]] = {}
    for driver_id, dates in versions.items():
        for date, version in dates.items():
            plans.setdefault(date, set()).add((driver_id, version))
    for date in plans.keys() | audience.plans.keys():
        if plans.get(date) != audience.plans.get(date):
            audience.tell_plan(date)
    audience.plans = plans
    audience.told = True
