"""What was truly done and what was acknowledged, driver by driver, kept in memory and (with a state file) on disk as
it happens.

The state file is append-only JSON lines, flushed line by line, so that it survives the end of either side at any
moment: first a ``run`` line with what the day was drawn from, one ``phone`` line per paired driver with its token and
route, then ``sent`` before a message leaves for the first time and ``ack`` after it was answered. Messages themselves
are not in it: the same seed and route give the same messages, which are known by their numbers.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from simulator.changes import Cancelled, Cancelling, Change, Changes, Replanned, Replanning
from simulator.day import day, recorded
from simulator.replay import load
from simulator.scenario import read
from simulator.statefile import alone, append
from simulator.steps import Expect, Send, Step, Who
from simulator.wire import Action, Actions, Attachment, Message, Position, Positions, Route

T = TypeVar("T")
SENT, ACKNOWLEDGED = 1, 2
FINISHED = frozenset({"success", "failed", "rejected"})

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


class Before(Struct, frozen=True):
    """What an order was before the run: its status, and when it was last said to have ended (Unix seconds)."""

    status: str
    ended: float | None = None


class Run(Struct, frozen=True, tag="run"):
    """What the whole run is drawn from. ``scenario`` is the text of its file, ``named`` what that is called,
    ``command`` the line that repeats the run; ``events_before`` are events that were there before, ``drove_before``
    whether one of them is of these drivers, ``drivers`` how many log in, ``before`` the orders that were not open.
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
    named: str = ""
    command: str = ""
    drivers: int = 1
    before: dict[str, Before] = {}


class Sent(Struct, frozen=True, tag="sent"):
    """A message left the phone for the first time, when its day had come to this time (Unix seconds)."""

    driver_id: str
    n: int
    at: float


class Ack(Struct, frozen=True, tag="ack"):
    """A message was answered; ``refused`` are the codes of single items by their place."""

    driver_id: str
    n: int
    refused: dict[int, str] = {}


class Rerouted(Struct, frozen=True, tag="rerouted"):
    """At the look of this number the driver saw a changed route."""

    driver_id: str
    look: int
    route: Route


Line = Run | Phone | Sent | Ack | Rerouted | Change
_decode_line = msgspec.json.Decoder(Line).decode


class Diary:
    """One driver's truth. Message numbers are of this driver's day. Of what was sent only what is few is kept (actions
    and files); fixes are drawn again where they are asked for, for a fleet's day of them fills no memory.
    """

    def __init__(self, phone: Phone, run: Run) -> None:
        self.phone, self.run = phone, run
        self.doings: dict[int, Actions | Attachment] = {}
        self.routes: dict[int, Route] = {}
        self.expectations: list[Expect] = []
        self.refusals: dict[int, dict[int, str]] = {}
        self.fixes_sent = self.fixes_acknowledged = 0
        self._marks = bytearray()
        self._newest_ms = 0

    def steps(self) -> Iterator[Step]:
        """This driver's whole day, drawn anew. Raises ValueError where there is no route to drive."""
        who, scenario = Who(self.phone.key, self.run.date, self.run.seed), read(self.run.scenario)
        if self.run.replay is not None:
            return recorded(load(Path(self.run.replay)), who, scenario)
        if self.phone.route is None:
            raise ValueError(f"{self.phone.key} has no route")
        return day(self.phone.route, who, scenario, self.routes.get)

    def recall(self) -> None:
        """Draw the day again without driving it, as far as it was sent: what was done and what was expected of it. What
        was known of it before is forgotten.
        """
        self.doings.clear()
        self.expectations.clear()
        self.fixes_sent = self.fixes_acknowledged = 0
        for step in self._sent_steps():
            match step:
                case Send(message=message):
                    self.done(message)
                case Expect():
                    self.expectations.append(step)

    def done(self, message: Message) -> None:
        """A message was written, perhaps not for the first time: where the run goes on it may be sent already."""
        if not isinstance(message, Positions):
            self.doings[message.n] = message
            return
        if self.is_sent(message.n):
            self.fixes_sent += len(message.positions)
        if self.is_acknowledged(message.n):
            self._stored(message)

    def known(self, n: int, mark: int, refused: dict[int, str] | None = None) -> None:
        """What a file says of a message that is drawn again later: ``SENT``, or ``ACKNOWLEDGED`` with what was refused
        of it.
        """
        self._mark(n, mark)
        if refused:
            self.refusals[n] = refused

    def mark_sent(self, message: Message) -> None:
        """It leaves for the first time."""
        self._mark(message.n, SENT)
        if isinstance(message, Positions):
            self.fixes_sent += len(message.positions)

    def mark_acknowledged(self, message: Message, refused: dict[int, str]) -> None:
        """It was answered for the first time."""
        self._mark(message.n, SENT | ACKNOWLEDGED)
        if refused:
            self.refusals[message.n] = refused
        if isinstance(message, Positions):
            self._stored(message)

    def is_sent(self, n: int) -> bool:
        """Whether a message has left the phone."""
        return n < len(self._marks) and bool(self._marks[n] & SENT)

    def is_acknowledged(self, n: int) -> bool:
        """Whether a message was answered."""
        return n < len(self._marks) and bool(self._marks[n] & ACKNOWLEDGED)

    def fixes(self) -> dict[int, list[tuple[Position, bool]]]:
        """By milliseconds: the fixes that were sent with that stamp, and whether each was acknowledged."""
        found: dict[int, list[tuple[Position, bool]]] = {}
        for step in self._sent_steps():
            if isinstance(step, Send) and isinstance(step.message, Positions) and self.is_sent(step.message.n):
                for fix, acknowledged in self._each(step.message, step.message.positions):
                    found.setdefault(fix.at_ms, []).append((fix, acknowledged))
        return found

    def newest_ms(self) -> int:
        """The time of the newest fix that was acknowledged, Unix milliseconds; 0 where none was."""
        return self._newest_ms

    def actions(self) -> list[tuple[Action, bool]]:
        """The actions that were sent, and whether each was acknowledged."""
        found: list[tuple[Action, bool]] = []
        for n, message in sorted(self.doings.items()):
            if isinstance(message, Actions) and self.is_sent(n):
                found += self._each(message, message.actions)
        return found

    def unsure(self) -> set[str]:
        """The actions that were sent and never answered: the server may have them or not."""
        return {
            action.id
            for n, message in self.doings.items()
            if isinstance(message, Actions) and self.is_sent(n) and not self.is_acknowledged(n)
            for action in message.actions
        }

    def attachments(self) -> dict[str, tuple[Attachment, bool]]:
        """By id: the files that were sent, and whether each was acknowledged."""
        return {
            message.id: (message, self.is_acknowledged(n) and n not in self.refusals)
            for n, message in sorted(self.doings.items())
            if isinstance(message, Attachment) and self.is_sent(n)
        }

    def statuses(self) -> dict[str, str]:
        """The status of every order of the route, as what was acknowledged makes it."""
        known = {action.id for action, acknowledged in self.actions() if acknowledged}
        found = (
            {stop.orderId: "scheduled" for stop in self.phone.route.stops if stop.orderId} if self.phone.route else {}
        )
        for expected in self.expectations:
            if expected.action_id in known:
                found[expected.order_id] = expected.status
        return found

    def route(self) -> Route | None:
        """The route as the driver saw it last."""
        return self.routes[max(self.routes)] if self.routes else self.phone.route

    def refused_orders(self, code: str) -> set[str]:
        """The orders of which something was refused with this code."""
        found = set()
        for n, message in self.doings.items():
            items: tuple[Action | Attachment, ...] = message.actions if isinstance(message, Actions) else (message,)
            answer = self.refusals.get(n, {})
            found |= {str(item.orderId) for index, item in enumerate(items) if answer.get(index) == code}
        return found

    def refused(self) -> Counter[str]:
        """How many items the server refused, by code."""
        return Counter(code for answer in self.refusals.values() for code in answer.values())

    def _mark(self, n: int, marks: int) -> None:
        if n >= len(self._marks):
            self._marks.extend(bytes(n + 1 - len(self._marks)))
        self._marks[n] |= marks

    def _stored(self, message: Positions) -> None:
        for fix, acknowledged in self._each(message, message.positions):
            if acknowledged:
                self.fixes_acknowledged += 1
                self._newest_ms = max(self._newest_ms, fix.at_ms)

    def _each(self, message: Message, items: tuple[T, ...]) -> list[tuple[T, bool]]:
        """Each item of a message, and whether it was acknowledged."""
        answered, refused = self.is_acknowledged(message.n), self.refusals.get(message.n, {})
        return [(item, answered and index not in refused) for index, item in enumerate(items)]

    def _sent_steps(self) -> Iterator[Step]:
        """The day's steps up to the last message that was sent."""
        left = sum(1 for mark in self._marks if mark & SENT)
        steps = self.steps()
        while left and (step := next(steps, None)) is not None:
            left -= isinstance(step, Send) and self.is_sent(step.message.n)
            yield step
        yield from takewhile(lambda step: isinstance(step, Expect), steps)


class Truth:
    """All diaries of a run, and the file they are kept in, which nobody else reads or writes as a run meanwhile.
    ``continued`` is one that was read from there.
    """

    def __init__(self, run: Run, file: int | None = None) -> None:
        self.run = run
        self.diaries: dict[str, Diary] = {}
        self.changes = Changes()
        self.last_at = 0.0
        self.continued = False
        self._file = file

    @classmethod
    def begin(cls, run: Run, path: Path | None) -> Truth:
        """A new truth; its file must not hold another one. Raises ValueError where another process has it."""
        truth = cls(run, None if path is None else alone(path))
        truth._write(run)
        return truth

    @classmethod
    def read(cls, path: Path) -> Truth:
        """The truth of a file, to go on with. A last line that was cut off is left out; it was never acted upon.
        Raises ValueError where it is no such file, or another process has it.
        """
        file = alone(path)
        try:
            return cls._read(path, file)
        except BaseException:
            os.close(file)
            raise

    @classmethod
    def _read(cls, path: Path, file: int) -> Truth:
        lines = path.read_bytes().splitlines(keepends=True)
        whole = [line for line in lines if line.endswith(b"\n")]
        if len(whole) < len(lines):
            os.truncate(path, sum(map(len, whole)))
        entries = [_entry(path, number, line) for number, line in enumerate(whole, 1)]
        if not entries or not isinstance(entries[0], Run):
            raise ValueError(f"{path} does not begin with what a run was drawn from")
        truth = cls(entries[0], file)
        truth.continued = True
        for number, entry in enumerate(entries[1:], 2):
            try:
                truth._apply(entry)
            except KeyError as error:
                raise ValueError(f"{path}, line {number}: driver {error} never logged in") from error
        return truth

    def paired(self, phone: Phone) -> Diary:
        """A driver logged in."""
        self._write(phone)
        self._apply(phone)
        return self.diaries[phone.driver_id]

    def sent(self, diary: Diary, message: Message, at: float) -> None:
        """A message is about to leave; written before it does, since from here on the server may hold it."""
        if not diary.is_sent(message.n):
            self._write(Sent(diary.phone.driver_id, message.n, at))
            diary.mark_sent(message)

    def acknowledge(self, diary: Diary, message: Message, refused: dict[int, str]) -> None:
        """A message was answered; the first answer counts."""
        if not diary.is_acknowledged(message.n):
            self._write(Ack(diary.phone.driver_id, message.n, refused))
            diary.mark_acknowledged(message, refused)

    def rerouted(self, diary: Diary, look: int, route: Route) -> None:
        """A driver saw a changed route; written before it is driven on."""
        entry = Rerouted(diary.phone.driver_id, look, route)
        self._write(entry)
        self._apply(entry)

    def change(self, change: Change) -> None:
        """The office is about to change something, or was told that it is done."""
        self._write(change)
        self._apply(change)

    def close(self) -> None:
        """Nothing more will be written."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _apply(self, entry: Line) -> None:
        match entry:
            case Phone():
                self.diaries[entry.driver_id] = Diary(entry, self.run)
            case Sent():
                self.diaries[entry.driver_id].known(entry.n, SENT)
                self.last_at = max(self.last_at, entry.at)
            case Ack():
                self.diaries[entry.driver_id].known(entry.n, ACKNOWLEDGED, entry.refused)
            case Rerouted():
                diary = self.diaries[entry.driver_id]
                self.changes.rerouted(diary.route(), entry.route)
                diary.routes[entry.look] = entry.route
            case Cancelling() | Cancelled() | Replanning() | Replanned():
                self.changes.apply(entry)
            case Run():
                raise ValueError("a state file holds one run only")

    def _write(self, entry: Line) -> None:
        if self._file is not None:
            append(self._file, _encode(entry))


def _entry(path: Path, number: int, line: bytes) -> Line:
    try:
        return _decode_line(line)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path}, line {number}: {error}") from error
