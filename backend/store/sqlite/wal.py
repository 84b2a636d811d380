"""Whether the log that a process left behind when it was killed still holds what was committed to it.

SQLite reads its write-ahead log up to the first frame whose checksum is wrong and takes the rest for the end of a
commit that was cut off. Where a bit has flipped further up it so forgets, without a word, what was acknowledged; and
where pages of the log are in the database already, it hides them behind older ones.

The index of the log (``-shm``) tells the two apart. SQLite writes into it, once they are synced, how many frames are
committed, and of which log, by its salts. It is never synced itself: after a power cut it may be an old one, which
tells of fewer frames or of an earlier log, never of too many. SQLite makes it anew as soon as it opens the database,
so it is looked at before. Formats: sqlite.org/fileformat2.html#walformat, sqlite.org/walformat.html.
"""

import struct
from pathlib import Path
from typing import NamedTuple

HEADER_BYTES, FRAME_BYTES = 32, 24  # of the log, and of each frame of it; a page follows
INDEX_BYTES = 48  # of which there are two copies, and behind them what was moved into the database
_COUNTS = struct.Struct("=16xI12x8sII")  # in the index: frames committed, the salts, the checksum of all before it
_MOVED = struct.Struct("=I28xI")  # behind both copies: how many frames were moved, and how many at most
_MASK = 0xFFFFFFFF
_BIG_ENDIAN = 1  # the last bit of the log's first word


class Loss(NamedTuple):
    """Of so many frames that were committed, those before the first bad one are ``whole``; ``moved`` are surely in the
    database, ``tried`` may be."""

    committed: int
    whole: int
    moved: int
    tried: int

    @property
    def advice(self) -> str:
        """What the operator may do, with ``{log}`` and ``{index}`` for the names of the two files."""
        if self.moved >= self.committed:
            return "all of it is in the database already: move {log} and {index} away, and nothing is lost"
        if self.whole >= self.tried:
            return "restore it from a backup, or move {index} away to go on with what can be read"
        return "restore it from a backup"


def loss(path: Path) -> Loss | None:
    """What is missing of the log of the database at ``path``; None where all is there, or nobody can tell.

    To be asked before SQLite opens it. Reads as much of the log as was committed, 50 MiB a second.
    """
    index = _start(path.with_name(path.name + "-shm"), 2 * INDEX_BYTES + _MOVED.size)
    if len(index) < 2 * INDEX_BYTES + _MOVED.size or index[:INDEX_BYTES] != index[INDEX_BYTES : 2 * INDEX_BYTES]:
        return None
    committed, salts, *sums = _COUNTS.unpack_from(index)
    if not committed or _checksum("=", index[: INDEX_BYTES - 8], 0, 0) != tuple(sums):
        return None
    whole = _whole(path.with_name(path.name + "-wal"), committed, salts)
    if whole is None or whole == committed:
        return None
    return Loss(committed, whole, *_MOVED.unpack_from(index, 2 * INDEX_BYTES))


def _whole(path: Path, committed: int, salts: bytes) -> int | None:
    """How many frames can be read, up to those committed; None where it is another log than that of these salts."""
    try:
        log = path.open("rb")
    except FileNotFoundError:
        return None
    with log:
        header = log.read(HEADER_BYTES)
        if len(header) < HEADER_BYTES or not any(header):
            return None  # it was emptied, and a power cut came before the next
        order = ">" if header[3] & _BIG_ENDIAN else "<"
        sums = _checksum(order, header[:24], 0, 0)
        if sums != struct.unpack(">II", header[24:]):
            return 0  # a header is synced before its first frame
        if header[16:24] != salts:
            return None
        page_bytes = int.from_bytes(header[8:12])
        for number in range(committed):
            frame = log.read(FRAME_BYTES + page_bytes)
            if len(frame) < FRAME_BYTES + page_bytes or frame[8:16] != salts:
                return number
            sums = _checksum(order, frame[:8], *sums)
            sums = _checksum(order, frame[FRAME_BYTES:], *sums)
            if sums != struct.unpack_from(">II", frame, 16):
                return number
    return committed


def _start(path: Path, length: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(length)
    except FileNotFoundError:
        return b""


def _checksum(order: str, data: bytes, first: int, second: int) -> tuple[int, int]:
    """SQLite's, of whole pairs of words, continued from that of what came before."""
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for one in words:
        first = (first + one + second) & _MASK
        second = (second + next(words) + first) & _MASK
    return first, second
