"""Photos, signatures and documents: each under the SHA-256 of its bytes, on the local disk or in a cloud.

Invariants: what `keep` has returned is on the disk, file and folder; a name is made here and never by a client; a
file that is still arriving is a ``.part`` in the uploads folder and is not visible; files are stored byte for byte.
"""

import asyncio
import contextlib
import errno
import hashlib
import logging
import math
import os
import re
import secrets
import shutil
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import obstore
import obstore.exceptions
from obstore.store import LocalStore, ObjectStore, from_url

from backend.domain.errors import Refusal
from backend.store.disk import make_folder, sync
from backend.store.examiner import Examiner
from backend.store.threads import Threads

T = TypeVar("T")
log = logging.getLogger(__name__)

THREADS = 16  # they wait for the disk more than they work: with one of 20 ms they take 200 MB a second, if it does
PIECE_BYTES = 256 << 10  # written at once: a thread for less would cost more than the writing
SPARE_BYTES = 64 << 20  # photos must not take the last room from positions
ABANDONED_S = 86_400.0
LOST_S = 3_600.0  # whoever was sending it is long gone: bodies that stand still are ended within minutes

_RETRY: Any = {"max_retries": 5, "retry_timeout": timedelta(seconds=15)}  # of a cloud; then it is for the phone to

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_PART = re.compile(r"[0-9a-f]{32}", re.ASCII)


class Part(msgspec.Struct, frozen=True):
    """A file that is arriving; ``name`` is ours and unguessable, 32 hex digits."""

    name: str
    path: Path

    @property
    def size(self) -> int:
        return self.path.stat().st_size


class Media:
    """Take a file in by ``begin``, ``extend``, ``inspect``, ``keep``, then ``discard``; ``read`` it by its hash."""

    def __init__(self, store: ObjectStore, folder: Path | None, uploads: Path) -> None:
        self._store = store
        self._folder = folder
        self._uploads = uploads
        self._examiner = Examiner()
        self._threads = Threads("files", THREADS)

    @classmethod
    async def open(cls, where: str | Path, uploads: Path | None = None, alone: bool = False) -> "Media":
        """``where`` is a folder, or the URL of a cloud's bucket (``s3://…``); ``uploads`` a folder on the local disk.
        Refuses a URL that is none, or lacks what its cloud asks for, with ``ERR_SETTING_INVALID``, and a folder that
        cannot be made with ``ERR_STORAGE``.

        What was left unfinished too long ago is swept. ``alone``: no other process receives files in that folder, so
        that whatever cannot be taken up again is swept at once.
        """
        return await asyncio.to_thread(cls._open, where, uploads, alone)

    @classmethod
    def _open(cls, where: str | Path, uploads: Path | None, alone: bool) -> "Media":
        folder = Path(where).absolute() if isinstance(where, Path) or "://" not in where else None
        uploads = (uploads or (folder or Path.cwd()) / "uploads").absolute()
        for each in filter(None, (folder, uploads)):
            _make(each)
        media = cls(_bucket(str(where)) if folder is None else LocalStore(folder), folder, uploads)
        try:
            media.sweep(lost_after_s=-math.inf if alone else LOST_S)
        except OSError as error:
            log.warning("unfinished files could not be cleared away: %s", error)
        return media

    @property
    def uploads(self) -> Path:
        """The folder of what is arriving."""
        return self._uploads

    async def close(self) -> None:
        await self._examiner.close()

    async def on_disk(self, work: Callable[..., T], *given: Any) -> T:
        """What ``work`` returns, on a thread for files: their disk may be slow, or another machine's that is away.

        Whatever touches the disk and is not awaited is called by this. Refuses with ``ERR_STORAGE_FULL`` or
        ``ERR_STORAGE`` where the disk will not.
        """
        with _storing():
            return await self._threads.run(work, *given)

    def begin(self) -> Part:
        """A new, empty file to be filled."""
        name = secrets.token_hex(16)
        part = Part(name, self._uploads / f"{name}.part")
        part.path.touch(0o600, exist_ok=False)
        return part

    def resume(self, name: str) -> Part:
        """The unfinished file of that name. Refuses with ``ERR_NOT_FOUND`` what is no longer there."""
        path = self._uploads / f"{name}.part"
        if not _PART.fullmatch(name) or not path.is_file():
            raise Refusal("ERR_NOT_FOUND", "There is no such unfinished upload.")
        return Part(name, path)

    async def extend(self, part: Part, pieces: AsyncIterable[bytes], most_bytes: int) -> int:
        """Write what comes at the end of a part and on the disk; tells the part's new size.

        What had come before a failure stays in the part, but where an fsync fails the part is empty. Refusals:
        ``ERR_TOO_LARGE`` beyond ``most_bytes`` in all, those of ``on_disk``.
        """
        size = await self.on_disk(lambda: part.size)
        waiting = bytearray()
        writing: asyncio.Future[None] | None = None
        try:
            async for piece in pieces:
                size += len(piece)
                if size > most_bytes:
                    raise Refusal("ERR_TOO_LARGE", f"A file may have up to {most_bytes} bytes.")
                waiting += piece
                if len(waiting) >= PIECE_BYTES:
                    whole, waiting = bytes(waiting), bytearray()
                    writing = asyncio.ensure_future(self.on_disk(_write, part.path, whole))
                    await asyncio.shield(writing)
        finally:
            # Who is cancelled leaves a thread behind that still writes; who goes on with the part must not come before
            # it: neither before the last of the pieces nor before what is left and the fsync.
            last = asyncio.ensure_future(self._write_last(writing, part.path, bytes(waiting)))
            try:
                await asyncio.shield(last)
            except asyncio.CancelledError:
                await asyncio.wait({last})
                raise
        return size

    async def _write_last(self, writing: "asyncio.Future[None] | None", path: Path, piece: bytes) -> None:
        if writing is not None:
            await asyncio.wait({writing})
        await self.on_disk(_write, path, piece, True)

    async def inspect(self, part: Part) -> str:
        """The media type that its content shows. Refuses with ``ERR_FILE_INVALID`` what is none that is accepted;
        ``ERR_OVERLOADED`` where the machine is too busy to look."""
        return await self._examiner.examine(part.path)

    async def sha256(self, part: Part) -> str:
        """The hash of the content, 64 hex digits."""
        return await self.on_disk(_hash, part.path)

    async def keep(self, part: Part) -> str:
        """Store a part's bytes for good, under the hash that is returned. The same content again is no harm.

        The part stays, to be discarded when its row is stored too: until then all may be done again. Refusals as of
        ``on_disk``; ``ERR_UNAVAILABLE`` where a cloud does not take it, as of all that follow here.
        """
        sha256 = await self.sha256(part)
        if self._folder is not None:
            await self.on_disk(_settle, part.path, self._folder / _key(sha256))
        else:
            with _reaching():
                await obstore.put_async(self._store, _key(sha256), part.path)
        return sha256

    def discard(self, part: Part) -> None:
        part.path.unlink(missing_ok=True)

    async def size(self, sha256: str) -> int:
        """In bytes. Refuses with ``ERR_NOT_FOUND`` what is not stored."""
        with _reaching():
            return int((await obstore.head_async(self._store, _key(sha256)))["size"])

    async def read(self, sha256: str, first: int = 0, beyond: int | None = None) -> tuple[int, AsyncIterator[bytes]]:
        """Size and bytes of a stored file, or of the range from ``first`` up to but not at ``beyond``."""
        options: Any = None
        if first or beyond is not None:
            beyond = await self.size(sha256) if beyond is None else beyond
            options = {"range": (first, beyond)}
        with _reaching():
            result = await obstore.get_async(self._store, _key(sha256), options=options)
        start, end = result.range
        return end - start, _pieces(result)

    def sweep(self, abandoned_after_s: float = ABANDONED_S, lost_after_s: float = LOST_S) -> int:
        """Delete parts that nothing was added to for so long, sooner those that cannot be taken up again; how many."""
        now_s, swept = time.time(), 0
        for path in self._uploads.glob("*.part"):
            try:
                kept_s = abandoned_after_s if path.with_suffix(".upload").exists() else lost_after_s
                if path.stat().st_mtime < now_s - kept_s:
                    path.unlink()
                    swept += 1
            except FileNotFoundError:
                continue  # finished meanwhile
        return swept


def _make(folder: Path) -> None:
    try:
        make_folder(folder)
    except OSError as error:
        raise Refusal("ERR_STORAGE", f"The folder {folder} cannot be made: {error.strerror}.") from error


def _bucket(url: str) -> ObjectStore:
    try:
        return from_url(url, retry_config=_RETRY)
    except (obstore.exceptions.BaseError, ValueError) as error:
        text = f"CODRIVER_BLOB_URL cannot be used: {str(error).splitlines()[0]}."
        raise Refusal("ERR_SETTING_INVALID", text, "CODRIVER_BLOB_URL") from error


@contextlib.contextmanager
def _reaching() -> Iterator[None]:
    """While files are where they are kept: refuses with ``ERR_NOT_FOUND`` and ``ERR_UNAVAILABLE``."""
    try:
        yield
    except FileNotFoundError:
        raise _not_found() from None
    except obstore.exceptions.BaseError as error:
        log.warning("the place of the files does not answer as it should: %s", str(error).splitlines()[0])
        text = "The place where files are kept cannot be reached; try again in a moment."
        raise Refusal("ERR_UNAVAILABLE", text) from error


def _key(sha256: str) -> str:
    """In 256 folders by the first two digits, as no file system likes a million names in one."""
    if not _SHA256.fullmatch(sha256):
        raise _not_found()
    return f"{sha256[:2]}/{sha256}"


def _not_found() -> Refusal:
    return Refusal("ERR_NOT_FOUND", "This file is not stored.")


async def _pieces(result: Any) -> AsyncIterator[bytes]:
    with _reaching():
        async for piece in result.stream(min_chunk_size=PIECE_BYTES):
            yield bytes(piece)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, piece: bytes, last: bool = False) -> None:
    """Write at the end of a file; with ``last``, all of it to the disk."""
    if piece and shutil.disk_usage(path.parent).free < len(piece) + SPARE_BYTES:
        raise OSError(errno.ENOSPC, "kept for positions")
    with open(os.open(path, os.O_WRONLY | os.O_APPEND), "ab") as file:  # not made anew where it was swept
        file.write(piece)
        if last:
            file.flush()
            _secure(file.fileno())


def _secure(part: int) -> None:
    """All of a part to the disk, or it is empty, to be sent again.

    After an fsync that failed the system takes for written what is not, and a second one would find nothing to do. That
    may be more than what came last: a process that was killed leaves what it had not synced.
    """
    try:
        os.fsync(part)
    except OSError:
        if os.fstat(part).st_nlink == 1:  # what is kept has a name more, and was synced before it got that
            os.ftruncate(part, 0)
        raise


@contextlib.contextmanager
def _storing() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise Refusal("ERR_STORAGE", "The file was cleared away before all of it had come; send it again.") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise Refusal("ERR_STORAGE_FULL", "The disk is full; the file was not stored.") from error
        log.error("a file could not be read or written: %s", error)
        raise Refusal("ERR_STORAGE", "The disk does not work as it should; the file was not stored.") from error


def _settle(part: Path, target: Path) -> None:
    """Give a whole file its name: its content is on the disk before it has the name, and the name before we return."""
    target.parent.mkdir(exist_ok=True)
    with part.open("r+b") as file:
        _secure(file.fileno())
    try:
        os.link(part, target)
    except FileExistsError:
        pass  # the same content came before
    except OSError:  # another file system, or one without links
        copy = target.with_name(f".{part.name}")
        try:
            shutil.copyfile(part, copy)
            sync(copy)
            copy.rename(target)
        finally:
            copy.unlink(missing_ok=True)  # half of it on a disk that is full
    for folder in (target.parent, target.parent.parent):
        sync(folder)
