"""What a comparison finds: how much of each kind there is, how much of it is not as it was, and the first examples."""

from __future__ import annotations

from msgspec import Struct, field

EXAMPLES = 10
FAULTY = ("lost", "duplicated", "wrong")


class Tally(Struct):
    """Counts of one kind of thing, and the first examples of each fault. ``withheld`` were acknowledged and are rightly
    shown to nobody: their order was cancelled, or another driver ended it later.
    """

    sent: int = 0
    acknowledged: int = 0
    stored: int = 0
    lost: int = 0
    duplicated: int = 0
    wrong: int = 0
    late: int = 0
    withheld: int = 0
    examples: dict[str, list[str]] = field(default_factory=dict)

    def fault(self, kind: str, what: str, count: int = 1) -> None:
        """Count a fault (``lost``, ``duplicated``, ``wrong`` or ``late``) and remember the first few."""
        setattr(self, kind, getattr(self, kind) + count)
        named = self.examples.setdefault(kind, [])
        if len(named) < EXAMPLES:
            named.append(what)

    @property
    def clean(self) -> bool:
        """Nothing lost, doubled, wrong or late."""
        return not (self.lost or self.duplicated or self.wrong or self.late)

    def came_late(self, earlier: Tally) -> None:
        """What was missing, or otherwise than it should be, when it was asked for earlier and is not any more."""
        for kind in FAULTY:
            if (right := getattr(earlier, kind) - getattr(self, kind)) > 0:
                still, missed = self.examples.get(kind, []), earlier.examples.get(kind, [])
                for what in [each for each in missed if each not in still] or ["(not among the first)"]:
                    self.fault("late", what if kind == "lost" else f"{kind} at first: {what}", 0)
                self.late += right


class Statuses(Struct):
    """Order statuses as the server tells them; counts of how the orders ended."""

    checked: int = 0
    wrong: int = 0
    late: int = 0
    success: int = 0
    failed: int = 0
    rejected: int = 0
    examples: list[str] = field(default_factory=list)


class Verdict(Struct):
    """The whole comparison."""

    positions: Tally = field(default_factory=Tally)
    actions: Tally = field(default_factory=Tally)
    attachments: Tally = field(default_factory=Tally)
    statuses: Statuses = field(default_factory=Statuses)

    @property
    def clean(self) -> bool:
        """Nothing acknowledged was lost, doubled, wrong or late."""
        tallies = self.positions, self.actions, self.attachments
        return all(tally.clean for tally in tallies) and not (self.statuses.wrong or self.statuses.late)
