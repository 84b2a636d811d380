"""What was truly done and what was acknowledged, driver by driver, kept in memory and (with a state file) on disk as
it happens.

The state file is append-only JSON lines, flushed line by line, so that it survives the end of either side at any
moment: first a ``run`` line with what the day was drawn from, one ``phone`` line per paired driver with its token and
route, then ``sent`` before a message leaves for the first time and ``ack`` after it was answered. Messages themselves
are not in it: the same seed and route give the same messages, which are known by their numbers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct, field

from simulator.steps import Expect, Send, Step
from simulator.wire import Action, Actions, Attachment, Message, Position, Positions, Route

_encode = msgspec.json.Encoder().encode


class Phone(Struct, frozen=True, tag="phone"):
    """A paired driver: what seeds its day, how events name it, how to log in, what to drive, and what the server held
    of it before (milliseconds of fixes).
    """

    driver_id: str
    key: str
    named: str
    token: str
    route: Route | None
    held_before: tuple[int, ...] = ()
    second_token: str | None = None


class Run(Struct, frozen=True, tag="run"):
    """What the whole run is drawn from. ``scenario`` is the text of its file; ``events_before`` are events that were
    there before, ``drove_before`` whether one of them is of these drivers.
    """

    url: str
    date: str
    seed: int
    transport: str
    scenario: str
    replay: str | None
    orders: int
    unscheduled: tuple[str, ...] = ()
    events_before: int = 0
    drove_before: bool = False


class Sent(Struct, frozen=True, tag="sent"):
    """A message left the phone for the first time, at this simulated time."""

    driver_id: str
    n: int
    at: float


class Ack(Struct, frozen=True, tag="ack"):
    """A message was answered; ``refused`` are the codes of single items by their place."""

    driver_id: str
    n: int
    refused: dict[int, str] = {}


Line = Run | Phone | Sent | Ack
_decode_line = msgspec.json.Decoder(Line).decode


class Diary(Struct):
    """One driver's truth. Message numbers are of this driver's day."""

    phone: Phone
    messages: dict[int, Message] = field(default_factory=dict)
    expectations: list[tuple[str, str, str]] = field(default_factory=list)
    sent: set[int] = field(default_factory=set)
    acknowledged: dict[int, dict[int, str]] = field(default_factory=dict)

    def recall(self, steps: Iterator[Step]) -> None:
        """Draw the whole day again without driving it: its messages get their numbers back, and what was expected of
        them.
        """
        for step in steps:
            match step:
                case Send(message=message):
                    self.messages[message.n] = message
                case Expect(order_id=order, status=status, action_id=action):
                    self.expectations.append((order, status, action))

    def fixes(self) -> dict[int, list[tuple[Position, bool]]]:
        """By milliseconds: the fixes that were sent with that stamp, and whether each was acknowledged."""
        found: dict[int, list[tuple[Position, bool]]] = {}
        for n in sorted(self.sent):
            message = self.messages[n]
            if isinstance(message, Positions):
                answer = self.acknowledged.get(n)
                for index, fix in enumerate(message.positions):
                    found.setdefault(fix.at_ms, []).append((fix, answer is not None and index not in answer))
        return found

    def newest_ms(self) -> int:
        """The time of the newest fix that was acknowledged, Unix milliseconds; 0 where none was."""
        known = (at_ms for at_ms, sent in self.fixes().items() if any(acknowledged for _, acknowledged in sent))
        return max(known, default=0)

    def actions(self) -> list[tuple[Action, bool]]:
        """The actions that were sent, and whether each was acknowledged."""
        found: list[tuple[Action, bool]] = []
        for n in sorted(self.sent):
            message = self.messages[n]
            if isinstance(message, Actions):
                answer = self.acknowledged.get(n)
                found += [(action, answer is not None and i not in answer) for i, action in enumerate(message.actions)]
        return found

    def attachments(self) -> dict[str, tuple[Attachment, bool]]:
        """By id: the files that were sent, and whether each was acknowledged."""
        return {
            message.id: (message, self.acknowledged.get(n) == {})
            for n in sorted(self.sent)
            if isinstance(message := self.messages[n], Attachment)
        }

    def statuses(self) -> dict[str, str]:
        """The status of every order of the route, as what was acknowledged makes it."""
        known = {action.id for action, acknowledged in self.actions() if acknowledged}
        found = (
            {stop.orderId: "scheduled" for stop in self.phone.route.stops if stop.orderId} if self.phone.route else {}
        )
        for order_id, status, action_id in self.expectations:
            if action_id in known:
                found[order_id] = status
        return found

    def refused(self) -> dict[str, int]:
        """How many items the server refused, by code."""
        found: dict[str, int] = {}
        for answer in self.acknowledged.values():
            for code in answer.values():
                found[code] = found.get(code, 0) + 1
        return found


class Truth:
    """All diaries of a run, and the file they are kept in."""

    def __init__(self, run: Run, path: Path | None = None) -> None:
        self.run = run
        self.diaries: dict[str, Diary] = {}
        self.last_at = 0.0
        self._file = None if path is None else os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    @classmethod
    def begin(cls, run: Run, path: Path | None) -> Truth:
        """A new truth; its file must not hold another one."""
        truth = cls(run, path)
        truth._write(run)
        return truth

    @classmethod
    def read(cls, path: Path) -> Truth:
        """The truth of a file, to go on with. A last line that was cut off is left out; it was never acted upon."""
        lines = path.read_bytes().splitlines(keepends=True)
        whole = [line for line in lines if line.endswith(b"\n")]
        if len(whole) < len(lines):
            os.truncate(path, sum(map(len, whole)))
        entries = [_decode_line(line) for line in whole]
        if not entries or not isinstance(entries[0], Run):
            raise ValueError(f"{path} does not begin with what a run was drawn from")
        truth = cls(entries[0], path)
        for entry in entries[1:]:
            truth._apply(entry)
        return truth

    def paired(self, phone: Phone) -> Diary:
        """A driver logged in."""
        self._write(phone)
        return self._apply(phone)

    def sent(self, diary: Diary, message: Message, at: float) -> None:
        """A message is about to leave; written before it does, since from here on the server may hold it."""
        if message.n not in diary.sent:
            entry = Sent(diary.phone.driver_id, message.n, at)
            self._write(entry)
            diary.sent.add(message.n)

    def acknowledge(self, diary: Diary, message: Message, refused: dict[int, str]) -> None:
        """A message was answered; the first answer counts."""
        if message.n not in diary.acknowledged:
            self._write(Ack(diary.phone.driver_id, message.n, refused))
            diary.acknowledged[message.n] = refused

    def close(self) -> None:
        """Nothing more will be written."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _apply(self, entry: Line) -> Diary:
        match entry:
            case Phone():
                self.diaries[entry.driver_id] = Diary(entry)
                return self.diaries[entry.driver_id]
            case Sent():
                self.diaries[entry.driver_id].sent.add(entry.n)
                self.last_at = max(self.last_at, entry.at)
                return self.diaries[entry.driver_id]
            case Ack():
                self.diaries[entry.driver_id].acknowledged[entry.n] = entry.refused
                return self.diaries[entry.driver_id]
            case Run():
                raise ValueError("a state file holds one run only")

    def _write(self, entry: Line) -> None:
        if self._file is not None:
            os.write(self._file, _encode(entry) + b"\n")
