"""What a disk may hold after the power was cut: from the log of ``faults.c``, of all that was done to it.

Only what was synced is sure: a file by its own fsync, a name by that of its folder. Of the rest any sectors may have
been written or not, in this or an earlier state, a file may have its old or new length, and of the names that were
made, changed and deleted the last few may never have been written down. After an fsync that failed the system believes
that everything is written, and never writes it again unless it is changed again.
"""

import os
import random
import struct
from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

SECTOR = 512
PAGE = 4096  # what the system keeps together in memory
EARLY = 0.03  # of writes: before them the system has written some of what was changed so far, of its own accord
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
    """``now`` is what programs see, ``sure`` what is on the disk; ``pages`` are those that the system is yet to write.

    ``salt`` makes its bad sectors other ones than another file's.
    """

    def __init__(self, salt: int) -> None:
        self.now, self.sure = bytearray(), bytearray()
        self.pages: set[int] = set()
        self._salt = salt

    def write(self, at: int, data: bytes) -> None:
        if len(self.now) < at + len(data):
            self.now.extend(bytes(at + len(data) - len(self.now)))
        self.now[at : at + len(data)] = data
        self._change(at, at + len(data))

    def truncate(self, length: int) -> None:
        self._change(min(length, len(self.now)), max(length, len(self.now)))
        if length < len(self.now):
            del self.now[length:]
        else:
            self.now.extend(bytes(length - len(self.now)))

    def synced(self) -> None:
        self.sure = self._written(len(self.now), lambda at: True)
        self.pages.clear()

    def forgotten(self, share: float, rng: random.Random) -> None:
        """An fsync failed. However often it is tried, it is always the same sectors that the disk does not take."""
        self.sure = self._written(self._length(rng), lambda at: random.Random(self._salt + at).random() < share)
        self.pages.clear()

    def written(self, share: float, rng: random.Random) -> bytearray:
        """What the disk may hold by now if it has written this share of the sectors that changed."""
        return self._written(self._length(rng), lambda at: rng.random() < share)

    def _change(self, start: int, end: int) -> None:
        self.pages.update(range(start // PAGE, (end + PAGE - 1) // PAGE))

    def _length(self, rng: random.Random) -> int:
        return rng.choice([len(self.now), len(self.sure)])

    def _written(self, length: int, takes: Callable[[int], bool]) -> bytearray:
        disk = bytearray(self.sure[:length])
        disk.extend(bytes(length - len(disk)))
        for page in self.pages:
            for at in range(page * PAGE, min((page + 1) * PAGE, length), SECTOR):
                if takes(at):
                    sector = self.now[at : min(at + SECTOR, length)]
                    disk[at : at + len(sector)] = sector
        return disk


Names = dict[str, File | None]
"""What is where; a folder is None."""


class Disk:
    """Apply records one by one; ``cut`` at any time, as often as wanted. ``folder`` was empty when the log began.

    ``takes`` is the share of what it had to write that the disk has taken where an fsync failed; where it is given, the
    system writes nothing before it is asked to. By default both are left to chance.
    """

    def __init__(self, folder: Path, rng: random.Random, takes: float | None = None) -> None:
        self._root = f"{folder}/"
        self._rng = rng
        self._takes, self._early = (rng.choice([0.0, 0.5]), EARLY) if takes is None else (takes, 0.0)
        self._now: Names = {}
        self._sure: Names = {}
        self._unsure: list[tuple[str, Callable[[Names], object]]] = []  # in which folder a name was changed, and how

    def apply(self, record: Record) -> None:
        path, other, file = record.path, record.data.decode(errors="replace"), self._now.get(record.path)
        match record.kind:
            case Kind.CREATE:
                made = File(self._rng.getrandbits(64))
                self._to_names(path, lambda names: names.__setitem__(path, made))
            case Kind.MKDIR:
                self._to_names(path, lambda names: names.__setitem__(path, None))
            case Kind.LINK:
                self._to_names(other, lambda names: names.__setitem__(other, file))
            case Kind.RENAME:
                self._to_names(other, lambda names: names.__setitem__(other, names.pop(path, None)))
            case Kind.UNLINK:
                self._to_names(path, lambda names: names.pop(path, None))
            case Kind.SYNC if file is None:
                for folder, change in self._unsure:
                    if folder == path:
                        change(self._sure)
                self._unsure = [(folder, change) for folder, change in self._unsure if folder != path]
            case Kind.WRITE if file is not None:
                if self._rng.random() < self._early:
                    file.sure = file.written(self._rng.random(), self._rng)
                file.write(record.at, record.data)
            case Kind.CUT if file is not None:
                file.truncate(record.at)
            case Kind.SYNC if file is not None:
                file.synced()
            case Kind.SYNC_FAILED if file is not None:
                file.forgotten(self._takes, self._rng)

    def said(self, name: str) -> list[str]:
        """The lines of a file as its writer sees it."""
        file = self._now.get(self._root + name)
        return bytes(file.now).decode().splitlines() if file else []

    def keeps(self, name: str) -> bool:
        """Whether all that can be read of a file is on the disk."""
        file = self._now[self._root + name]
        return file is not None and file.now == file.sure

    def cut(self, to: Path, written: Mapping[str, float] | None = None) -> None:
        """Write down what may be left, in a new folder: by chance, or ``written``, for some files, what share of that
        which was not synced; of all other files and of names nothing then."""
        names = dict(self._sure)
        for _, change in self._unsure[: self._rng.randint(0, len(self._unsure)) if written is None else 0]:
            change(names)
        to.mkdir(parents=True)
        left: dict[int, bytearray] = {}
        for name, file in names.items():
            if not self._is_reached(name, names):
                continue
            path = to / name.removeprefix(self._root)
            if file is None:
                path.mkdir(parents=True, exist_ok=True)
                continue
            if id(file) not in left:
                by_chance = self._rng.choice([0.0, 0.3, 0.9])
                share = by_chance if written is None else written.get(name.removeprefix(self._root), 0.0)
                left[id(file)] = file.written(share, self._rng)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(left[id(file)])

    def _is_reached(self, name: str, names: Names) -> bool:
        folder = os.path.dirname(name)
        return f"{folder}/" == self._root or (folder in names and self._is_reached(folder, names))

    def _to_names(self, path: str, change: Callable[[Names], object]) -> None:
        change(self._now)
        self._unsure.append((os.path.dirname(path), change))
