"""What a disk may hold after the power was cut: from the log of ``faults.c``, of all that was done to it.

Only what was synced is sure. Of the rest any sectors may have been written or not, a file may have its old or new
length, and of the names that were made, changed and deleted the last few may never have been written down. After an
fsync that failed the system believes that everything is written, and never writes it again unless it is changed again.
"""

import random
import struct
from collections.abc import Callable, Iterator
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

SECTOR = 512
PAGE = 4096  # what the system keeps together in memory
_HEAD = struct.Struct("=iiqq")


class Kind(IntEnum):
    """As in ``faults.c``."""

    WRITE = 1
    CUT = 2
    SYNC = 3
    SYNC_FAILED = 4
    CREATE = 5
    RENAME = 6
    UNLINK = 7
    MKDIR = 8
    LINK = 9


class Record(NamedTuple):
    """``at``: the place of a write, the length that a file was cut to. ``data``: what was written, or the new name."""

    kind: int
    path: str
    at: int
    data: bytes


def read_log(path: Path) -> Iterator[Record]:
    """In the order in which it happened; a record that the end of its process cut off is left out."""
    log, at = path.read_bytes(), 0
    while at + _HEAD.size <= len(log):
        kind, path_length, where, length = _HEAD.unpack_from(log, at)
        at += _HEAD.size
        name = log[at : at + path_length].decode()
        data = log[at + path_length : at + path_length + length]
        at += path_length + length
        if at <= len(log):
            yield Record(kind, name, where, data)


class File:
    """``now`` is what programs see, ``sure`` what is on the disk."""

    def __init__(self) -> None:
        self.now, self.sure = bytearray(), bytearray()
        self.pages: set[int] = set()

    def write(self, at: int, data: bytes) -> None:
        if len(self.now) < at + len(data):
            self.now.extend(bytes(at + len(data) - len(self.now)))
        self.now[at : at + len(data)] = data
        self.pages.update(range(at // PAGE, (at + len(data) - 1) // PAGE + 1))

    def truncate(self, length: int) -> None:
        if length < len(self.now):
            del self.now[length:]
        else:
            self.now.extend(bytes(length - len(self.now)))

    def synced(self) -> None:
        self.sure = self.written(1.0, random.Random(0))
        self.pages.clear()

    def forgotten(self, rng: random.Random) -> None:
        self.sure = self.written(rng.choice([0.0, 0.5]), rng)
        self.pages.clear()

    def written(self, share: float, rng: random.Random) -> bytearray:
        """What the disk holds if it has written this share of the sectors that changed."""
        length = len(self.now) if share == 1.0 else rng.choice([len(self.now), len(self.sure)])
        disk = bytearray(self.sure[:length])
        disk.extend(bytes(length - len(disk)))
        for page in self.pages:
            for at in range(page * PAGE, min((page + 1) * PAGE, length), SECTOR):
                if rng.random() < share:
                    end = min(at + SECTOR, length)
                    sector = self.now[at:end]
                    disk[at : at + len(sector)] = sector
        return disk


Names = dict[str, File | None]
"""What is where; a folder is None."""


class Disk:
    """Apply records one by one; ``cut`` at any time, as often as wanted. ``folder`` was empty when the log began."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self._root = f"{folder}/"
        self._rng = rng
        self._now: Names = {}
        self._sure: Names = {}
        self._unsure: list[Callable[[Names], object]] = []  # what was done to names since a folder was synced last

    def apply(self, record: Record) -> None:
        path, other, file = record.path, record.data.decode(errors="replace"), self._now.get(record.path)
        match record.kind:
            case Kind.CREATE:
                made = File()
                self._to_names(lambda names: names.__setitem__(path, made))
            case Kind.MKDIR:
                self._to_names(lambda names: names.__setitem__(path, None))
            case Kind.LINK:
                self._to_names(lambda names: names.__setitem__(other, file))
            case Kind.RENAME:
                self._to_names(lambda names: names.__setitem__(other, names.pop(path, None)))
            case Kind.UNLINK:
                self._to_names(lambda names: names.pop(path, None))
            case Kind.SYNC if file is None:  # a folder: file systems keep the order of what is done to names
                for change in self._unsure:
                    change(self._sure)
                self._unsure.clear()
            case Kind.WRITE if file is not None:
                file.write(record.at, record.data)
            case Kind.CUT if file is not None:
                file.truncate(record.at)
            case Kind.SYNC if file is not None:
                file.synced()
            case Kind.SYNC_FAILED if file is not None:
                file.forgotten(self._rng)

    def said(self, name: str) -> list[str]:
        """The lines of a file as its writer sees it."""
        file = self._now.get(self._root + name)
        return bytes(file.now).decode().splitlines() if file else []

    def cut(self, to: Path) -> None:
        """Write down what may be left, in a new folder."""
        names = dict(self._sure)
        for change in self._unsure[: self._rng.randint(0, len(self._unsure))]:
            change(names)
        to.mkdir(parents=True)
        left: dict[int, bytearray] = {}
        for name, file in names.items():
            path = to / name.removeprefix(self._root)
            if file is None:
                path.mkdir(parents=True, exist_ok=True)
                continue
            if id(file) not in left:
                left[id(file)] = file.written(self._rng.choice([0.0, 0.3, 0.9]), self._rng)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(left[id(file)])

    def _to_names(self, change: Callable[[Names], object]) -> None:
        change(self._now)
        self._unsure.append(change)
