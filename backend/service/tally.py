"""Counters of what a process has done since it started, for ``/metrics``."""

from backend.store.durations import AGE_BOUNDS_S, COMMIT_BOUNDS_S, Durations


class Tally:
    """Plain counts that only grow. ``refusals`` is by code."""

    __slots__ = ("actions", "age", "duplicates", "positions", "refusals", "rejected", "stored")

    def __init__(self) -> None:
        self.positions = 0  # accepted
        self.duplicates = 0  # positions that were there already
        self.rejected = 0  # positions that were refused, each by name
        self.age = Durations(AGE_BOUNDS_S)  # of each batch's newest position when it came
        self.stored = Durations(COMMIT_BOUNDS_S)  # batches of positions, from the queue to the disk
        self.actions = 0  # settled, without those that were there already
        self.refusals: dict[str, int] = {}

    def refuse(self, code: str) -> None:
        self.refusals[code] = self.refusals.get(code, 0) + 1
