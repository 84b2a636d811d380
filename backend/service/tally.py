"""What a process has done since it started, counted for its operators."""


class Tally:
    """Plain counts that only grow. ``refusals`` is by code."""

    __slots__ = ("actions", "duplicates", "positions", "refusals", "rejected")

    def __init__(self) -> None:
        self.positions = 0  # accepted
        self.duplicates = 0  # positions that were there already
        self.rejected = 0  # positions that were refused, each by name
        self.actions = 0  # settled, without those that were there already
        self.refusals: dict[str, int] = {}

    def refuse(self, code: str) -> None:
        self.refusals[code] = self.refusals.get(code, 0) + 1
