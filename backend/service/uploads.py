"""Resumable uploads, which can also be resumed after a restart of the server.

An upload belongs to its driver. It is deleted a day after its last byte arrived. When it is complete it becomes an
attachment like any other file.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import ExitStack, asynccontextmanager

import msgspec

from backend.domain.accounts import Device
from backend.domain.errors import Refusal
from backend.service import attach
from backend.service.attach import Claim
from backend.service.desk import Desk
from backend.store import uploads as store
from backend.store.uploads import Upload

LIFE_S = 86_400
DONE_S = 3600  # how long a client that did not hear the last answer may ask for it
SWEEP_S = 600.0
PATIENCE_S = 5.0  # for another process to let go of an upload


class State(msgspec.Struct, frozen=True):
    """How far an upload is; ``expires_s`` Unix seconds of the machine's clock."""

    upload: Upload
    offset: int
    expires_s: float


class _Turn:
    """Who works on an upload now. A phone that was cut off comes back before we notice: whoever still waits for bytes
    gives way to the later one; all else is quick and is waited for."""

    def __init__(self, task: "asyncio.Task[object]") -> None:
        self.task = task
        self.over = asyncio.Event()
        self.wanted = False
        self.receiving = False
        self.taken = False

    def receive(self) -> None:
        """From here on it waits for bytes."""
        if self.wanted:
            raise _taken()
        self.receiving = True

    def give_way(self) -> None:
        self.wanted = True
        if self.receiving and not self.taken:
            self.taken = True
            self.task.cancel()


def _taken() -> Refusal:
    return Refusal("ERR_UPLOAD_TAKEN", "The same upload goes on in another request.")


def give_way(note: str) -> None:
    """A phone came back for an upload at another process."""
    process, _, name = note.partition(" ")
    if process != _PROCESS and (turn := _turns.get(name)) is not None:
        turn.give_way()


_PROCESS = secrets.token_hex(8)
_turns: dict[str, _Turn] = {}
_swept_s = 0.0


async def create(desk: Desk, device: Device, said: Claim, length: int, metadata: str) -> State:
    """A new, empty upload. Refuses with ``ERR_TOO_LARGE`` what will be too long, with ``ERR_FILE_INVALID`` an empty
    file, and with ``ERR_ORDER_NOT_FOUND`` what is for an order of somebody else."""
    if length > desk.settings.max_attachment_bytes:
        raise Refusal("ERR_TOO_LARGE", f"A file may have up to {desk.settings.max_attachment_bytes} bytes.")
    if length == 0:
        raise Refusal("ERR_FILE_INVALID", "An empty file is no proof.", "Upload-Length")
    await attach.see_order(desk, device, said)
    await _sweep(desk)
    part = await desk.media.on_disk(desk.media.begin)
    upload = Upload(part.name, device.account.id, device.driver_id, said.id, said.kind, said.order_id, length, metadata)
    await desk.media.on_disk(store.save, desk.media.uploads, upload)
    return await _state(desk, upload)


async def look(desk: Desk, device: Device, name: str) -> State:
    """How far it is; where all has come but the server was stopped before it was stored, it is stored now."""
    async with _turn(desk, name):
        upload = await _find(desk, device, name)
        state = await _state(desk, upload)
        if state.offset == upload.length and not upload.done:
            return await _finish(desk, device, upload)
        return state


async def append(
    desk: Desk,
    device: Device,
    name: str,
    offset: int,
    pieces: AsyncIterable[bytes],
    checksum: tuple[str, bytes] | None = None,
) -> State:
    """Write on from ``offset``; what comes before a cut is kept, except where it cannot be held against ``checksum``
    (the name of a hash, and its value).

    Refusals: ``ERR_NOT_FOUND``, ``ERR_UPLOAD_OFFSET``, ``ERR_CHUNK_CHECKSUM``, ``ERR_TOO_LARGE``, and those of
    ``attach.keep`` at the end.
    """
    async with _turn(desk, name) as turn:
        upload = await _find(desk, device, name)
        at = (await _state(desk, upload)).offset
        if offset != at:
            raise Refusal("ERR_UPLOAD_OFFSET", f"So far {at} bytes have come; go on from there.", "Upload-Offset")
        if upload.done:
            return await _state(desk, upload)
        part = await desk.media.on_disk(desk.media.resume, name)
        good = checksum is None
        try:
            turn.receive()
            size = await desk.media.extend(part, pieces, upload.length)
            turn.receiving = False
            if checksum is not None:
                algorithm, expected = checksum
                good = await desk.media.on_disk(store.chunk_digest, part, offset, algorithm) == expected
        finally:
            turn.receiving = False
            if not good:
                await asyncio.shield(desk.media.on_disk(store.cut, part, offset))
        if not good:
            raise Refusal("ERR_CHUNK_CHECKSUM", "What came is not what was sent, by its checksum; send it again.")
        return await _finish(desk, device, upload) if size == upload.length else await _state(desk, upload)


async def remove(desk: Desk, device: Device, name: str) -> None:
    """Give an upload up. What was stored already stays."""
    async with _turn(desk, name):
        upload = await _find(desk, device, name)
        await desk.media.on_disk(store.delete, desk.media.uploads, upload.name)


async def _finish(desk: Desk, device: Device, upload: Upload) -> State:
    try:
        part = await desk.media.on_disk(desk.media.resume, upload.name)
        await attach.keep(desk, device, part, Claim(upload.id, upload.kind, upload.order_id))
    except Refusal as refusal:
        if refusal.code in attach.LAST_WORD:
            await desk.media.on_disk(store.delete, desk.media.uploads, upload.name)
        raise
    return await _state(desk, await desk.media.on_disk(store.finish, desk.media.uploads, upload))


async def _find(desk: Desk, device: Device, name: str) -> Upload:
    upload = await desk.media.on_disk(store.load, desk.media.uploads, name)
    if upload is None or (upload.account_id, upload.driver_id) != (device.account.id, device.driver_id):
        raise Refusal("ERR_NOT_FOUND", "There is no such upload, or no longer; begin anew.")
    return upload


async def _state(desk: Desk, upload: Upload) -> State:
    def look() -> State:
        offset = upload.length if upload.done else desk.media.resume(upload.name).size
        return State(upload, offset, store.touched_s(desk.media.uploads, upload.name) + LIFE_S)

    return await desk.media.on_disk(look)


async def _sweep(desk: Desk) -> None:
    """Now and then, on somebody's way in."""
    global _swept_s
    if time.monotonic() - _swept_s > SWEEP_S:
        _swept_s = time.monotonic()
        await desk.media.on_disk(store.sweep, desk.media.uploads, LIFE_S, DONE_S)


@asynccontextmanager
async def _turn(desk: Desk, name: str) -> AsyncIterator[_Turn]:
    """One at a time. Who had to give way to a later one gets ``ERR_UPLOAD_TAKEN``."""
    while (other := _turns.get(name)) is not None:
        other.give_way()
        await other.over.wait()
    task = asyncio.current_task()
    assert task is not None
    turn = _turns[name] = _Turn(task)
    try:
        async with _alone(desk, name):
            yield turn
    except asyncio.CancelledError:
        if not turn.taken:
            raise
        task.uncancel()
        raise _taken() from None
    finally:
        del _turns[name]
        turn.over.set()


@asynccontextmanager
async def _alone(desk: Desk, name: str) -> AsyncIterator[None]:
    """While no other process works on it; one that does is asked to give way, and waited for for a while."""
    deadline = time.monotonic() + PATIENCE_S
    asked = False
    while True:
        async with _held(desk, name) as free:
            if free:
                yield
                return
        if time.monotonic() > deadline:
            raise _taken()
        if not asked:
            desk.hub.note("upload", f"{_PROCESS} {name}")
            asked = True
        await asyncio.sleep(0.02)


@asynccontextmanager
async def _held(desk: Desk, name: str) -> AsyncIterator[bool]:
    """``store.held``, as a thread of the disk's finds it."""
    holding = ExitStack()
    entering = asyncio.ensure_future(desk.media.on_disk(holding.enter_context, store.held(desk.media.uploads, name)))
    try:
        yield await asyncio.shield(entering)
    finally:
        if entering.done():  # closing asks the disk too
            await asyncio.shield(desk.media.on_disk(holding.close))
        else:  # we were cancelled, and the thread may have it yet
            entering.add_done_callback(lambda _: asyncio.ensure_future(desk.media.on_disk(holding.close)))
