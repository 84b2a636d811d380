"""Resumable uploads: the state of each, in a file beside the bytes that have arrived.

Invariants: an upload is on the disk, file and folder, before the client is told of it, and so survives a crash; whoever
changes an upload holds its lock, as several processes may share the folder. The bytes are a ``Part`` of ``media``, and
become a row of ``attachments``.
"""

import fcntl
import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import msgspec

from backend.store.disk import sync
from backend.store.media import Part

_NAME = re.compile(r"[0-9a-f]{32}", re.ASCII)


class Upload(msgspec.Struct, frozen=True):
    """``name`` is the part's; ``id``, ``kind`` and ``order_id`` are the attachment's; ``length`` bytes in all.

    ``metadata`` is what the client said, as it said it. ``done`` is when the file is stored and the part is gone.
    """

    name: str
    account_id: str
    driver_id: str
    id: str
    kind: Literal["signature", "image", "barcode"]
    order_id: str | None
    length: int
    metadata: str
    done: bool = False


_decode = msgspec.json.Decoder(Upload).decode
_encode = msgspec.json.Encoder().encode


def save(folder: Path, upload: Upload) -> None:
    """Whole or not at all."""
    path = _path(folder, upload.name)
    new = path.with_suffix(".new")
    new.write_bytes(_encode(upload))
    sync(new)
    new.rename(path)
    sync(folder)


def load(folder: Path, name: str) -> Upload | None:
    """None where there is none of that name."""
    if not _NAME.fullmatch(name):
        return None
    for suffix in (".upload", ".done"):
        try:
            return _decode((folder / name).with_suffix(suffix).read_bytes())
        except (FileNotFoundError, msgspec.DecodeError):
            continue
    return None


def touched_s(folder: Path, name: str) -> float:
    """When something of it came last, Unix seconds of the machine's clock."""
    paths = [(folder / name).with_suffix(suffix) for suffix in (".upload", ".part", ".done")]
    moments = []
    for path in paths:
        with suppress(FileNotFoundError):
            moments.append(path.stat().st_mtime)
    return max(moments, default=0.0)


def finish(folder: Path, upload: Upload) -> Upload:
    """From now on it is done, and only remembered for a while, for a client that did not hear of it."""
    done = msgspec.structs.replace(upload, done=True)
    save(folder, done)
    path = _path(folder, upload.name)
    path.rename(path.with_suffix(".done"))
    return done


def delete(folder: Path, name: str) -> None:
    for suffix in (".part", ".upload", ".done", ".lock"):
        (folder / name).with_suffix(suffix).unlink(missing_ok=True)


@contextmanager
def held(folder: Path, name: str) -> Iterator[bool]:
    """True while no other process holds this upload, until it is left or the process ends; also where there is none."""
    if load(folder, name) is None:
        yield True
        return
    descriptor = os.open((folder / name).with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def sweep(folder: Path, older_than_s: float, done_older_than_s: float) -> int:
    """Delete the uploads to which nothing came for so long, and those that were done so long ago; tells how many."""
    now_s, swept = time.time(), 0
    for path in folder.glob("*.upload"):
        if touched_s(folder, path.stem) < now_s - older_than_s:
            delete(folder, path.stem)
            swept += 1
    for path in folder.glob("*.done"):
        if _is_older(path, now_s - done_older_than_s):
            path.unlink(missing_ok=True)
            swept += 1
    for path in folder.glob("*.new"):  # of a process that was killed as it saved
        if _is_older(path, now_s - older_than_s):
            path.unlink(missing_ok=True)
    for path in folder.glob("*.lock"):
        if _is_older(path, now_s - older_than_s) and load(folder, path.stem) is None:
            path.unlink(missing_ok=True)
    return swept


def _is_older(path: Path, moment_s: float) -> bool:
    try:
        return path.stat().st_mtime < moment_s
    except FileNotFoundError:  # another process was quicker
        return False


def chunk_digest(part: Part, first: int, algorithm: str) -> bytes:
    """The checksum of what stands in the part from ``first`` on."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with part.path.open("rb") as file:
        file.seek(first)
        while piece := file.read(1 << 18):
            digest.update(piece)
    return digest.digest()


def cut(part: Part, size: int) -> None:
    """Take back what came beyond ``size``."""
    with part.path.open("r+b") as file:
        file.truncate(min(size, part.size))
        os.fsync(file.fileno())


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}.upload"
