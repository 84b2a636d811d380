"""Uploads that may be taken up again: what is known of each, in a file beside the bytes that have come.

Invariant: an upload is on the disk, file and folder, before it is told to a client, and so survives any end of the
process. The bytes are a ``Part`` of ``media``; what they become is a row of ``attachments``.
"""

import hashlib
import os
import re
import time
from pathlib import Path
from typing import Literal

import msgspec

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
    with new.open("wb") as file:
        file.write(_encode(upload))
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def load(folder: Path, name: str) -> Upload | None:
    """None where there is none of that name."""
    if not _NAME.fullmatch(name):
        return None
    try:
        return _decode(_path(folder, name).read_bytes())
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def touched_s(folder: Path, name: str) -> float:
    """When something of it came last, Unix seconds of the machine's clock."""
    times = [path.stat().st_mtime for path in (_path(folder, name), folder / f"{name}.part") if path.exists()]
    return max(times, default=0.0)


def delete(folder: Path, name: str) -> None:
    (folder / f"{name}.part").unlink(missing_ok=True)
    _path(folder, name).unlink(missing_ok=True)


def sweep(folder: Path, older_than_s: float) -> int:
    """Delete the uploads to which nothing came for so long; tells how many."""
    limit_s = time.time() - older_than_s
    names = [path.stem for path in folder.glob("*.upload")]
    old = [name for name in names if touched_s(folder, name) < limit_s]
    for name in old:
        delete(folder, name)
    return len(old)


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
        file.truncate(size)
        os.fsync(file.fileno())


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}.upload"
